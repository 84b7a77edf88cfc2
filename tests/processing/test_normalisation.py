"""Datasets with a cross section are normalised at the merge, by the weights of all entries of their files."""

import json
import os
import shutil
from pathlib import Path

import awkward as ak
import hist
import numpy as np
import pytest
import uproot
from finished_jobs import write_summary
from scipy import stats
from selected_jobs import all_events, finished, jets_of

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.events.barns import parse_cross_section, parse_luminosity
from hep_peaksum.inputs.paths import InputFile, file_uuid
from hep_peaksum.job import run as job_run
from hep_peaksum.job.run import run
from hep_peaksum.merging.merge import merge
from hep_peaksum.preview.check import check_inputs
from hep_peaksum.processing.normalisation import Normalisation, normalisation, normalised, sum_of_weights


def sample(config, sum_of_weights, **more):
    """Return the content of a config whose dataset is 2 pb, normalised to 30 /pb."""
    content = config(luminosity="0.03 /fb", events={"weight": {"gen": "genWeight"}}, **more)
    content["datasets"]["toy"] |= {"cross_section": "2 pb", "k_factor": 1.5, "sum_of_weights": sum_of_weights}
    return content


def test_the_factor_is_the_expected_number_of_events_over_the_sum_of_weights(config):
    content = sample(config, "genWeight")
    assert normalisation(parse_config(content), "toy", 45.0) == Normalisation(2 * 1.5 * 30 / 45, 45.0)
    lost = normalisation(parse_config(content), "toy", None)
    assert (lost.factor, lost.as_dict().keys()) == (1, {"factor", "reason"})
    with pytest.raises(ValueError, match=r"^datasets.toy.sum_of_weights: 'genWeight' adds up to 0, so that"):
        normalisation(parse_config(content), "toy", 0.0)
    for key in ("cross_section", "k_factor", "sum_of_weights"):
        del content["datasets"]["toy"][key]
    assert normalisation(parse_config(content), "toy", 45.0) is None


def test_variances_are_multiplied_by_the_square_and_those_of_counts_are_the_counts():
    axis = hist.axis.Regular(2, 0, 2, name="x")
    counts = hist.Hist(axis).fill([0.5, 0.5, 1.5, 9])
    changed = counts * 1.0  # of which hist knows no variances
    weighted = hist.Hist(axis, storage=hist.storage.Weight()).fill([0.5, 1.5], weight=[3, -2])
    histograms = {"counts": counts, "changed": changed, "weighted": weighted, "cutflow": counts}
    found = normalised(histograms, Normalisation(10.0, 1.0))
    for name in ("counts", "changed"):
        assert found[name].values(flow=True).tolist() == [0, 20, 10, 10]
        assert found[name].variances(flow=True).tolist() == [0, 200, 100, 100]
    assert found["weighted"].values().tolist() == [30, -20]
    assert found["weighted"].variances().tolist() == [900, 400]
    assert found["cutflow"].values().tolist() == [20, 10]
    assert found["cutflow_entries"] == counts
    for nothing in (None, Normalisation(10.0, None, "not all entries")):
        assert normalised(histograms, nothing) == histograms


@pytest.mark.parametrize("name", ["genWeight", "Runs:sumw"])
def test_histograms_are_normalised_and_the_events_are_not(config, samples, name):
    result, events = finished(sample(config, name))
    weights = all_events(samples, "genWeight")
    total = weights.sum() if name == "genWeight" else 10 + 1 + 11 + 1
    factor = 2 * 1.5 * 30 / total
    seeds = jets_of(samples).seed
    expected = np.array(
        [weights[np.repeat(np.arange(120), [ak.sum(each == n) for each in seeds])].sum() for n in range(9)]
    )
    np.testing.assert_allclose(result.histograms["toy"]["seeds"].values(), factor * expected, rtol=1e-12)
    assert events.weight.to_list() == weights.tolist()
    written = result.summary["datasets"]["toy"]["normalisation"]
    assert written == pytest.approx({"factor": factor, "sum_of_weights": total}, rel=1e-12)


def test_a_normalised_cut_flow_without_weights_still_counts_entries(config, samples):
    content = sample(config, "genWeight")
    content["events"] = {"where": [{"branch": "hodo_x", "min": 0}]}
    result, events = finished(content)
    factor = 2 * 1.5 * 30 / all_events(samples, "genWeight").sum()
    left = sum(bool(x >= 0) for x in all_events(samples, "hodo_x"))
    flow = result.summary["datasets"]["toy"]["cut_flow"]["nominal"]
    assert [step["entries"] for step in flow] == [120, left]
    assert len(events) == left
    assert [step["sum_of_weights"] for step in flow] == pytest.approx([120 * factor, left * factor])


