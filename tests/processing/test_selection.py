"""Selected events, cut flows and weights of whole jobs, against plain loops over the arrays of the files."""

import json

import awkward as ak
import numpy as np
import pytest
import uproot
from selected_jobs import all_events, finished, jets_of

from hep_peaksum import block_sizes
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError

GOOD = {"10": [[1, 2], [5, 5]], "11": [[4, 4]]}


def is_good(samples):
    """Return which events lie in a good luminosity block, one by one."""
    pairs = zip(all_events(samples, "run"), all_events(samples, "luminosityBlock"), strict=True)
    return np.array([any(a <= lumi <= b for a, b in GOOD.get(str(run), [])) for run, lumi in pairs])


def is_odd(events):
    """Return which events have an odd number."""
    return np.asarray(events.event) % 2 == 1


@pytest.fixture
def conditions(samples, tmp_path):
    """Return conditions with the events that pass each by itself, worked out by hand."""
    path = tmp_path / "golden.json"
    path.write_text(json.dumps(GOOD))
    x, word = all_events(samples, "hodo_x"), all_events(samples, "word")
    bits = [each.tolist() for _, arrays in samples for each in arrays["bits"]]
    return {
        "range": ({"branch": "hodo_x", "min": -3, "below": 2}, (x >= -3) & (x < 2)),
        "absolute": ({"branch": "hodo_x", "abs_max": 2.5}, np.abs(x) <= 2.5),
        "one of": ({"branch": "word", "in": [1, 5, 9]}, np.isin(word, [1, 5, 9])),
        "none of": ({"branch": "word", "not_in": [1, 5, 9]}, ~np.isin(word, [1, 5, 9])),
        "bit": ({"branch": "word", "bit": 2}, word & 4 > 0),
        "element": (
            {"branch": "bits[1]", "equals": True},
            np.array([len(each) > 1 and each[1] for each in bits]),
        ),
        "any": (
            {"any": [{"branch": "word", "bit": 3}, {"branch": "hodo_x", "above": 4}]},
            (word & 8 > 0) | (x > 4),
        ),
        "lumi mask": ({"lumi_mask": str(path)}, is_good(samples)),
        "function": (f"{__name__}:is_odd", all_events(samples, "event") % 2 == 1),
        "other dataset": ({"branch": "hodo_x", "above": 99, "datasets": ["other"]}, np.ones(len(x), bool)),
    }


NAMES = ["range", "absolute", "one of", "none of", "bit", "element", "any", "lumi mask", "other dataset"]


@pytest.mark.parametrize("name", NAMES)
def test_a_condition_keeps_the_events_that_meet_it(config, samples, conditions, name):
    condition, passed = conditions[name]
    content = config(events={"where": [condition]})
    content["datasets"]["other"] = {"files": {samples[0][0]: "Events"}}
    result, events = finished(content)
    assert events.event.to_list() == all_events(samples, "event")[passed].tolist()
    assert events.Jet_peak_sum.to_list() == jets_of(samples).peak_sum[passed].to_list()
    assert result.histograms["toy"]["cutflow"].values().tolist() == [len(passed), passed.sum()]
    assert result.summary["datasets"]["toy"]["n_written"] == passed.sum()
    assert result.summary["datasets"]["toy"]["n_events"] == len(passed)


def test_conditions_are_counted_in_their_order(config, samples, conditions):
    names = ["range", "bit", "lumi mask"]
    result, events = finished(config(events={"where": [conditions[name][0] for name in names]}))
    left = [np.ones(120, bool)]
    for name in names:
        left.append(left[-1] & conditions[name][1])
    assert result.histograms["toy"]["cutflow"].values().tolist() == [each.sum() for each in left]
    assert [*result.histograms["toy"]["cutflow"].axes["step"]][1] == "1: hodo_x min -3, below 2"
    assert len(events) == left[-1].sum()


