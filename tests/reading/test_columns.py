"""Grids from branches: every layout in which calorimeters are stored, through coffea, chunk by chunk."""

import re

import awkward as ak
import numpy as np
import pytest
import uproot
from event_files import CELLS, COLS, DEEP, JAGGED, LAYERS, PLANE, ROWS, N, event_index, read

from hep_peaksum.geometry.grid import EventError
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.reading.blocks import ranges
from hep_peaksum.reading.hit_columns import GridColumns, grid_columns

NESTED = ak.Array(CELLS.astype("f4").tolist())
DENSE = [
    pytest.param(CELLS, {"branch": "x"}, CELLS, id="rows_x_cols"),
    pytest.param(CELLS.reshape(N, -1), {"branch": "x"}, CELLS, id="flat"),
    pytest.param(
        np.ascontiguousarray(CELLS.swapaxes(1, 2)),
        {"branch": "x", "axes": ["col", "row"]},
        CELLS,
        id="phi_first",
    ),
    pytest.param(DEEP, {"branch": "x", "axes": ["layer", "row", "col"]}, DEEP, id="layers_untold"),
    pytest.param(
        DEEP.reshape(N, -1),
        {"branch": "x", "shape": [LAYERS, ROWS, COLS], "axes": ["layer", "row", "col"]},
        DEEP,
        id="flat_layers",
    ),
    pytest.param(
        np.ascontiguousarray(DEEP.transpose(0, 3, 2, 1)),
        {"branch": "x", "shape": [COLS, ROWS, LAYERS], "axes": ["col", "row", "layer"]},
        DEEP,
        id="layers_fastest",
    ),
]


@pytest.mark.parametrize("rntuple", [False, True], ids=["ttree", "rntuple"])
@pytest.mark.parametrize(("stored", "dense", "expected"), DENSE)
def test_a_fixed_branch_is_read_in_the_order_of_its_axes(write_root, stored, dense, expected, rntuple):
    path = write_root("a.root", {"Events": {"x": stored.astype("f4")}}, rntuple=rntuple)
    cells, n_outside = read(path, {"dense": dense, **PLANE})
    assert cells.dtype == np.float32
    assert cells.tolist() == expected.tolist()
    assert n_outside == 0


@pytest.mark.parametrize("rntuple", [False, True], ids=["ttree", "rntuple"])
@pytest.mark.parametrize("dtype", ["i2", "u2", "?", "f8", "i4", "u1", "i8"])
def test_every_type_of_number_is_read_as_it_is(write_root, dtype, rntuple):
    stored = CELLS.astype(dtype)
    path = write_root("a.root", {"Events": {"x": stored}}, rntuple=rntuple)
    cells, _ = read(path, {"dense": {"branch": "x"}, **PLANE})
    assert cells.dtype == stored.dtype
    assert cells.tolist() == stored.tolist()


@pytest.mark.parametrize(
    ("stored", "rntuple"),
    [
        pytest.param(JAGGED, False, id="counted_array"),
        pytest.param(JAGGED, True, id="vector"),
        pytest.param(NESTED, True, id="vector_of_vectors"),
    ],
)
def test_a_branch_of_lists_that_all_have_one_length_is_a_grid(write_root, stored, rntuple):
    path = write_root("a.root", {"Events": {"x": stored}}, rntuple=rntuple)
    cells, _ = read(path, {"dense": {"branch": "x"}, **PLANE})
    assert cells.tolist() == CELLS.tolist()


def test_the_shape_of_a_branch_makes_axes_of_bare_indices(write_root):
    path = write_root("a.root", {"Events": {"x": CELLS.astype("f4")}})
    cells, _ = read(path, {"dense": {"branch": "x", "shape": [ROWS, COLS]}})
    assert cells.tolist() == CELLS.tolist()


@pytest.mark.parametrize("rntuple", [False, True], ids=["ttree", "rntuple"])
@pytest.mark.parametrize(
    "stored", [pytest.param(CELLS.astype("f4"), id="fixed"), pytest.param(JAGGED, id="lists")]
)
def test_a_tree_without_entries_gives_no_grids_of_the_right_shape(write_root, stored, rntuple):
    path = write_root("a.root", {"Events": {"x": stored[:0]}}, rntuple=rntuple)
    cells, _ = read(path, {"dense": {"branch": "x"}, **PLANE})
    assert cells.shape == (0, ROWS, COLS)


