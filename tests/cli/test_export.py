"""`export`: a preset or a collection as a C++ header."""

import os
from pathlib import Path

import numpy as np
import pytest

from hep_peaksum import cpp_header, preset
from hep_peaksum.config.load import load_config


def test_a_preset_is_written_and_what_is_left_out_is_told(cli, tmp_path):
    status, out, err = cli("export", "cms-l1-jet", "-o", tmp_path / "jets.hpp", "--namespace", "jets")
    assert (status, err) == (0, "")
    assert (tmp_path / "jets.hpp").read_text() == cpp_header(*preset("cms-l1-jet"), namespace="jets")
    assert "jets::find(cells) with the 80 x 72 cells" in " ".join(out.split())
    assert "Left out: the fields chunky_donut, net." in out


def test_a_preset_without_a_grid_takes_a_shape(cli, tmp_path):
    header = tmp_path / "peaksum.hpp"
    assert cli("export", "keras-3x3", "-o", header, "--shape", "24x16")[0] == 0
    assert "constexpr int n_rows = 24;" in header.read_text()


def test_a_collection_of_a_config_is_written_with_its_mask(cli, job, write_config, write_events, tmp_path):
    content = job(write_events("a.root", 3))
    np.save(tmp_path / "dead.npy", np.arange(48).reshape(6, 8) == 13)
    content["grids"]["calo"]["mask"] = str(tmp_path / "dead.npy")
    config = write_config(content)
    assert cli("export", config, "-o", tmp_path / "jets.hpp", "--set", "clusters.Jet.seed_threshold=5")[0] == 0
    chosen = load_config(config, ["clusters.Jet.seed_threshold=5"])
    expected = cpp_header(
        chosen.clusters["Jet"].settings, chosen.grids["calo"].grid, mask=chosen.grids["calo"].mask_map()
    )
    assert (tmp_path / "jets.hpp").read_text() == expected
    assert "masked = {13};" in expected


LAYERS = {"branch": "cells", "shape": [2, 6, 8], "axes": ["layer", "row", "col"]}
CHANNELS = {"branch": "cells", "axes": ["channel"]}
MORE_THAN_A_PLANE = {
    "several_grids": ({}, ["calo", "twin"], "the collection is of several grids, a header is of one grid"),
    "each_layer": ({"dense": LAYERS, "layers": "each"}, "calo", "the collection is of each layer separately, "),
    "a_cell_table": (
        {"dense": CHANNELS, "cells": "c.csv"},
        "calo",
        "grid 'calo' has a cell table, and a header",
    ),
}


@pytest.mark.parametrize(("keys", "grid", "problem"), MORE_THAN_A_PLANE.values(), ids=MORE_THAN_A_PLANE)
def test_a_header_is_of_one_plane(cli, job, write_config, tmp_path, keys, grid, problem):
    content = job("a.root")
    content["grids"] |= {"twin": dict(content["grids"]["calo"])}
    content["grids"]["calo"] |= keys
    content["clusters"] = {"Jet": {"grid": grid, "seed_threshold": 3}}
    row, col = np.divmod(np.arange(48), 8)
    rows = "".join(f"{n},{row[n]},{col[n]}\n" for n in range(48))
    Path("c.csv").write_text(f"channel,row,col\n{rows}")
    status, _, err = cli("export", write_config(content), "-o", tmp_path / "jets.hpp")
    assert (status, problem in err) == (1, True), err


def test_layers_that_are_added_up_are_one_plane(cli, job, write_config, tmp_path):
    content = job("a.root")
    content["grids"]["calo"]["dense"] = LAYERS
    assert cli("export", write_config(content), "-o", tmp_path / "jets.hpp")[0] == 0


def test_only_a_header_of_ours_is_replaced(cli, tmp_path):
    header = tmp_path / "peaksum.hpp"
    header.write_text("clusters: {}  # a config, say")
    arguments = ("export", "keras-3x3", "-o", header, "--shape", "24x16")
    status, _, err = cli(*arguments)
    assert status == 2
    assert "exists already, and this command did not write it: choose another name with -o" in " ".join(
        err.split()
    )
    assert header.read_text() == "clusters: {}  # a config, say"
    header.unlink()
    assert [cli(*arguments)[0], cli(*arguments)[0]] == [0, 0]


def test_a_pipe_is_written_to_and_stays_one(cli, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert cli("export", "keras-3x3", "-o", pipe, "--shape", "24x16")[0] == 0
        assert b"constexpr int n_rows = 24;" in os.read(reader, 1 << 16)
    finally:
        os.close(reader)
    assert pipe.is_fifo()


MISTAKES = {
    "no_shape": (["keras-3x3"], "add --shape, as in --shape 24x16"),
    "a_shape_too_many": (["cms-l1-jet", "--shape", "80x72"], "has a grid: drop --shape"),
    "a_shape_for_a_config": (["nothing.yaml", "--shape", "3x3"], "config nothing.yaml has grids: drop --shape"),
    "not_a_shape": (["keras-3x3", "--shape", "24,16"], "write rows and columns, as in 24x16"),
    "a_shape_of_no_cells": (["keras-3x3", "--shape", "0x16"], "write rows and columns, as in 24x16"),
    "unknown": (["cms-l1-jets"], "cms-l1-jet"),
    "greedy": (["cms-pf", "--shape", "8x8"], "cannot be exported"),
    "no_config": (["nothing.yaml"], "nothing.yaml"),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line_and_write_nothing(cli, tmp_path, arguments, message):
    status, _, err = cli("export", *arguments, "-o", tmp_path / "peaksum.hpp")
    assert status in (1, 2)
    assert message in err
    assert not (tmp_path / "peaksum.hpp").exists()
