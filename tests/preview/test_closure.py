"""`closure` on a small file: objects with and without clusters, and errors of a reference."""

import awkward as ak
import numpy as np
import pytest
from event_files import event_index

from hep_peaksum import block_sizes
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.preview.check import check_inputs
from hep_peaksum.preview.closure import Mismatch, closure, reference_places
from hep_peaksum.results.manifest import fingerprint

CELLS = np.array([[[0, 0, 0], [0, 5, 1], [0, 0, 0]], [[4, 0, 0], [0, 0, 0], [0, 0, 0]], np.zeros((3, 3))], "f4")
REFERENCE = {"row": "irow", "col": "icol", "sum": "total"}


@pytest.fixture
def toy(write_root):
    """Return a function that writes files of three events (3 x 3 cells, objects) and returns their config."""

    def config(reference=REFERENCE, n_files=1, **branches):
        objects = {
            "irow": [[1, 0], [], [2]],
            "icol": [[1, 7], [], [2]],
            "total": [[6.0, 1.0], [], [3.0]],
            "bx": [[0, 0], [], [1]],
            **branches,
        }
        tree = {"cells": CELLS, **{name: ak.Array(values) for name, values in objects.items()}}
        files = [write_root(f"toy-{n}.root", {"Events": tree}) for n in range(n_files)]
        return parse_config(
            {
                "datasets": {"toy": {"files": dict.fromkeys(files, "Events")}},
                "grids": {"calo": {"dense": {"branch": "cells", "shape": [3, 3]}}},
                "clusters": {
                    "Mine": {"grid": "calo", **({} if reference is None else {"reference": reference})},
                    "Other": {"grid": "calo"},
                },
                "output": {"directory": "results"},
            }
        )

    return config


def counts(result):
    return result.n_references, result.n_matched, result.n_sum_expected, result.n_equal_sums, result.n_extra


def test_objects_are_matched_in_their_cell(toy):
    (name, result), *others = closure(toy()).items()
    assert (name, others) == ("Mine", [])
    assert counts(result) == (3, 1, 3, 1, 1)
    assert result.missed == [Mismatch(0, 0, -1, 1.0, None), Mismatch(2, 2, 2, 3.0, None)]
    assert result.extra == [Mismatch(1, 0, 0, None, 4.0)]
    assert result.different_sums == []


def test_places_of_objects_are_the_centres_of_their_towers_in_cells(toy, write_root):
    """Of towers of 3 x 1 cells there are 1 x 3; what lies outside in rows or columns has no place."""
    config = toy(irow=[[0, 0], [1], [0, -1]], icol=[[0, 3], [2], [2, 0]], total=[[1, 2], [3], [4, 5]])
    content = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    content["clusters"]["Mine"] = {"grid": "calo", "coarsen": [3, 1], "reference": REFERENCE}
    config = parse_config(content)
    events = event_index(*config.datasets["toy"].files.popitem()[:1])
    ((name, grid, places),) = reference_places(config, events)
    assert (name, grid, places.tolist()) == ("Mine", "calo", [[1, 0], [1, 2]])


def test_an_object_outside_in_columns_is_not_in_the_last_cell_of_the_row_before(toy):
    """Its column is -1: as a number, row 2 and column -1 would be row 1 and column 2, where a cluster is."""
    place = {"irow": [[2], [], []], "icol": [[7], [], []], "total": [[6.0], [], []], "bx": [[0], [], []]}
    cells = CELLS.copy()
    cells[0] = [[0, 0, 0], [0, 1, 5], [0, 0, 0]]
    result = closure(toy(cells=cells, **place))["Mine"]
    assert counts(result) == (1, 0, 1, 0, 2)
    assert result.missed == [Mismatch(0, 2, -1, 6.0, None)]


def test_events_are_not_mixed(toy):
    result = closure(toy(irow=[[], [1], []], icol=[[], [1], []], total=[[], [6.0], []], bx=[[], [0], []]))[
        "Mine"
    ]
    assert counts(result) == (1, 0, 1, 0, 2)


def test_different_sums_are_listed(toy):
    result = closure(toy(total=[[6.5, 1.0], [], [3.0]]))["Mine"]
    assert counts(result) == (3, 1, 3, 0, 1)
    assert result.different_sums == [Mismatch(0, 1, 1, 6.5, 6.0)]


