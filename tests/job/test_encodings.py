"""Ids of cells whose encoding stands in the files: all files of a job must agree."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.run import dry_run, run
from hep_peaksum.preview.check import check_inputs

ENCODING = "system:4,eta:-4,phi:4"
IDS = ak.Array([[0x01F0, 0x0100, 0x0200], [0x03E0], [0x0000]])
ENERGIES = ak.Array([[5.0, 1, 2], [3], [4]])
CELLS = [{(1, -1): 5, (1, 0): 1, (2, 0): 2}, {(3, -2): 3}, {(0, 0): 4}]


def podio_file(write_root, name, encoding, collection="Hits"):
    """Write events with ids, and the tree in which podio keeps the encodings of a file."""
    metadata = {
        "GPStringKeys": ak.Array([["other", f"{collection}__CellIDEncoding"]]),
        "GPStringValues": ak.Array([[["a", "b"], [encoding]]]),
    }
    ids = ak.values_astype(IDS, np.uint64)
    trees = {"events": {"id": ids, "e": ENERGIES + len(name)}, "metadata": metadata}
    return write_root(name, trees, rntuple=True)


def config(tmp_path, *paths, encoding=None):
    ids = {"bits": "id", "encoding": encoding or {"from_file": "Hits"}}
    hits = {"row": {**ids, "field": "phi"}, "col": {**ids, "field": "eta"}, "value": "e"}
    return parse_config(
        {
            "datasets": {"toy": {"files": dict.fromkeys(paths, "events")}},
            "grids": {"calo": {"hits": hits, "rows": {"n": 4, "periodic": True}, "cols": {"labels": "-2..1"}}},
            "clusters": {"Jet": {"grid": "calo", "search_window": [1, 1], "sum_window": [1, 1]}},
            "output": {"directory": str(tmp_path / "results"), "plots": False},
        }
    )


def found(directory):
    """Return what the parts of a job hold: (row, col) -> sum of every event."""
    events = ak.concatenate([ak.from_parquet(path) for path in sorted(Path(directory).rglob("part-*.parquet"))])
    columns = [events[f"Jet_{word}"].to_list() for word in ("row", "col", "peak_sum")]
    return [{(r, c - 2): e for r, c, e in zip(*event, strict=True)} for event in zip(*columns, strict=True)]


def test_ids_are_decoded_as_their_files_say(write_root, tmp_path):
    job = config(tmp_path, podio_file(write_root, "one.root", ENCODING))
    assert check_inputs(job)[:2] == ([], [])
    run(job)
    assert found(tmp_path / "results") == [{place: e + 8 for place, e in each.items()} for each in CELLS]


def test_files_that_encode_ids_differently_are_no_job(write_root, tmp_path):
    files = [
        podio_file(write_root, "a.root", ENCODING),
        podio_file(write_root, "bb.root", "system:8,eta:-4,phi:4"),
    ]
    expected = (
        f"datasets.toy.files: the ids of Hits are '{ENCODING}' in {files[0]}, and 'system:8,eta:-4,phi:4' in "
        f"{files[1]}: leave out one of the files, or make a job for each encoding"
    )
    for start in (run, dry_run):
        with pytest.raises(ConfigError) as caught:
            start(config(tmp_path, *files))
        assert list(caught.value.problems) == [expected]
    assert not list((tmp_path / "results").rglob("*.parquet"))


def test_a_job_that_goes_on_with_another_encoding_is_refused(write_root, tmp_path):
    first = podio_file(write_root, "a.root", ENCODING)
    run(config(tmp_path, first))
    second = podio_file(write_root, "bb.root", "system:8,eta:-4,phi:4")
    with pytest.raises(ConfigError, match="the ids of Hits are"):
        run(config(tmp_path, first, second))


def test_a_file_without_the_encoding_is_named(write_root, tmp_path):
    path = podio_file(write_root, "a.root", ENCODING, collection="Towers")
    with pytest.raises(ConfigError) as caught:
        check_inputs(config(tmp_path, path))
    (line,) = caught.value.problems
    assert line.endswith("the tree 'metadata' has no encoding of 'Hits'; there are Towers")
    with pytest.raises(Exception, match=r"a.root.*has no encoding of 'Hits'; there are Towers"):
        run(config(tmp_path, path))


def test_a_field_that_the_files_do_not_have_is_named_with_its_key(write_root, tmp_path):
    path = podio_file(write_root, "a.root", "system:4,theta:-4,phi:4")
    with pytest.raises(ConfigError) as caught:
        check_inputs(config(tmp_path, path))
    (line,) = caught.value.problems
    assert line.startswith(f"grids.calo.hits.col: {path}: id, e: col: no field 'eta' (did you mean 'theta'?)")