def test_a_geant4_tree_with_a_float_number_of_entries_is_read(data):
    path = data("g4B5_elec100.root")
    events = event_index(path, "B5", stop=50)
    grid = GridInput.model_validate({"dense": {"branch": "ECEnergyVector", "shape": [20, 4]}})
    cells = grid_columns(events, grid, {}).cells(10, 50)
    expected = uproot.open(path)["B5"]["ECEnergyVector"].array(entry_start=10, entry_stop=50)
    assert cells.reshape(40, 80).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("lists", "problem"),
    [
        pytest.param(
            [[[1, 2], [3, 4]]] * 2 + [[[1, 2], [3]]], "x: 1 values where the grid needs 2", id="short_row"
        ),
        pytest.param(
            [[[1, 2], [3, 4]]] * 2 + [[[1, 2]]], "x: 1 values where the grid needs 2", id="too_few_rows"
        ),
        pytest.param([[1, 2, 3, 4]] * 2 + [[1, 2, 3]], "x: 3 values where the grid needs 4", id="flat"),
        pytest.param([[1, 2, 3, 4]] * 2 + [[]], "x: 0 values where the grid needs 4", id="empty"),
    ],
)
def test_ragged_rows_are_an_error_with_branch_and_event(write_root, lists, problem):
    path = write_root("a.root", {"Events": {"x": ak.values_astype(ak.Array(lists), "f4")}}, rntuple=True)
    grid = GridInput.model_validate({"dense": {"branch": "x", "shape": [2, 2]}})
    columns = grid_columns(event_index(path), grid, {})
    assert columns.cells(0, 2).shape == (2, 2, 2)
    with pytest.raises(EventError) as error:
        columns.cells(1, 3)
    assert error.value.event == 2
    advice = "change rows, cols or shape; a branch that leaves out empty cells has hits, which need row and col"
    assert error.value.problem == f"{problem}: {advice}"


def test_a_branch_of_another_shape_is_an_error_with_both_shapes(write_root):
    path = write_root("a.root", {"Events": {"x": CELLS.astype("f4")}})
    grid = GridInput.model_validate({"dense": {"branch": "x"}, "rows": {"n": COLS}, "cols": {"n": ROWS}})
    message = re.escape("x: the array has (4, 6) cells an event, the grid needs (6, 4) (row, col)")
    with pytest.raises(ValueError, match=message):
        grid_columns(event_index(path), grid, {}).cells(0, N)


HITS = ak.Array(
    [
        [{"r": 0, "c": 0, "e": 1}, {"r": 3, "c": 5, "e": 2}],
        [],
        [{"r": 1, "c": 2, "e": 3}, {"r": 1, "c": 2, "e": 4}],  # two hits in one cell are added
        [{"r": 2, "c": 5, "e": 30_000}, {"r": 2, "c": 5, "e": 30_000}],  # more than int16 holds
        [{"r": 9, "c": 0, "e": 5}, {"r": 0, "c": 1, "e": 6}],  # one is outside
    ]
)


EXPECTED = np.zeros((5, ROWS, COLS))


for _event, _row, _col, _energy in [(0, 0, 0, 1), (0, 3, 5, 2), (2, 1, 2, 7), (3, 2, 5, 60_000), (4, 0, 1, 6)]:
    EXPECTED[_event, _row, _col] = _energy