def test_errors_of_a_normalised_sample_without_weights_are_those_of_its_entries(config, samples):
    """The factor is 3 x 30 / the sum of weights, about 2: the interval of counts twice as high is narrower."""
    passing = {"field": "nJet", "thresholds": [5]}
    axis = {"field": "nJet", "bins": 1, "start": 0, "stop": 99}
    measurement = {"efficiency": "events", "match": "none", "axis": axis, "pass": passing}
    content = sample(config, "genWeight", measurements={"busy": measurement})
    del content["events"]
    result, _ = finished(content)
    factor = result.summary["datasets"]["toy"]["normalisation"]["factor"]
    n_jets = ak.num(jets_of(samples)).to_numpy()
    n_passed = int((n_jets >= 5).sum())
    (table,) = result.summary["measurements"]
    tail = (1 - 0.6827) / 2
    expected = stats.beta.ppf([tail, 1 - tail], [n_passed, n_passed + 1], [121 - n_passed, 120 - n_passed])
    assert [table["columns"][key][0] for key in ("low", "high")] == pytest.approx(expected)
    seeds = ak.flatten(jets_of(samples).seed).to_numpy()
    in_bins = np.array([(seeds == n).sum() for n in range(9)])
    np.testing.assert_allclose(result.histograms["toy"]["seeds"].variances(), in_bins * factor**2)


def test_a_resumed_job_is_normalised_like_any_other(config):
    whole, _ = finished(sample(config, "genWeight", run={"chunksize": 30}))
    again = run(parse_config(sample(config, "genWeight", run={"chunksize": 30})))
    assert again.summary["n_chunks"]["reused"] == 4
    assert again.histograms["toy"]["seeds"] == whole.histograms["toy"]["seeds"]


def test_merged_jobs_are_normalised_together(config, samples, tmp_path):
    whole, _ = finished(sample(config, "Runs:sumw"))
    folders = []
    for number, (path, _) in enumerate(samples):
        content = sample(config, "Runs:sumw", name=f"job{number}")
        content["datasets"]["toy"]["files"] = {path: "Events"}
        folders.append(run(parse_config(content)).directory)
    together = merge(folders, tmp_path / "merged")
    own, all_of_them = (each.summary["datasets"]["toy"]["normalisation"] for each in (together, whole))
    assert own == all_of_them
    assert together.histograms["toy"]["seeds"] == whole.histograms["toy"]["seeds"]
    summary = json.loads((folders[0] / "summary.json").read_text())
    del summary["datasets"]["toy"]["normalisation"]
    write_summary(folders[0], summary)
    with pytest.raises(ValueError, match=r"summary.json does not say how 'toy' is normalised: run its command"):
        merge(folders, tmp_path / "merged", restart=True)


def test_a_part_of_a_sample_is_not_normalised(config):
    content = sample(config, "genWeight")
    part = run(parse_config(content), max_events=50)
    del content["datasets"]["toy"]["cross_section"], content["datasets"]["toy"]["sum_of_weights"]
    plain = run(
        parse_config({**content, "output": {**content["output"], "directory": f"{part.directory}-plain"}}),
        max_events=50,
    )
    assert "not all entries" in part.summary["datasets"]["toy"]["normalisation"]["reason"]
    assert part.histograms["toy"]["seeds"] == plain.histograms["toy"]["seeds"]


def test_a_sample_of_which_a_chunk_was_lost_is_not_normalised(config, write_root):
    cells = np.zeros((10, 6, 8))
    cells[:, 2, 3] = 8
    cells[7, 0, 0] = np.nan
    file = write_root("damaged.root", {"Events": {"cells": cells, "genWeight": np.ones(10)}})
    content = sample(config, "genWeight", run={"chunksize": 5, "on_bad_file": "skip"})
    content["datasets"]["toy"]["files"] = {file: "Events"}
    result = run(parse_config(content))
    assert [(loss["start"], loss["n_entries"]) for loss in result.losses] == [(5, 5)]
    assert "not all entries" in result.summary["datasets"]["toy"]["normalisation"]["reason"]
    assert result.histograms["toy"]["seeds"].values().tolist() == [*[0] * 8, 5]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("genWeigth", "sum_of_weights: 'Events' .* has no branch 'genWeigth'"),
        (
            "Runs.sumw",
            "sum_of_weights: 'Events' .* no branch 'Runs.sumw': write TREE:BRANCH for one",
        ),
        ("Runs:sum", "sum_of_weights: 'Runs' .* no branch 'sum'"),
        ("Runz:sumw", "sum_of_weights: .* no tree 'Runz'"),
    ],
)
def test_a_branch_that_is_not_there_is_one_line_before_anything_is_processed(config, name, words):
    content = sample(config, name)
    with pytest.raises(ConfigError, match=words):
        check_inputs(parse_config(content))
    with pytest.raises(ValueError, match=words) as error:
        run(parse_config(content))
    assert "\n" not in str(error.value)
    assert not [*Path(content["output"]["directory"]).rglob("*.parquet")]


@pytest.mark.parametrize(
    ("weights", "held"),
    [
        ([1.0, np.nan], "nan"),
        ([np.inf, 1.0], "inf"),
        (["1.0", "2.0"], "<U3"),
        ([[1.0], [-np.inf, 2.0]], "-inf"),
    ],
)
def test_weights_that_are_no_finite_numbers_do_not_normalise(config, tmp_path, weights, held):
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        file.mkrntuple("Runs", {"sumw": ak.Array(weights)})
    words = f"sum_of_weights: 'sumw' in 'Runs' of {path} holds {held}, expected finite numbers"
    with pytest.raises(ValueError, match=words):
        sum_of_weights(parse_config(sample(config, "Runs:sumw")), "toy", [InputFile(str(path), "Events")])


