"""Raw values become energies: each number against a plain loop over the rows of the table."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum import PeakSumSettings, find_clusters
from hep_peaksum.calibration.calibrated_cells import Calibrator
from hep_peaksum.calibration.cell_table import CellTable
from hep_peaksum.calibration.run_calibrations import Calibrations
from hep_peaksum.calibration.table_files import CellTableError
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.hits import Hits, sparse

N_ROWS, N_COLS = 4, 5
PLANE = Grid(rows=Axis(n=N_ROWS), cols=Axis(n=N_COLS))
RUNS = np.array([1, 12, 3, 10, 11, 9, 15])


def make_columns(seed=1, n_layers=1):
    """Two periods of runs, 1 to 9 and 10 and later; channels in any order, some dead in a period or in both."""
    random = np.random.default_rng(seed)
    n = N_ROWS * N_COLS * n_layers
    channel = random.permutation(n) + 100
    layer, place = np.divmod(np.arange(n), N_ROWS * N_COLS)
    row, col = np.divmod(place, N_COLS)
    columns = {
        "channel": np.tile(channel, 2),
        "row": np.tile(row, 2),
        "col": np.tile(col, 2),
        "pedestal": random.uniform(90, 110, 2 * n),
        "gain": random.uniform(-0.1, 1.1, 2 * n),
        "noise_raw": random.uniform(1, 3, 2 * n),
        "status": (random.uniform(size=2 * n) < 0.15).astype(int),
        "first_run": np.repeat([1, 10], n),
        "asic": np.tile(channel % 3, 2),
    }
    if n_layers > 1:
        columns["layer"] = np.tile(layer, 2)
    return columns


def make_raw(n_channels, seed=2):
    return np.random.default_rng(seed).integers(80, 400, (len(RUNS), n_channels)).astype(np.int16)


def expected_cells(columns, raw, *, scale=1.0, common_mode=False):
    """Return energies and statuses by event, layer, row and col, row of the table by row of the table."""
    n_layers = int(max(columns.get("layer", [0]))) + 1
    energies = np.zeros((len(raw), n_layers, N_ROWS, N_COLS))
    statuses = np.ones(energies.shape, int)
    order = sorted(set(columns["channel"].tolist()))
    for event, run in enumerate(RUNS):
        first = 10 if run >= 10 else 1
        rows = [n for n in range(len(columns["channel"])) if columns["first_run"][n] == first]
        above = {
            n: float(raw[event, order.index(columns["channel"][n])]) - columns["pedestal"][n] for n in rows
        }
        for n in rows:
            value = above[n]
            if common_mode:
                same = [
                    m for m in rows if columns["asic"][m] == columns["asic"][n] and not columns["status"][m]
                ]
                value -= np.median([above[m] for m in same])
            place = columns["layer"][n] if n_layers > 1 else 0, columns["row"][n], columns["col"][n]
            statuses[(event, *place)] = columns["status"][n]
            if columns["status"][n] == 0:
                energies[(event, *place)] = value * (columns["gain"][n] * scale)
    return energies, statuses


@pytest.mark.parametrize("scale", [1.0, 1.02])
@pytest.mark.parametrize("common_mode", [None, "asic"])
def test_cells_are_those_of_a_loop_over_the_table(scale, common_mode):
    columns, raw = make_columns(), make_raw(N_ROWS * N_COLS)
    table = CellTable.from_columns(columns)
    calibrations = Calibrations(table, PLANE, scale=scale, common_mode=common_mode)
    found = Calibrator(calibrations).dense(raw, RUNS)
    energies, statuses = expected_cells(columns, raw, scale=scale, common_mode=common_mode is not None)
    assert found.cells.dtype == np.float64
    assert found.energies() == pytest.approx(energies[:, 0], rel=1e-12, abs=1e-12)
    if common_mode is None:
        assert (found.energies() == energies[:, 0]).all()
    assert found.by_event
    assert (found.mask == (statuses[:, 0] != 0)).all()


def test_the_noise_is_that_of_the_raw_values_times_the_gain():
    columns, raw = make_columns(), make_raw(N_ROWS * N_COLS)
    found = Calibrator(Calibrations(CellTable.from_columns(columns), PLANE, scale=2.0)).dense(raw, RUNS)
    for n in range(len(columns["channel"])):
        event = 0 if columns["first_run"][n] == 1 else 1
        sigma = columns["noise_raw"][n] * abs(columns["gain"][n]) * 2 * (columns["status"][n] == 0)
        assert found.noise[event, columns["row"][n], columns["col"][n]] == pytest.approx(sigma, rel=1e-15)


def test_blocks_of_events_are_those_of_all_events():
    columns, raw = make_columns(), make_raw(N_ROWS * N_COLS)
    calibrate = Calibrator(Calibrations(CellTable.from_columns(columns), PLANE), fill_dead=True)
    whole = calibrate.dense(raw, RUNS)
    for event in range(len(raw)):
        part = calibrate.dense(raw[event : event + 1], RUNS[event : event + 1])
        assert (part.energies()[0] == whole.energies()[event]).all()
        assert (part.flags["n_filled"][0] == whole.flags["n_filled"][event]).all()


def test_runs_with_the_same_rows_share_one_map():
    columns = make_columns()
    found = Calibrator(Calibrations(CellTable.from_columns(columns), PLANE)).dense(
        make_raw(N_ROWS * N_COLS)[:3], np.array([1, 2, 9])
    )
    assert found.mask.shape == found.noise.shape == PLANE.shape
    assert not found.by_event


def test_hits_of_channels_are_the_same_cells():
    columns, raw = make_columns(), make_raw(N_ROWS * N_COLS)
    channels = np.sort(np.unique(columns["channel"]))
    calibrate = Calibrator(Calibrations(CellTable.from_columns(columns), PLANE))
    hits = calibrate.hits(ak.Array([channels[::-1]] * len(RUNS)), ak.from_regular(raw[:, ::-1]), RUNS)
    dense = calibrate.dense(raw, RUNS)
    assert (hits.energies() == dense.energies()).all()
    assert (hits.mask == dense.mask).all()
    assert (hits.noise == dense.noise).all()


def test_hits_by_row_and_column_are_the_same_cells():
    columns, raw = make_columns(), make_raw(N_ROWS * N_COLS)
    del columns["channel"]
    calibrate = Calibrator(Calibrations(CellTable.from_columns(columns), PLANE, order="cell"))
    row, col = np.divmod(np.arange(N_ROWS * N_COLS), N_COLS)
    hits = sparse(*(ak.Array([each] * len(RUNS)) for each in (row, col)), ak.from_regular(raw), PLANE)
    assert (calibrate.hits_on_cells(hits, RUNS).energies() == calibrate.dense(raw, RUNS).energies()).all()


def test_layers_of_channels_are_summed_or_searched_each():
    columns, raw = make_columns(n_layers=3), make_raw(3 * N_ROWS * N_COLS)
    energies, statuses = expected_cells(columns, raw)
    table = CellTable.from_columns(columns)
    found = Calibrator(Calibrations(table, PLANE)).dense(raw, RUNS)
    assert (found.cells == energies).all()
    mask = np.zeros((len(RUNS), *PLANE.shape), bool) if found.mask is None else found.mask
    assert (mask == (statuses != 0).all(axis=1)).all()
    each = Calibrator(Calibrations(table, PLANE), layers="each").dense(raw, RUNS)
    assert (each.mask == (statuses != 0)).all()
    settings = {"seed_threshold": 20, "sum_window": [1, 1], "search_window": [1, 1]}
    clusters = find_clusters(each, settings, PLANE, layers="each", fields=["peak_sum", "layer", "row", "col"])
    passing = [sorted(energies[e][(energies[e] > 20) & (statuses[e] == 0)].tolist()) for e in range(len(RUNS))]
    assert [sorted(event) for event in clusters.peak_sum.to_list()] == passing


def test_a_table_of_layers_weights_them():
    """Gains of layers 1, 2 and 3, for all rows and columns."""
    table = CellTable.from_columns({"layer": [3, 1, 2], "gain": [3.0, 1.0, 2.0]})
    cells = np.arange(2 * 3 * N_ROWS * N_COLS).reshape(2, 3, N_ROWS, N_COLS)
    found = Calibrator(Calibrations(table, PLANE, order="cell", n_layers=3)).dense(cells, np.zeros(2, int))
    assert (found.cells == cells * np.array([1.0, 2.0, 3.0])[:, None, None]).all()
    assert found.mask is None


@pytest.mark.parametrize(
    ("depth", "gains"),
    [
        (Axis(labels="3..1"), [3, 2, 1]),
        (Axis(labels="2, 3, 1"), [2, 3, 1]),
        (Axis(labels="1..3"), [1, 2, 3]),
        (Axis(n=3), [1, 2, 3]),
    ],
    ids=["from_the_back", "in_any_order", "rising", "numbered"],
)
def test_the_layers_of_a_table_are_the_labels_of_the_axis_of_layers(depth, gains):
    table = CellTable.from_columns({"layer": [3, 1, 2], "gain": [3.0, 1.0, 2.0]})
    cells = np.ones((1, 3, N_ROWS, N_COLS))
    calibrations = Calibrations(table, PLANE, order="cell", n_layers=3, depth=depth)
    found = Calibrator(calibrations).dense(cells, np.zeros(1, int))
    assert found.cells[0, :, 2, 3].tolist() == gains


def test_a_layer_that_is_no_label_of_the_axis_is_named():
    table = CellTable.from_columns({"layer": [0, 1, 2], "gain": [3.0, 1.0, 2.0]})
    calibrations = Calibrations(table, PLANE, order="cell", n_layers=3, depth=Axis(labels="1..3"))
    with pytest.raises(CellTableError, match="layer 0, for run 7: not on the grid, which has 3 layers"):
        calibrations.of_run(7)


def test_a_dead_cell_is_masked_or_given_the_mean_of_its_neighbours():
    picture = np.array([[1, 2, 3, 9], [4, 50, 6, 9], [7, 8, 99, 9]], float)
    plane = Grid(rows=Axis(n=3), cols=Axis(n=4))
    row, col = np.divmod(np.arange(12), 4)
    columns = {"row": row, "col": col, "status": np.zeros(12, int), "noise": np.ones(12)}
    columns["status"][[5, 10]] = 1, 2  # 50 and 99
    calibrations = Calibrations(CellTable.from_columns(columns), plane, order="cell")
    masked = Calibrator(calibrations).dense(picture[None], np.zeros(1, int))
    assert masked.mask.sum() == 2
    assert masked.mask[1, 1]
    assert masked.mask[2, 2]
    filled = Calibrator(calibrations, fill_dead=True).dense(picture[None], np.zeros(1, int))
    assert filled.mask is None
    assert filled.cells[0, 1, 1] == pytest.approx((1 + 2 + 3 + 4 + 6 + 7 + 8) / 7, rel=1e-15)
    assert filled.cells[0, 2, 2] == pytest.approx((6 + 9 + 8 + 9) / 4, rel=1e-15)
    assert filled.noise[2, 2] == pytest.approx(0.5, rel=1e-15)  # of four cells of noise 1
    fields = ["peak_sum", "n_masked", "n_filled"]
    everything = {"search_window": [5, 7], "sum_window": [5, 7]}
    (cluster,) = find_clusters(filled, everything, plane, fields=fields)[0]
    assert (cluster.n_filled, cluster.n_masked) == (2, 0)
    (cluster,) = find_clusters(masked, everything, plane, fields=fields)[0]
    assert (cluster.n_filled, cluster.n_masked, cluster.peak_sum) == (0, 2, 1 + 2 + 3 + 4 + 6 + 7 + 8 + 27)


@pytest.mark.parametrize("place", [(np.nan, np.nan), (1, np.nan), (np.nan, 1)], ids=["no", "row", "col"])
def test_a_dead_channel_that_is_nowhere_is_no_cell(place):
    rows, cols = zip((0, 0), (0, 1), place, (1, 0), (1, 1), strict=True)
    columns = {"channel": range(5), "row": rows, "col": cols, "status": [0, 0, 1, 0, 0]}
    plane = Grid(rows=Axis(n=2), cols=Axis(n=2))
    calibrate = Calibrator(Calibrations(CellTable.from_columns(columns), plane))
    found = calibrate.dense(np.array([[5, 6, 99, 7, 8]]), np.zeros(1, int))
    assert found.cells.tolist() == [[[5, 6], [7, 8]]]
    assert found.mask is None or not found.mask.any()


def test_a_dead_cell_without_good_neighbours_stays_masked():
    columns = {"row": [0, 0, 0], "col": [0, 1, 2], "status": [1, 1, 0]}
    plane = Grid(rows=Axis(n=1), cols=Axis(n=3))
    calibrations = Calibrations(CellTable.from_columns(columns), plane, order="cell")
    found = Calibrator(calibrations, fill_dead=True).dense(np.array([[5, 6, 7]]), np.zeros(1, int))
    assert found.energies().tolist() == [[[0, 7, 7]]]
    assert found.mask.tolist() == [[True, False, False]]


def test_saturation_codes_are_compared_with_raw_values():
    table = CellTable.from_columns(
        {"row": [0, 0, 0], "col": [0, 1, 2], "pedestal": [100, 100, 96], "gain": [0.5, 2, 1]}
    )
    plane = Grid(rows=Axis(n=1), cols=Axis(n=3), saturated=(4095,))
    raw = np.array([[4095, 4095, 300], [300, 4191, 4191]])  # a calibrated 4095 is not a code
    found = Calibrator(Calibrations(table, plane, order="cell")).dense(raw, np.zeros(2, int))
    clusters = find_clusters(found, None, plane, fields=["peak_sum", "n_saturated"])
    assert found.cells[1, 0, 2] == 4095
    assert clusters.n_saturated.to_list() == [[2], [0]]


@pytest.mark.parametrize(
    ("raw", "codes", "flags"),
    [
        (np.array([4, 5, 6], np.int16), (5.0, 6.5, 70_000), [0, 1, 0]),
        (np.array([2**63 - 1, 5, 2**62], np.int64), (2.0**63, 5.5, 2**62), [0, 0, 1]),
        (np.array([2**64 - 1, 2**63, 5], np.uint64), (2**64 - 1, -5), [1, 0, 0]),
        (np.array([1638.3, 2.5, 7], np.float32), (1638.3, 7), [1, 0, 1]),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_saturation_codes_are_compared_in_the_type_of_the_raw_values(raw, codes, flags):
    table = CellTable.from_columns({"row": [0, 0, 0], "col": [0, 1, 2]})
    plane = Grid(rows=Axis(n=1), cols=Axis(n=3), saturated=codes)
    found = Calibrator(Calibrations(table, plane, order="cell")).dense(raw[np.newaxis], np.zeros(1, int))
    assert found.flags["n_saturated"].ravel().tolist() == flags


def test_what_is_dead_may_be_no_number():
    table = CellTable.from_columns({"row": [0, 0], "col": [0, 1], "status": [1, 0]})
    plane = Grid(rows=Axis(n=1), cols=Axis(n=2))
    found = Calibrator(Calibrations(table, plane, order="cell")).dense(
        np.array([[np.nan, 2.0]]), np.zeros(1, int)
    )
    assert find_clusters(found, None, plane).peak_sum.to_list() == [[2]]


def test_a_dead_channel_that_is_no_number_adds_nothing_to_the_sum_of_layers():
    columns = {"layer": [0, 1, 0, 1], "row": [0] * 4, "col": [0, 0, 1, 1], "status": [1, 0, 0, 0]}
    plane = Grid(rows=Axis(n=1), cols=Axis(n=2))
    calibrations = Calibrations(CellTable.from_columns(columns), plane, order="cell", n_layers=2)
    raw = np.array([[[[np.nan, 2.0]], [[3.0, 4.0]]]])  # (event, layer, row, col)
    found = Calibrator(calibrations).dense(raw, np.zeros(1, int))
    assert find_clusters(found, PeakSumSettings(sum_window=(1, 3)), plane).peak_sum.to_list() == [[3 + 2 + 4]]


def test_calibrated_hits_become_an_array_of_cells():
    columns = {"channel": [7, 5], "row": [0, 3], "col": [1, 4], "pedestal": [10, 20], "gain": [0.5, 2]}
    hits = ak.Array([[5], [], [7, 5]]), ak.Array([[21], [], [12, 22]])
    calibrated = calibrator(columns).hits(*hits, np.array([1, 1, 2]))
    assert (type(calibrated.cells), len(calibrated)) == (Hits, 3)
    expected = np.zeros((3, N_ROWS, N_COLS))
    expected[0, 3, 4], expected[2, 0, 1], expected[2, 3, 4] = 2, 1, 4
    for dense in (calibrated.dense(), calibrated.dense().dense()):
        assert isinstance(dense.cells, np.ndarray)
        assert np.array_equal(dense.cells, expected)


# --- errors ---


def calibrator(columns, **options):
    return Calibrator(Calibrations(CellTable.from_columns(columns, "t.csv"), PLANE, **options))


def test_every_run_of_a_block_must_be_covered():
    """The last event is of a gap, and not the first of its period."""
    columns = make_columns()
    columns["last_run"] = np.repeat([5, 20], N_ROWS * N_COLS)
    calibrate = calibrator(columns)
    raw = make_raw(N_ROWS * N_COLS)[:2]
    calibrate.dense(raw, np.array([5, 10]))
    with pytest.raises(
        CellTableError, match=r"^t.csv: no row holds for run 6, the rows are of runs 1 to 5, 10 to 20"
    ):
        calibrate.dense(raw, np.array([5, 6]))


def test_a_channel_that_the_table_has_not_is_named():
    columns = {key: value for key, value in make_columns().items() if key != "first_run"}
    columns = {key: value[:20] for key, value in columns.items()}
    columns = {key: value[columns["channel"] != 107] for key, value in columns.items()}
    with pytest.raises(
        CellTableError, match=r"20 values per event in run 3, and 19 channels .*channel 107 missing"
    ):
        calibrator(columns).dense(make_raw(20), np.full(7, 3))
    hits = ak.Array([[101, 102], [], [103, 107]])
    with pytest.raises(CellTableError, match=r"^t.csv: channel 107 has hits in run 8, and no row: add one"):
        calibrator(columns).hits(hits, hits, np.array([3, 5, 8]))


REMEDY = "Give each a row, of status 1 if it is not connected"


@pytest.mark.parametrize(
    ("order", "n_values", "problem"),
    [
        ("channel", 18, "and 19 channels in the table"),
        ("channel", 20, f"and 19 channels in the table: is channel 8 missing? {REMEDY}"),
        ("cell", 21, "and 20 cells in the table"),
    ],
)
def test_a_missing_channel_is_named_where_there_are_too_many_values(order, n_values, problem):
    cells = np.arange(20) if order == "cell" else np.delete(np.arange(20), 3)
    row, col = np.divmod(cells, N_COLS)
    columns = {"row": row, "col": col} | ({"channel": cells + 5} if order == "channel" else {})
    with pytest.raises(CellTableError) as error:
        calibrator(columns, order=order).dense(np.zeros((2, n_values)), np.full(2, 3))
    assert str(error.value) == f"t.csv: {n_values} values per event in run 3, {problem}"


def test_two_channels_of_one_cell_are_named():
    """Those of the first cell that has two: here neither the first nor the last cell of the table."""
    columns = {"channel": [5, 6, 1, 4, 2], "row": [2, 0, 1, 0, 1], "col": [0, 1, 3, 0, 3], "first_run": [4] * 5}
    with pytest.raises(CellTableError, match="channel 1 and channel 2 are the same cell in run 9"):
        calibrator(columns).dense(np.zeros((1, 5)), np.array([9]))


def test_a_cell_that_the_table_has_not_is_named():
    row, col = np.divmod(np.arange(N_ROWS * N_COLS - 1), N_COLS)
    with pytest.raises(CellTableError, match=r"no row for row 3, col 4 \(counted from 0\) in run 2"):
        calibrator({"row": row, "col": col}, order="cell").dense(make_raw(20), np.full(7, 2))


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"row": [0, 4], "col": [0, 0]}, "row 4, col 0, for run 2: not on the grid, which has 4 rows"),
        ({"row": [0, 0], "col": [0, 5]}, "row 0, col 5, for run 2: not on the grid, which has 5 cols"),
        ({"row": [0, 0], "col": [-1, 0]}, "row 0, col -1, for run 2: not on the grid, which has 5 cols"),
        (
            {"channel": [7, 8, 9], "row": [0, 1, 1], "col": [0, 3, 3]},
            "two rows for the cell of channel 8 in run 2: leave out one of them",
        ),
    ],
)
def test_a_row_that_is_no_cell_or_that_of_another_is_named(columns, problem):
    with pytest.raises(CellTableError) as error:
        calibrator(columns, order="cell").dense(make_raw(20), np.full(7, 2))
    assert str(error.value) == f"t.csv: {problem}"


def test_two_channels_of_the_first_cell_are_named():
    with pytest.raises(CellTableError, match="channel 5 and channel 6 are the same cell in run 9"):
        calibrator({"channel": [5, 6], "row": [0, 0], "col": [0, 0]}).dense(np.zeros((1, 2)), np.array([9]))


def test_a_row_may_be_a_group_and_what_calibrates_is_none():
    columns = {"channel": range(4), "row": [0, 0, 1, 1], "col": [0, 1, 0, 1], "gain": [1.0, 1.0, 1.0, 1.0]}
    found = calibrator(columns, common_mode="row").dense(np.array([[1, 3, 10, 20]]), np.zeros(1, int))
    assert found.cells[0, :2, :2].tolist() == [[-1, 1], [-5, 5]]  # less the median of each row
    with pytest.raises(CellTableError, match=r"no column 'gain' for groups .*; there are row, col, all"):
        calibrator(columns, common_mode="gain")


def test_an_unknown_group_is_named():
    with pytest.raises(
        CellTableError, match=r"no column 'asci' for groups .*did you mean 'asic'.*; there are row"
    ):
        calibrator(make_columns(), common_mode="asci")


def test_channels_are_no_cells():
    columns = {"channel": [1, 2], "gain": [1, 2]}
    with pytest.raises(
        CellTableError, match="nothing says where a cell is: add the columns row and col, or x and y"
    ):
        calibrator(columns)
    with pytest.raises(CellTableError, match="only channels, and values are read by row and col"):
        calibrator(columns, order="cell")
    with pytest.raises(CellTableError, match="no column channel, by which values are read"):
        calibrator({"row": [0], "col": [0]})


@pytest.mark.parametrize("common_mode", [None, "asic"])
@pytest.mark.parametrize("fill_dead", [False, True])
@pytest.mark.parametrize("of_hits", [False, True])
@pytest.mark.parametrize("first_run", [1, 4], ids=["all_channels_together", "a_channel_that_came_later"])
def test_no_events_are_no_cells(common_mode, fill_dead, of_hits, first_run):
    """As in a file without entries, or in a chunk of which a selection leaves nothing: no run is looked up."""
    columns, cells = make_columns(), N_ROWS * N_COLS
    columns["first_run"][3] = first_run
    table = CellTable.from_columns(columns)
    common_mode = None if of_hits else common_mode
    calibrations = Calibrations(table, PLANE, order="channel", common_mode=common_mode)
    calibrator = Calibrator(calibrations, fill_dead=fill_dead)
    runs, hits = RUNS[:0], ak.Array([[1]])[:0]
    found = calibrator.hits(hits, hits, runs) if of_hits else calibrator.dense(make_raw(cells)[:0], runs)
    assert found.energies().shape == (0, N_ROWS, N_COLS)
    assert find_clusters(found, {"seed_threshold": 5}, PLANE).to_list() == []


def test_no_events_need_a_table_that_covers_some_run_completely():
    columns = {"channel": [3, 4], "row": [0, 0], "col": [0, 1], "first_run": [1, 5], "last_run": [4, 9]}
    with pytest.raises(CellTableError, match="channel 4 has no row for run 1: add one"):
        calibrator(columns).dense(np.zeros((0, 2)), RUNS[:0])
