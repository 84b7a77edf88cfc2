"""Grids from a dense branch: every layout that ROOT files have, and errors that name the event."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.geometry.grid import EventError, bare_grid, from_dense

TWO_BY_THREE = bare_grid((2, 3))
ONE_EVENT = [[[1, 2, 3], [4, 5, 6]]]


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.array(ONE_EVENT), id="numpy"),
        pytest.param(ONE_EVENT, id="lists"),
        pytest.param(np.array(ONE_EVENT).reshape(1, 6), id="flat"),
        pytest.param(ak.Array(np.array(ONE_EVENT)), id="awkward_regular"),
        pytest.param(ak.Array([[1, 2, 3, 4, 5, 6]]), id="jagged_of_one_length"),
        pytest.param(ak.Array(ONE_EVENT), id="vector_of_vectors"),
        pytest.param(ak.Array([[], ONE_EVENT[0]])[1:], id="slice_of_a_jagged_array"),
    ],
)
def test_every_layout_of_dense_cells_keeps_their_places(array):
    cells = from_dense(array, TWO_BY_THREE)

    assert cells.tolist() == ONE_EVENT
    assert cells.flags.c_contiguous


@pytest.mark.parametrize("flat", [False, True])
def test_cells_stored_columns_first_are_transposed(flat):
    column_first = np.array([[[1, 4], [2, 5], [3, 6]]])
    array = column_first.reshape(1, 6) if flat else column_first

    assert from_dense(array, TWO_BY_THREE, axes=("col", "row")).tolist() == ONE_EVENT


LAYERED = np.arange(24).reshape(1, 4, 2, 3)


@pytest.mark.parametrize(
    ("array", "axes", "shape"),
    [
        pytest.param(LAYERED, ("layer", "row", "col"), None, id="layers_as_stored"),
        pytest.param(LAYERED.reshape(1, 24), ("layer", "row", "col"), (4, 2, 3), id="flat_with_shape"),
        pytest.param(LAYERED.reshape(1, 24), ("layer", "row", "col"), None, id="flat_layers_counted"),
        pytest.param(ak.Array(LAYERED.reshape(1, 24).tolist()), ("layer", "row", "col"), None, id="jagged"),
        pytest.param(ak.Array(LAYERED.tolist()), ("layer", "row", "col"), None, id="vectors"),
        pytest.param(LAYERED.transpose(0, 2, 3, 1), ("row", "col", "layer"), None, id="layers_last"),
        pytest.param(
            LAYERED.transpose(0, 2, 3, 1).reshape(1, 24), ("row", "col", "layer"), None, id="flat_layers_last"
        ),
        pytest.param(
            LAYERED.transpose(0, 3, 1, 2).reshape(1, 24),
            ("col", "layer", "row"),
            (3, 4, 2),
            id="layers_between",
        ),
    ],
)
def test_layers_come_first(array, axes, shape):
    assert from_dense(array, TWO_BY_THREE, axes=axes, shape=shape).tolist() == LAYERED.tolist()


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", "<f4", "bool", "uint16"])
def test_cells_keep_their_type_in_the_byte_order_of_the_machine(dtype):
    cells = from_dense(np.array(ONE_EVENT, dtype), TWO_BY_THREE)

    assert cells.dtype == np.dtype(dtype).newbyteorder("=")
    assert cells.dtype.isnative
    assert np.array_equal(cells, np.array(ONE_EVENT, dtype))


@pytest.mark.parametrize(
    ("array", "event", "message"),
    [
        pytest.param(
            ak.Array([*ONE_EVENT, [[1, 2, 3], [4, 5]], [[1]]]), 1, "2 values.*needs 3", id="short_row"
        ),
        pytest.param(ak.Array([*ONE_EVENT, [[1, 2, 3]]]), 1, "1 values.*needs 2", id="row_missing"),
        pytest.param(ak.Array([[1, 2, 3, 4, 5, 6], [], [1]]), 1, "0 values.*needs 6", id="empty_event"),
        pytest.param(ak.Array([[0] * 6, [0] * 6, [0] * 7]), 2, "7 values.*needs 6", id="one_too_many"),
        pytest.param([*ONE_EVENT, [[1, 2, 3], [4, 5]]], 1, "2 values.*needs 3", id="short_row_of_a_list"),
    ],
)  # fmt: skip
def test_the_first_event_without_all_its_cells_is_named(array, event, message):
    with pytest.raises(EventError, match=f"event {event}: {message}") as error:
        from_dense(array, TWO_BY_THREE)
    assert error.value.event == event


LAYERS_FIRST = {"axes": ("layer", "row", "col")}


@pytest.mark.parametrize(
    ("array", "how", "message"),
    [
        pytest.param(np.zeros((1, 3, 2)), {}, r"\(3, 2\) cells an event.*\(2, 3\)", id="turned"),
        pytest.param(np.zeros((1, 5)), {}, r"\(5,\) cells an event", id="flat_too_short"),
        pytest.param(np.zeros(6), {}, "has one number an event", id="an_event_alone"),
        pytest.param(np.zeros((1, 4, 2, 3)), {}, r"\(4, 2, 3\) cells an event", id="layers_unannounced"),
        pytest.param(np.zeros((1, 4, 5, 7)), LAYERS_FIRST, r"\(4, 5, 7\) cells", id="layers_of_another_grid"),
        pytest.param(np.zeros((1, 2, 3)), LAYERS_FIRST, "cells an event", id="no_layers"),
        pytest.param(np.zeros((1, 13)), LAYERS_FIRST, r"\(13,\) cells", id="flat_layers_broken"),
        pytest.param(
            np.zeros((1, 23)), {**LAYERS_FIRST, "shape": (4, 2, 3)}, r"\(23,\) cells", id="flat_layers_short"
        ),
        pytest.param(np.zeros((1, 6)), {"axes": ("row",)}, r"axes is \['row'\], exp", id="one_axis"),
        pytest.param(np.zeros((1, 6)), {"axes": ("row", "row")}, r"axes is \['row', 'row'\]", id="axis_twice"),
        pytest.param(np.zeros((1, 6)), {"shape": (3, 2)}, r"shape \[3, 2\] does not fit", id="turned_shape"),
        pytest.param(np.zeros((1, 6)), {"shape": (6,)}, r"shape \[6\] does not fit", id="shape_too_short"),
        pytest.param(ak.Array([[[[1]]]]), {}, r"3 axes below the event, expected 1 .* or 2", id="too_deep"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(array, how, message):
    with pytest.raises(ValueError, match=message):
        from_dense(array, TWO_BY_THREE, **how)


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.zeros((0, 2, 3)), id="numpy"),
        pytest.param(np.zeros((0, 6)), id="flat"),
        pytest.param(ak.Array(np.zeros((0, 2, 3))), id="awkward_regular"),
        pytest.param(ak.Array([[1, 2, 3, 4, 5, 6]])[:0], id="jagged"),
        pytest.param(ak.Array(ONE_EVENT)[:0], id="vector_of_vectors"),
    ],
)
def test_no_events_give_no_grids(array):
    assert from_dense(array, TWO_BY_THREE).shape == (0, 2, 3)


def test_an_array_that_does_not_fit_at_all_is_not_blamed_on_an_event():
    with pytest.raises(ValueError, match="cells an event") as error:
        from_dense(np.zeros((2, 5)), TWO_BY_THREE)
    assert not isinstance(error.value, EventError)