def test_a_condition_on_clusters_is_decided_after_the_search(config, samples, conditions):
    late, elsewhere = {"field": "nJet", "min": 4}, {"field": "nJet", "min": 99, "datasets": ["other"]}
    content = config(events={"where": [conditions["range"][0], late, elsewhere]})
    content["datasets"]["other"] = {"files": {samples[0][0]: "Events"}}
    result, events = finished(content)
    early, n_jets = conditions["range"][1], np.asarray(ak.num(jets_of(samples)))
    both = early & (n_jets >= 4)
    cut_flow = result.histograms["toy"]["cutflow"].values().tolist()
    assert cut_flow == [120, early.sum(), both.sum(), both.sum()]
    assert events.event.to_list() == all_events(samples, "event")[both].tolist()
    seeds = ak.flatten(jets_of(samples).seed[both])
    assert result.histograms["toy"]["seeds"].values().tolist() == np.bincount(seeds, minlength=9).tolist()


@pytest.mark.parametrize("n_read", [7, 120])
@pytest.mark.parametrize(
    ("early", "others"),
    [
        (["bit"], ["range"]),
        ([], ["function"]),
        (["range"], ["function", "bit"]),
        ([], ["lumi mask", "element"]),
        (["bit"], ["lumi mask", "function"]),
    ],
)
def test_one_of_several_conditions_may_be_of_clusters(
    config, samples, conditions, monkeypatch, early, others, n_read
):
    monkeypatch.setattr(block_sizes, "READ_CELLS", 48 * n_read)
    monkeypatch.setattr(block_sizes, "BATCH_ITEMS", 5)
    mixed = {"any": [*(conditions[name][0] for name in others), {"field": "nJet", "min": 5}]}
    where = [*(conditions[name][0] for name in early), mixed, {"field": "Jet.peak_sum", "min": 55}]
    result, events = finished(config(events={"where": where}, run={"executor": "iterative"}))
    left, jets = [120], jets_of(samples).peak_sum.to_list()
    passed = [*range(120)]
    for name in early:
        passed = [k for k in passed if conditions[name][1][k]]
        left.append(len(passed))
    passed = [k for k in passed if len(jets[k]) >= 5 or any(conditions[name][1][k] for name in others)]
    left.append(len(passed))
    passed = [k for k in passed if max(jets[k], default=0) >= 55]
    left.append(len(passed))
    assert sorted(left, reverse=True) == left
    assert len({*left}) == len(left)
    assert result.histograms["toy"]["cutflow"].values().tolist() == left
    assert events.event.to_list() == all_events(samples, "event")[passed].tolist()
    assert events.Jet_peak_sum.to_list() == [jets[k] for k in passed]


def test_the_nth_highest_of_a_field_decides(config, samples):
    where = [{"field": "Jet.peak_sum", "nth": 2, "min": 40}]
    _, events = finished(config(events={"where": where}))
    passed = [
        sorted(each)[-2] >= 40 if len(each) > 1 else False for each in jets_of(samples).peak_sum.to_list()
    ]
    assert events.event.to_list() == all_events(samples, "event")[np.array(passed)].tolist()


@pytest.mark.parametrize("fill_dead", [{}, {"fill_dead": "neighbours"}])
def test_no_event_passing_is_no_matter_for_a_cell_table(config, samples, tmp_path, fill_dead):
    """Chunks of which nothing, some or all is kept."""
    rows = [f"{row},{col},2,{int(row == col == 1)}" for row in range(6) for col in range(8)]
    (tmp_path / "table.csv").write_text("\n".join(["row,col,gain,status", *rows]))
    grid = {**config()["grids"]["calo"], "cells": str(tmp_path / "table.csv"), **fill_dead}
    where = [{"branch": "event", "min": 1030}, {"branch": "event", "max": 1044}]
    content = config(grids={"calo": grid}, events={"where": where}, run={"chunksize": 10})
    content["grids"]["calo"]["rows"], content["grids"]["calo"]["cols"] = {"n": 6}, {"n": 8}
    result, events = finished(content)
    assert events.event.to_list() == [*range(1030, 1045)]
    assert result.summary["n_chunks"]["total"] == 12