@pytest.mark.parametrize("rntuple", [False, True], ids=["ttree", "rntuple"])
@pytest.mark.parametrize("dtype", ["i2", "i4", "f4", "f8"])
@pytest.mark.parametrize(
    ("row", "col", "axes"),
    [
        pytest.param(HITS.r, HITS.c, PLANE, id="indices"),
        pytest.param(
            HITS.r - 2 + (HITS.r >= 2),
            HITS.c + 1,
            {"rows": {"labels": "-2..-1, 1..2"}, "cols": {"labels": "1..6"}},
            id="labels",
        ),
        pytest.param(
            HITS.r * 0.5 - 0.9,
            HITS.c * 0.1 + 0.05,
            {"rows": {"bins": ROWS, "start": -1, "stop": 1}, "cols": {"bins": COLS, "start": 0, "stop": 0.6}},
            id="coordinates",
        ),
        pytest.param(
            HITS.r * 0.5 - 0.9,
            HITS.c * (np.pi / 3) + 0.1 - 2 * np.pi * (HITS.c > 2),
            {
                "rows": {"edges": [-1, -0.5, 0, 0.5, 1]},
                "cols": {"name": "phi", "bins": COLS, "start": 0, "stop": "2pi", "periodic": True},
            },
            id="phi_the_other_way_round",
        ),
    ],
)
def test_hits_are_placed_added_and_counted_when_outside(write_root, row, col, axes, dtype, rntuple):
    hits = {"row": row, "col": col, "e": ak.values_astype(HITS.e, dtype)}
    branches = {f"hit_{k}": v for k, v in hits.items()} if rntuple else {"hit": ak.zip(hits)}
    path = write_root("a.root", {"Events": branches}, rntuple=rntuple)
    source = {"hits": {"row": "hit_row", "col": "hit_col", "value": "hit_e"}, **axes}
    cells, n_outside = read(path, source, chunksize=2)
    assert cells.dtype == (np.float64 if dtype[0] == "f" else np.int64)
    assert cells.tolist() == EXPECTED.tolist()
    assert n_outside == 1


def test_hits_with_fewer_rows_than_energies_name_the_event(write_root):
    branches = {"r": ak.Array([[0], [1]]), "c": ak.Array([[0], [1]]), "e": ak.Array([[1.0], [1.0, 2.0]])}
    path = write_root("a.root", {"Events": branches})
    grid = GridInput.model_validate({"hits": {"row": "r", "col": "c", "value": "e"}, **PLANE})
    with pytest.raises(EventError, match="event 1: r, c, e: row has 1, energy has 2 values"):
        grid_columns(event_index(path), grid, {}).cells(0, 2)


@pytest.mark.parametrize("basket", [1, 2, 7, 100])
@pytest.mark.parametrize("step", [1, 3, 100])
def test_a_chunk_is_read_basket_by_basket_and_each_basket_once(tmp_path, monkeypatch, basket, step):
    cells = np.arange(50 * ROWS * COLS, dtype="f4").reshape(50, ROWS, COLS)
    with uproot.recreate(tmp_path / "a.root") as root:
        root.mktree("Events", {"x": ("f4", (ROWS, COLS))})
        for start in range(0, 50, basket):
            root["Events"].extend({"x": cells[start : start + basket]})
    events = event_index(tmp_path / "a.root", start=5, stop=45)
    grid = GridInput.model_validate({"dense": {"branch": "x"}, "rows": {"n": ROWS}, "cols": {"n": COLS}})
    columns = grid_columns(events, grid, {})
    parts_read = ranges([columns], 40, step)
    read, decompress = [], uproot.models.TBasket.Model_TBasket.read_members

    def recorded(self, chunk, cursor, context, file):
        decompress(self, chunk, cursor, context, file)
        read.append(self)

    monkeypatch.setattr(uproot.models.TBasket.Model_TBasket, "read_members", recorded)
    result = [columns.read(*piece).cells(0, piece[1] - piece[0]) for piece in parts_read]
    assert np.array_equal(np.concatenate(result), cells[5:45])
    assert [start for start, _ in parts_read] == [0, *(stop for _, stop in parts_read[:-1])]
    assert all(stop - start < step + 2 * basket for start, stop in parts_read)
    assert len(read) == len({start // basket for start in range(5, 45)})


def test_values_that_are_optional_in_a_file_mask_their_cells():
    source = GridInput.model_validate({"dense": {"branch": "x", "shape": [1, 3]}})
    columns = {"x": ak.Array([[1, None, 3], [4, 5, 6]])}
    for value_type in (None, "float64"):
        cells = GridColumns(source, columns, value_type).sparse_cells(0, 2)
        assert cells.mask.tolist() == [[[False, True, False]], [[False] * 3]]
        assert cells.dtype == (value_type or np.int64)
