"""What `check` says of a cell table."""

from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.preview.cell_tables import describe_table


def test_a_table_without_pedestals_and_gains_says_what_is_assumed(tmp_path):
    """With other names for them, raw counts would pass for energies."""
    path = tmp_path / "cells.csv"
    path.write_text("channel,row,col,status,offset,k\n0,0,0,1,90,2\n1,0,1,1,90,2\n2,1,0,0,90,2\n3,1,1,0,90,2\n")
    dense = {"branch": "adc", "axes": ["channel"]}
    rows = describe_table(GridInput.model_validate({"dense": dense, "cells": str(path)}))
    assert rows[2:] == [
        ("runs", "all: 2 good, 2 dead (channels 0, 1)"),
        ("not used", "offset, k"),
        ("assumed", "pedestal 0, gain 1"),
    ]


def test_every_period_of_runs_tells_its_bad_channels(tmp_path):
    """Later channel 0 is noisy, and of the two good ones left the median noise is 3.5: 6 is not suspicious."""
    path = tmp_path / "cells.csv"
    lines = ["0,0,0,1,0,1,9", "0,0,0,1,2,10,", "1,0,1,1,0,1,", "2,1,0,9,1,1,", "3,1,1,6,0,1,"]
    path.write_text("\n".join(["channel,row,col,noise,status,first_run,last_run", *lines]))
    dense = {"branch": "adc", "axes": ["channel"]}
    rows = describe_table(GridInput.model_validate({"dense": dense, "cells": str(path)}))
    noisy = "1 good with over 5 times the median noise (channel 3)"
    assert rows[0] == ("cells", "4 channels on 4 cells")
    assert rows[2:4] == [
        ("runs", f"1 to 9: 3 good, 1 dead (channel 2), {noisy}"),
        ("", "10 and later: 2 good, 1 dead (channel 2), 1 noisy (channel 0)"),
    ]


def test_of_many_bad_channels_the_first_are_named(tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text("\n".join(["channel,row,col,status", *(f"{n},0,{n},{int(n > 1)}" for n in range(12))]))
    rows = describe_table(
        GridInput.model_validate({"dense": {"branch": "adc", "axes": ["channel"]}, "cells": str(path)})
    )
    assert ("runs", "all: 2 good, 10 dead (channels 2, 3, 4, 5, 6, 7, 8, 9 and 2 more)") in rows