def test_a_damaged_tree_of_weights_is_named(config, samples, tmp_path):
    path, content = tmp_path / "a.root", bytearray(Path(samples[0][0]).read_bytes())
    with uproot.open(samples[0][0]) as file:
        branch = file["Runs"]["sumw"]
        start, n_bytes = (branch.member(name)[0] for name in ("fBasketSeek", "fBasketBytes"))
    content[start : start + n_bytes] = bytes(n_bytes)
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"a\.root: cannot be read as a ROOT file") as error:
        sum_of_weights(parse_config(sample(config, "Runs:sumw")), "toy", [InputFile(str(path), "Events")])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"cross_section": "2 pb"}, "sum_of_weights: missing"),
        ({"cross_section": "2 GeV", "sum_of_weights": "w"}, "'2 GeV' is not a cross section"),
        ({"cross_section": -1, "sum_of_weights": "w"}, "cross_section"),
        ({"cross_section": 1, "sum_of_weights": "w"}, "there is no luminosity to normalise to"),
    ],
)
def test_half_a_normalisation_is_refused(config, more, words):
    content = config()
    content["datasets"]["toy"] |= more
    with pytest.raises(ConfigError, match=words):
        parse_config(content)


@pytest.mark.parametrize(
    ("text", "picobarn"), [("830 pb", 830), ("0.83 nb", 830), ("1 fb", 1e-3), ("2 ub", 2e6), (" 5pb ", 5)]
)
def test_cross_sections(text, picobarn):
    assert parse_cross_section(text) == picobarn


@pytest.mark.parametrize(
    ("text", "inverse_picobarn"),
    [("59.8 /fb", 59800), ("140 fb^-1", 140000), ("3 pb-1", 3), ("2 /ab", 2e6), (7, 7)],
)
def test_luminosities(text, inverse_picobarn):
    assert parse_luminosity(text) == inverse_picobarn


def test_weights_of_a_tree_count_once_for_several_trees_of_events_in_its_file(config, samples, tmp_path):
    events = samples[0][1]
    with uproot.recreate(tmp_path / "two.root") as file:
        for name, part in (("Early", slice(0, 20)), ("Late", slice(20, 60))):
            file[name] = {key: each[part] for key, each in events.items() if key not in ("bits", "word")}
        file["Runs"] = {"sumw": np.array([7.0, 4.0])}
    content = sample(config, "Runs:sumw")
    path = str(tmp_path / "two.root")
    content["datasets"]["toy"]["files"] = [{path: "Early"}, {path: "Late"}]
    result, written = finished(content)
    assert len(written) == 60
    assert result.summary["datasets"]["toy"]["normalisation"]["sum_of_weights"] == 11
    spelled = [(path, "Early"), (f"{tmp_path}/../{tmp_path.name}/two.root", "Late")]
    assert sum_of_weights(parse_config(content), "toy", [InputFile(*each) for each in spelled]) == 11
    for place, name in spelled:
        content = sample(config, "Runs:sumw", name=name)
        content["datasets"]["toy"]["files"] = {place: name}
        finished(content)
    with pytest.raises(ConfigError, match=r"both summed the weights in Runs of .*two\.root: run one job"):
        merge([tmp_path / "Early", tmp_path / "Late"], tmp_path / "merged")
    content = sample(config, "genWeight", name="own")
    content["datasets"]["toy"]["files"] = [{path: "Early"}, {path: "Late"}]
    result, _ = finished(content)
    own = result.summary["datasets"]["toy"]["normalisation"]["sum_of_weights"]
    assert own == pytest.approx(events["genWeight"].sum())


def test_weights_of_another_file_than_was_processed_do_not_normalise(config, samples, tmp_path, monkeypatch):
    """It is replaced after its last chunk, before its weights are summed; size and time are the same."""
    paths = [tmp_path / Path(path).name for path, _ in samples]
    for path, (original, _) in zip(paths, samples, strict=True):
        shutil.copy(original, path)
    content = sample(config, "Runs:sumw")
    content["datasets"]["toy"]["files"] = {str(path): "Events" for path in paths}

    def late(*arguments):
        state, uuid = paths[1].stat(), bytes.fromhex(file_uuid(str(paths[1])))
        paths[1].write_bytes(paths[1].read_bytes().replace(uuid, uuid[::-1]))
        os.utime(paths[1], ns=(state.st_atime_ns, state.st_mtime_ns))
        return sum_of_weights(*arguments)

    monkeypatch.setattr(job_run, "sum_of_weights", late)
    with pytest.raises(
        RuntimeError, match=r"1\.root has changed while the job ran: run the same command again"
    ):
        run(parse_config(content))
    assert not (tmp_path / "results/summary.json").exists()