def test_no_event_passing_is_a_result_like_any_other(config):
    result, events = finished(config(events={"where": [{"branch": "hodo_x", "above": 1000}]}))
    assert len(events) == 0
    assert {"run", "event", "nJet", "Jet_peak_sum"} <= set(events.fields)
    assert result.histograms["toy"]["cutflow"].values().tolist() == [120, 0]


@pytest.mark.parametrize("chunksize", [7, 60])
def test_chunks_do_not_change_what_is_selected(config, samples, conditions, chunksize):
    where = [conditions["range"][0], {"field": "nJet", "min": 4}]
    whole, one = finished(config(events={"where": where, "weight": {"gen": "genWeight"}}))
    parts, other = finished(
        config("parts", events={"where": where, "weight": {"gen": "genWeight"}}, run={"chunksize": chunksize})
    )
    assert one.to_list() == other.to_list()
    for name in ("cutflow", "cutflow_entries", "seeds"):
        first, second = (each.histograms["toy"][name] for each in (whole, parts))
        np.testing.assert_allclose(first.values(), second.values(), rtol=1e-12)


def test_weights_are_multiplied_and_fill_everything(config, samples):
    content = config(events={"weight": {"gen": "genWeight", "two": 2}, "where": [{"branch": "word", "bit": 0}]})
    result, events = finished(content)
    passed = all_events(samples, "word") & 1 > 0
    weights = 2 * all_events(samples, "genWeight")
    assert events.weight.to_list() == weights[passed].tolist()
    cut_flow = result.histograms["toy"]["cutflow"]
    np.testing.assert_allclose(cut_flow.values(), [weights.sum(), weights[passed].sum()], rtol=1e-12)
    np.testing.assert_allclose(cut_flow.variances(), [(weights**2).sum(), (weights[passed] ** 2).sum()])
    assert result.histograms["toy"]["cutflow_entries"].values().tolist() == [120, passed.sum()]
    seeds = jets_of(samples).seed[passed]
    of_seeds = np.repeat(weights[passed], ak.num(seeds))
    expected = np.bincount(ak.flatten(seeds), weights=of_seeds, minlength=9)
    filled = result.histograms["toy"]["seeds"]
    np.testing.assert_allclose(filled.values(), expected, rtol=1e-12)
    squares = np.bincount(ak.flatten(seeds), weights=of_seeds**2, minlength=9)
    np.testing.assert_allclose(filled.variances(), squares, rtol=1e-12)


def test_selected_events_of_a_returned_result_are_the_same(config, samples, conditions):
    from hep_peaksum.job.processor import PeakSumProcessor

    content = config(events={"where": [conditions["bit"][0], f"{__name__}:is_odd"]})
    del content["datasets"], content["output"]
    arrays = {name: ak.concatenate([each[name] for _, each in samples]) for name in samples[0][1]}
    found = PeakSumProcessor(**content).find(ak.zip(arrays, depth_limit=1))
    passed = conditions["bit"][1] & conditions["function"][1]
    assert found.events.event.to_list() == arrays["event"][passed].to_list()
    assert found.events.Jet.peak_sum.to_list() == jets_of(samples).peak_sum[passed].to_list()


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ([{"branch": "bits", "equals": True}], "'bits' has several values for every event: name an element"),
        (
            [{"branch": "cells", "above": 1}],
            "'cells' has lists of lists for every event, and a ",
        ),
        (
            [{"branch": "cells[0]", "above": 1}],
            "'cells' has lists of lists for every event",
        ),
        ([{"branch": "hodo_x", "bit": 1}], "'hodo_x' holds float64, expected whole numbers"),
        (["nowhere:good"], "nowhere:good cannot be imported"),
        ([{"lumi_mask": "absent.json"}], "lumi_mask: there is no file 'absent.json' .seen from "),
    ],
)
def test_what_cannot_be_decided_is_one_line(config, where, words):
    with pytest.raises(Exception, match=words):
        finished(config(events={"where": where}))


