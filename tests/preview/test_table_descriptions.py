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
