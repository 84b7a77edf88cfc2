"""Cell tables: what they say, run by run, and every way in which one can be wrong, in one line."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from hep_peaksum.calibration.cell_places import places, table_axes
from hep_peaksum.calibration.cell_table import CellTable
from hep_peaksum.calibration.table_files import CellTableError
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid


def read(tmp_path, text, name="crystals.csv"):
    path = tmp_path / name
    path.write_text(text)
    return CellTable.read(path)


def test_a_csv_file_is_read(tmp_path):
    table = read(
        tmp_path,
        "# crystals of the October beam\n"
        "channel, row, col, gain, status, first_run, last_run, asic\n"
        "7, 0, 1, 1.5, 0, 100, 199, a\n"
        "\n"
        "7, 0, 1, 2, 0, 200,, a\n"
        "3, 0, 0, 1, 1, 100,, b\n",
    )
    assert table.rows_of(150).tolist() == [2, 0]  # by channel
    assert table.rows_of(200).tolist() == [2, 1]
    assert table.periods() == [(100, 199), (200, 2**63 - 1)]
    assert table["gain"].tolist() == [1.5, 2, 1]
    assert table["asic"].tolist() == ["a", "a", "b"]
    assert table.good.tolist() == [True, True, False]


def test_periods_without_a_last_run_have_no_end(tmp_path):
    table = read(tmp_path, "channel,gain,first_run,last_run\n4,2,100,\n7,3,100,\n")
    assert table.periods() == [(100, 2**63 - 1)]


def test_the_mark_that_spreadsheets_put_before_a_text_is_no_part_of_it(tmp_path):
    table = read(tmp_path, "\ufeff# saved by a spreadsheet\nchannel,gain\n4,2\n")
    assert list(table.columns) == ["channel", "gain"]
    assert (table["channel"].tolist(), table["gain"].tolist()) == ([4], [2])


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()], ids=str)
def test_parquet_says_the_same_as_csv(tmp_path, kind):
    run = 2**60 + 1  # no float64
    csv = read(tmp_path, f"channel,gain,first_run,last_run\n1,0.5,1,\n2,0.25,1,{run}\n2,0.125,{run + 1},\n")
    columns = {"channel": [1, 2, 2], "gain": [0.5, 0.25, 0.125], "first_run": [1, 1, run + 1]}
    columns["last_run"] = pa.array([None, run, None], kind)
    path = tmp_path / "crystals.parquet"
    parquet.write_table(pa.table(columns), path)
    table = CellTable.read(path)
    for name in csv.columns:
        assert table[name].tolist() == csv[name].tolist()
        assert table[name].dtype == csv[name].dtype
    assert table.periods() == csv.periods()


def test_a_table_is_hashed_by_its_content(tmp_path):
    one, same = (read(tmp_path, "channel,gain\n1,2\n") for _ in range(2))
    other = read(tmp_path, "channel,gain\n1,3\n")
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one.digest != other.digest
    with pytest.raises(ValueError, match="read-only"):
        one["gain"][0] = 5


def test_a_first_run_alone_lasts_until_the_next_of_its_channel():
    table = CellTable.from_columns({"channel": [1, 2, 1], "gain": [1.0, 2.0, 3.0], "first_run": [10, 10, 20]})
    assert [table["gain"][table.rows_of(run)].tolist() for run in (10, 19, 20, 999)] == [
        [1, 2],
        [1, 2],
        [3, 2],
        [3, 2],
    ]


def test_runs_for_which_no_row_holds_are_no_period():
    columns = {"channel": [1, 1], "gain": [1.0, 2.0], "first_run": [1, 7], "last_run": [3, 9]}
    assert CellTable.from_columns(columns).periods() == [(1, 3), (7, 9)]


def test_a_table_without_runs_holds_for_all():
    table = CellTable.from_columns({"layer": [0, 1], "gain": [1.0, 2.0]})
    assert not table.depends_on_run
    assert table.rows_of(0).tolist() == table.rows_of(10**9).tolist() == [0, 1]


WRONG = {
    "a_channel_twice": ("channel,gain\n4,1\n4,2\n", "channel 4 has two rows for every run (rows 1 and 2 "),
    "overlapping_ranges": (
        "channel,gain,first_run,last_run\n4,1,1,10\n4,2,10,20\n",
        "channel 4 has two rows for run 10 (rows 1 and 2 ",
    ),
    "the_same_first_run": ("channel,gain,first_run\n4,1,5\n4,2,5\n", "channel 4 has two rows for run 5 "),
    "an_open_range_and_another": (
        "channel,first_run,last_run\n4,1,\n4,8,9\n",
        "channel 4 has two rows for run 8 (rows 1 and 2 ",
    ),
    "a_cell_twice": ("row,col,gain\n0,1,1\n0,1,2\n", "row 0, col 1 has two rows for every run "),
    "a_range_backwards": (
        "channel,first_run,last_run\n4,9,2\n",
        "channel 4: last_run 2 is before first_run 9: ",
    ),
    "no_key": ("gain\n1\n", "none of the columns channel, row, col, layer (there are gain): rename"),
    "a_typing_error": ("channel,pedestall\n4,2\n", "column 'pedestall' is unknown (did you mean 'pedestal'?)"),
    "no_gain": (
        "channel,gain,first_run\n4,,7\n",
        "channel 4 (row 1 of the table): gain is empty or n/a, for run 7 and later: ",
    ),
    "a_gain_that_is_no_number": (
        "channel,gain\n4,high\n",
        "column 'gain' holds 'high' in row 1, expected a number",
    ),
    "a_decimal_comma": (
        'channel,gain\n4,1\n5,"0,5"\n',
        "column 'gain' holds '0,5' in row 2, expected a number in every row: write 0.5",
    ),
    "a_word_for_a_status": (
        "channel,status\n4,good\n",
        "column 'status' holds 'good' in row 1, expected a number in every row: write 0 for good channels",
    ),
    "infinite": (
        "channel,gain\n4,inf\n",
        "channel 4 (row 1 of the table): gain is infinite, for every run: give a finite number",
    ),
    "a_channel_and_a_half": ("channel,gain\n4.5,1\n", "column 'channel' holds 4.5, expected a whole number"),
    "two_noises": ("channel,noise,noise_raw\n4,1,1\n", "both noise_raw (counts before the gain) and noise "),
    "negative_noise": ("channel,noise\n4,-1\n", "channel 4: noise is -1, for every run: give 0 or above"),
    "two_negative_noises": (
        "channel,noise,first_run\n4,1,\n5,-2,3\n6,-7,\n",
        "channel 5: noise is -2, for run 3 and later: give 0 or above",
    ),
    "a_dead_channel_without_its_number": (
        "channel,gain,status\n4,1,0\n,1,1\n",
        "row 2 of the table: channel is empty or n/a, for every run: give a finite number",
    ),
    "a_dead_channel_without_a_status": (
        "channel,gain,status\n4,1,0\n5,1,\n",
        "channel 5 (row 2 of the table): status is empty or n/a, for every run: give a finite number",
    ),
    "two_cells_twice": (
        "channel,gain\n4,1\n7,1\n7,2\n4,2\n",
        "channel 4 has two rows for every run (rows 1 and 4 of the table): leave out one of them",
    ),
    "no_rows": ("channel,gain\n", "no rows: "),
    "last_run_alone": ("channel,last_run\n4,9\n", "last_run without first_run: "),
    "no_place_of_a_good_channel": (
        "channel,row,col\n4,,1\n",
        "channel 4 (row 1 of the table): row is empty or n/a, for every run: ",
    ),
}


@pytest.mark.parametrize(("text", "problem"), WRONG.values(), ids=WRONG)
def test_a_wrong_table_is_one_line(tmp_path, text, problem):
    with pytest.raises(CellTableError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"crystals.csv: {problem}")
    assert "\n" not in str(error.value)


UNREADABLE = {
    "empty": ("", "it is empty"),
    "comments_only": ("# nothing\n", "it is empty"),
    "a_value_too_many": ("channel,gain\n1,2,3\n", "Expected 2 columns, got 3"),
    "semicolons": ("channel;gain\n4;1\n", "its columns are separated by ';': separate them by commas"),
    "tabs": ("channel\tgain\n4\t1\n", r"its columns are separated by '\t': separate them by commas"),
    "a_column_twice": ("channel,gain,gain\n1,2,3\n", "column 'gain' occurs twice"),
}


@pytest.mark.parametrize(("text", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_table_is_one_line(tmp_path, text, reason):
    with pytest.raises(
        CellTableError, match=r"crystals.csv' cannot be read as a table in CSV or parquet"
    ) as error:
        read(tmp_path, text)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(CellTableError, match=r"cannot be read as a table .*\(No such file or directory\)$"):
        CellTable.read(tmp_path / "none.csv")


def test_a_run_without_rows_is_named():
    table = CellTable.from_columns({"channel": [1, 1], "first_run": [100, 300], "last_run": [199, 399]})
    with pytest.raises(
        CellTableError, match="no row holds for run 250, the rows are of runs 100 to 199, 300 to 399"
    ):
        table.rows_of(250)


def test_channels_without_a_row_in_a_run_are_named():
    columns = {"channel": [1, 2, 3], "first_run": [100, 100, 100], "last_run": [199, 149, 149]}
    with pytest.raises(CellTableError, match="channel 2 and 1 more have no row for run 150: "):
        CellTable.from_columns(columns).rows_of(150)


# --- positions ---


@pytest.mark.parametrize("noise", ["noise", "noise_raw"])
def test_a_channel_may_be_without_noise_and_a_row_for_one_run(noise):
    columns = {"channel": [1, 1], noise: [0.0, 0.0], "first_run": [4, 5], "last_run": [4, 9]}
    table = CellTable.from_columns(columns)
    assert table.periods() == [(4, 4), (5, 9)]
    assert (table.runs_of(0), table.runs_of(1)) == ("run 4", "run 5 to 9")


def test_ranges_of_runs_that_touch_are_named_as_one():
    table = CellTable.from_columns({"channel": [1, 1, 1], "first_run": [1, 5, 12], "last_run": [4, 9, 15]})
    assert table.run_ranges() == "1 to 9, 12 to 15"


def test_positions_on_a_lattice_become_axes():
    """Crystals of 22 mm in a plane without its corners; x and y written with a tenth of a millimetre."""
    plane = [(x, y) for y in (-22.1, 0, 21.9) for x in (-33.0, -11.1, 11.0, 33.0) if (x, y) != (33.0, 21.9)]
    x, y = zip(*plane, strict=True)
    rows, cols = table_axes(CellTable.from_columns({"channel": range(11), "x": x, "y": y}))
    assert (rows.name, rows.size, rows.unit) == ("y", 3, "mm")
    assert (cols.name, cols.size) == ("x", 4)
    assert rows.centres == pytest.approx([-22, 0, 22], abs=0.2)
    assert cols.centres == pytest.approx([-33, -11, 11, 33], abs=0.2)


def test_channels_are_placed_by_their_positions():
    table = CellTable.from_columns({"channel": [5, 6, 9], "x": [10, 0, 10.0], "y": [0, 0, 30.0]})
    rows, cols = table_axes(table)
    assert rows.size == 2  # the pitch is what the two differ by
    row, col = places(table, Grid(rows=rows, cols=cols))
    assert list(zip(row.tolist(), col.tolist(), strict=True)) == [(0, 1), (0, 0), (1, 1)]


def test_positions_lie_in_the_cells_of_the_axis_of_their_name():
    """Where the grid says where its cells are, they need not be equal, nor begin with the table."""
    table = CellTable.from_columns({"channel": [1, 2, 3], "x": [12, 3, 19.0], "y": [7, 7, 5.0]})
    rows, cols = Axis(name="y", bins=4, start=0, stop=8), Axis(name="x", edges=[0, 5, 10, 20])
    row, col = places(table, Grid(rows=rows, cols=cols))
    assert (row.tolist(), col.tolist()) == ([3, 3, 2], [2, 0, 2])
    row, _ = places(table, Grid(rows=rows.model_copy(update={"name": "depth"}), cols=cols))
    assert row.tolist() == [1, 1, 0]  # of another name: in rising order


def test_a_channel_without_a_position_is_nowhere():
    columns = {"channel": [0, 1, 2], "x": [0, np.nan, 20.0], "y": [0, np.nan, 0.0], "status": [0, 1, 0]}
    table = CellTable.from_columns(columns)
    row, col = places(table, Grid(rows=Axis(n=1), cols=Axis(n=2)))
    assert (row.tolist(), col.tolist()) == ([0, -1, 0], [0, -1, 1])


def test_a_lattice_may_have_holes():
    table = CellTable.from_columns({"channel": [0, 1, 2], "x": [0, 10, 40.0], "y": [0, 0, 0.0]})
    rows, cols = table_axes(table)
    assert (rows.size, cols.size) == (1, 5)
    assert rows.edge_positions.tolist() == [-0.5, 0.5]  # of one place: 1 mm
    assert places(table, Grid(rows=rows, cols=cols))[1].tolist() == [0, 1, 4]


def test_positions_that_differ_by_their_rounding_are_one_place():
    columns = {"channel": range(5), "x": [0, 9.999, 10, 20, 30.001], "y": [0, 0, 5, 0, 5.0]}
    rows, cols = table_axes(CellTable.from_columns(columns))
    assert (rows.size, cols.size) == (2, 4)
    assert cols.centres == pytest.approx([0, 10, 20, 30], abs=0.01)


def test_positions_off_the_lattice_name_the_channel():
    table = CellTable.from_columns(
        {"channel": [0, 1, 2, 3], "x": [0, 10, 20, 34.0], "y": [0, 0, 0, 0.0], "first_run": [5] * 4}
    )
    with pytest.raises(
        CellTableError, match=r"channel 3 has x 34 mm, for run 5 and later, which is not on a lattice"
    ):
        table_axes(table)


def test_pseudorapidities_off_the_lattice_have_no_unit():
    table = CellTable.from_columns({"channel": range(4), "eta": [0, 0.1, 0.2, 0.34], "phi": [0, 0, 0, 0.0]})
    with pytest.raises(
        CellTableError, match=r"channel 3 has eta 0\.34, for .*\(pitch 0\.1\): give row and col"
    ):
        table_axes(table)


@pytest.mark.parametrize(
    ("n_rows", "n_cols", "problem"),
    [
        (2, 3, "channel 3 has x 30, for run 5 and later: the grid has 3 cols, and it is on none of them"),
        (1, 4, "channel 2 has y 10, for run 5 and later: the grid has 1 row, and it is on none of them"),
    ],
)
def test_a_position_beyond_the_grid_is_named_with_its_column(n_rows, n_cols, problem):
    table = CellTable.from_columns(
        {"channel": range(4), "x": [0, 10, 20, 30.0], "y": [0, 0, 10, 0.0], "first_run": [5] * 4}
    )
    with pytest.raises(CellTableError, match=problem):
        places(table, Grid(rows=Axis(n=n_rows), cols=Axis(n=n_cols)))


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        (
            {"x": [np.nan] * 3, "y": [0, 1, 2], "status": [1] * 3},
            "column 'x' is empty: give positions, or row and col",
        ),
        (
            {"row": [0, 1, 2], "col": [0, 0, 0], "x": [7, 7, 7], "y": [0, 1, 5]},
            "neither y nor x rises evenly with row: give rows and cols in the config, or leave these columns ",
        ),
    ],
)
def test_positions_that_make_no_axis_are_one_line(columns, problem):
    table = CellTable.from_columns({"channel": range(3), **columns}, "t.csv")
    with pytest.raises(CellTableError) as error:
        table_axes(table)
    assert str(error.value).startswith(f"t.csv: {problem}")


def test_positions_beyond_the_cells_of_a_grid_name_the_channel():
    table = CellTable.from_columns({"channel": [4, 5, 6], "x": [0, 10, 20], "y": [0, 0, 0]}, "t.csv")
    assert places(table, Grid(rows=Axis(n=1), cols=Axis(n=3)))[1].tolist() == [0, 1, 2]
    with pytest.raises(CellTableError, match="channel 6 has x 20, for every run: the grid has 2 cols"):
        places(table, Grid(rows=Axis(n=1), cols=Axis(n=2)))


def test_a_column_of_python_objects_is_one_of_numbers_and_a_column_has_one_dimension():
    gain = np.array([1, None, 2.5], object)
    table = CellTable.from_columns({"channel": [1, 2, 3], "gain": gain, "status": [0, 1, 0]})
    np.testing.assert_array_equal(table["gain"], [1, np.nan, 2.5])
    with pytest.raises(CellTableError, match=r"column 'gain' has shape \(3, 1\), expected one value for"):
        CellTable.from_columns({"channel": [1, 2, 3], "gain": np.ones((3, 1))})


def test_an_azimuth_that_goes_round_is_periodic():
    phi = (np.arange(12) - 5.5) * np.pi / 6
    table = CellTable.from_columns({"channel": range(24), "phi": [*phi, *phi], "eta": [0.1] * 12 + [0.2] * 12})
    rows, cols = table_axes(table)
    assert (rows.name, rows.periodic) == ("eta", False)
    assert (cols.name, cols.periodic, cols.size) == ("phi", True, 12)
    assert cols.edge_positions == pytest.approx(np.linspace(-np.pi, np.pi, 13), abs=1e-6)


def test_what_does_not_go_round_is_not_periodic():
    """Of 12 places of phi one is not there; those of eta are as far apart as in a whole turn."""
    number = np.arange(12)
    columns = {"channel": number, "eta": number * np.pi / 6, "phi": (number % 11 + 0.5) * np.pi / 6}
    rows, cols = table_axes(CellTable.from_columns(columns))
    assert (rows.periodic, cols.periodic, cols.size) == (False, False, 11)


def test_rows_and_columns_of_the_table_are_labels():
    columns = {"channel": [0, 1, 2, 3], "row": [1, 1, 3, 3], "col": [-1, 0, -1, 0]}
    rows, cols = table_axes(CellTable.from_columns(columns))
    assert rows.label_values.tolist() == [1, 2, 3]  # the gap stays
    assert cols.label_values.tolist() == [-1, 0]
    with_places = {**columns, "x": [5, 5, 25, 25.0], "y": [-2, 0, -2, 0.0]}
    rows, cols = table_axes(CellTable.from_columns(with_places))
    assert (rows.name, cols.name) == ("x", "y")  # x rises with the row
    assert rows.centres.tolist() == [5, 15, 25]
    assert cols.centres.tolist() == [-2, 0]


def test_rows_numbered_against_their_position_are_refused():
    columns = {"channel": [0, 1], "row": [0, 1], "col": [0, 0], "x": [0, 0.0], "y": [9, 3.0]}
    with pytest.raises(
        CellTableError, match="y falls while row rises: number rows by rising y, or leave out y"
    ):
        table_axes(CellTable.from_columns(columns))


def test_a_channel_beyond_the_grid_is_named():
    table = CellTable.from_columns({"channel": [0, 8], "row": [0, 3], "col": [0, 0], "first_run": [2, 2]})
    with pytest.raises(CellTableError, match="channel 8 has row 3, for run 2 and later: the grid has 2 rows"):
        places(table, Grid(rows=Axis(n=2), cols=Axis(n=1)))


def test_a_channel_that_is_not_connected_needs_no_place():
    table = CellTable.from_columns(
        {"channel": [0, 1], "row": [0, np.nan], "col": [0, np.nan], "status": [0, 1]}
    )
    row, col = places(table, Grid(rows=Axis(n=1), cols=Axis(n=1)))
    assert row.tolist() == col.tolist() == [0, -1]


def test_a_table_is_parsed_once_and_again_when_it_has_changed(tmp_path):
    first = read(tmp_path, "channel,gain\n1,0.5\n")
    assert read(tmp_path, "channel,gain\n1,0.5\n") is first
    assert read(tmp_path, "channel,gain\n1,2.5\n")["gain"].tolist() == [2.5]
    assert read(tmp_path, "channel,gain\n1,0.5\n", "others.csv").name == "others.csv"