@pytest.mark.parametrize("given", [{}, {"run": "run"}], ids=["no event", "named"])
def test_a_lumi_mask_takes_no_number_of_a_file_for_a_run(config, samples, tmp_path, given):
    """Without all three branches events are numbered by dataset, file and entry: 1 would be run 1."""
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        file["Events"] = {key: each for key, each in samples[0][1].items() if key in ("cells", "run", "word")}
    (tmp_path / "good.json").write_text('{"1": [[1, 9]]}')
    content = config(events={"where": [{"lumi_mask": str(tmp_path / "good.json")}], "identify": given})
    content["datasets"]["toy"]["files"] = {str(path): "Events"}
    words = (
        "no branch 'luminosityBlock'.* name the branch"
        if given
        else ("lumi_mask: events have no luminosityBlock, event, only numbers of file and entry: name branches")
    )
    with pytest.raises(RuntimeError, match=words):
        finished(content)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (
            [{"branch": "word", "bit": 0}, {"field": "nJet", "min": 1}, {"branch": "word", "bit": 1}],
            "events.where: 'word bit 1' comes after 'nJet",
        ),
        ([{"field": "nJets", "min": 1}], "events.where.0.field: 'nJets' is neither a sum"),
        ([{"field": "Jet.pz", "min": 1}], "events.where.0.field: "),
        ([{"branch": "word"}], "'word' is compared with nothing"),
        ([{"branch": "word", "lumi_mask": "a"}], "a condition has one of"),
        ([{"any": []}], "any: no condition is given"),
        ([{"branch": "word", "mim": 3}], "unknown key"),
    ],
)
def test_what_is_wrong_with_a_condition_is_said_before(config, where, words):
    with pytest.raises(ConfigError, match=words):
        parse_config(config(events={"where": where}))


def test_the_summary_and_the_terminal_say_what_every_condition_left(config, conditions, capsys):
    from rich.console import Console

    from hep_peaksum.terminal.job_tables import print_result

    where = [conditions["range"][0], {"field": "nJet", "min": 4}]
    result, events = finished(config(events={"where": where}))
    early = conditions["range"][1].sum()
    flow = result.summary["datasets"]["toy"]["cut_flow"]["nominal"]
    assert [step["entries"] for step in flow] == [120, early, len(events)]
    print_result(Console(width=100), result)
    shown = capsys.readouterr().out
    assert "toy: left after" in shown
    assert f"1: hodo_x min -3, below 2   {early}" in shown
    assert "2: nJet min 4" in shown


def ratio(clusters):
    """Return 0 / 0 for the clusters of column 0, and their sum for the others."""
    return ak.where(clusters.col == 0, np.nan, clusters.peak_sum)


@pytest.mark.parametrize(("test", "alone"), [({"min": 40}, False), ({"max": 42}, True)])
def test_a_cluster_without_a_number_is_not_the_highest(config, samples, test, alone):
    content = config(
        derive={"Jet": {"other": f"{__name__}:ratio"}},
        events={"where": [{"field": "Jet.other", **test}]},
    )
    _, events = finished(content)
    jets = jets_of(samples)
    sums = [[each for each in event if not np.isnan(each)] for event in ratio(jets).to_list()]
    passed = [max(each) >= 40 if "min" in test else max(each) <= 42 for each in sums if each]
    kept = np.array([passed.pop(0) if each else alone for each in sums])
    assert 0 < kept.sum() < len(kept)
    assert events.event.to_list() == all_events(samples, "event")[kept].tolist()


def test_a_job_whose_events_are_all_cut_says_so(config):
    result, events = finished(config(events={"where": [{"branch": "hodo_x", "above": 1e9}]}))
    assert len(events) == 0
    assert result.summary["hints"] == [
        "toy: not a single event passes events.where, from '1: hodo_x above 1000000000.0' on"
    ]