def test_entries_are_counted_through_the_files(toy):
    result = closure(toy(n_files=2))["Mine"]
    assert counts(result) == (6, 2, 6, 2, 2)
    assert result.n_events == 6
    assert [each.event for each in result.missed] == [0, 2, 3, 5]
    assert closure(toy(n_files=2), max_events=4)["Mine"].n_events == 4


def test_objects_and_sums_are_selected_by_branches(toy):
    assert counts(closure(toy({**REFERENCE, "where": {"bx": 0}}))["Mine"]) == (2, 1, 2, 1, 1)
    assert counts(closure(toy({**REFERENCE, "sum_where": {"bx": 1}}))["Mine"]) == (3, 1, 1, 0, 1)
    assert counts(closure(toy({**REFERENCE, "where": {"bx": 0, "total": 6}}))["Mine"]) == (1, 1, 1, 1, 1)
    assert counts(closure(toy({**REFERENCE, "where": {"total": 6, "bx": 1}}))["Mine"])[0] == 0
    both = {**REFERENCE, "where": {"bx": 0}, "sum_where": {"total": 6}}
    assert counts(closure(toy(both))["Mine"]) == (2, 1, 1, 1, 1)


def test_events_without_objects_or_clusters(toy):
    none = [[], [], []]
    empty = {"irow": ak.values_astype(none, "i4"), "icol": ak.values_astype(none, "i4")}
    result = closure(toy(**empty, total=ak.values_astype(none, "f4")))["Mine"]
    assert counts(result) == (0, 0, 0, 0, 2)


@pytest.mark.parametrize(("dataset", "named"), [("toy", "toy"), (None, "the dataset")])
def test_a_dataset_without_entries_is_nothing_to_compare(toy, dataset, named):
    empty = dict.fromkeys(("irow", "icol", "total", "bx"), ak.values_astype([[]], "i4")[:0])
    with pytest.raises(ValueError, match=f"^nothing to compare: {named} has no entries$"):
        closure(toy(cells=CELLS[:0], **empty), dataset)


def test_errors_of_a_reference_name_the_branch(toy):
    with pytest.raises(ValueError, match="nothing to compare with: none of Mine, Other has a reference"):
        closure(toy(None))
    with pytest.raises(ValueError, match="the branch 'cells' has 2 axes per event, expected a list"):
        closure(toy({**REFERENCE, "sum": "cells"}))
    with pytest.raises(ConfigError, match=r"no branch 'totl' \(did you mean 'total'\?\)"):
        check_inputs(toy({**REFERENCE, "sum": "totl"}))
    with pytest.raises(
        ConfigError, match=r"clusters.Mine.reference.summ: unknown key \(did you mean 'sum'\?\)"
    ):
        toy({**REFERENCE, "summ": "total"})
    with pytest.raises(ConfigError, match=r"clusters\.Mine\.reference\.where\.bx"):
        toy({**REFERENCE, "where": {"bx": True}})


@pytest.mark.parametrize("n_cells", [9, 9000], ids=["an_event_at_a_time", "all_events_at_once"])
def test_the_entry_of_a_wrong_reference_is_that_of_the_file(toy, monkeypatch, n_cells):
    monkeypatch.setattr(block_sizes, "READ_CELLS", n_cells)
    with pytest.raises(ValueError, match=r"^entry 2: reference: 2 values of 'irow' but 1 of 'icol'"):
        closure(toy(irow=[[1, 0], [], [2, 2]]))


def test_a_reference_does_not_change_the_job(toy):
    assert fingerprint(toy()) == fingerprint(toy(None))
    assert "'reference'" not in str(toy().job())


def test_a_collection_with_a_reference_needs_a_single_grid(toy):
    content = toy().model_dump(mode="json", by_alias=True, exclude_none=True)
    content["grids"]["again"] = content["grids"]["calo"]
    content["clusters"]["Mine"]["grid"] = ["calo", "again"]
    with pytest.raises(
        ConfigError, match=r"clusters.Mine.reference: row and col do not say which of several grids"
    ):
        parse_config(content)
