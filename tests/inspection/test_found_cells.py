"""Cells that are found in a file: never two in one, never one in two, and neighbours are neighbours."""

from pathlib import Path

import numbered_files
import numpy as np
import pytest

from hep_peaksum.cli.main import main
from hep_peaksum.config.load import load_config
from hep_peaksum.reading.blocks import grid_cells, read_blocks


def command(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == 0


@pytest.fixture
def proposed(tmp_path, monkeypatch, capsys):
    """Write hits, propose a config, and return its text and layer, row and col on the grid of every hit."""
    monkeypatch.chdir(tmp_path)

    def propose(event, columns, encoding, **names):
        energy = numbered_files.write("hits.root", event, columns, encoding, **names)
        command("init", "--root", "hits.root")
        command("check", "peaksum.yaml")
        command("run", "peaksum.yaml", "--set", "output.plots=false")
        config = load_config("peaksum.yaml")
        found = np.full((3, len(event)), -1)
        place = {value: number for number, value in enumerate(energy.tolist())}
        first = 0
        for events in read_blocks(config, ["calo"], None, max_events=10_000):
            for n, grid in enumerate(grid_cells(config, ["calo"], events)["calo"]):
                cells = grid if grid.ndim == 3 else grid[np.newaxis]
                for at in np.argwhere(cells):
                    hit = place[float(cells[tuple(at)])]  # a sum of several hits is the energy of none
                    assert event[hit] == first + n
                    found[:, hit] = at
            first += len(events)
        return Path("peaksum.yaml").read_text(), found, config.grids["calo"].grid

    return propose


def same(one, other):
    """Return whether two numberings tell the same hits apart."""
    pairs = np.unique(np.stack([one, other]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def are_neighbours(true, found, n_turn=None):
    """Return whether found numbers rise, or fall, as the true ones do, by the same steps."""
    pairs = np.unique(np.stack([true, found]), axis=1)
    order = np.argsort(pairs[0])
    true, found = pairs[0][order], pairs[1][order]
    apart = [each[:, np.newaxis] - each for each in (true, found)]
    if n_turn is not None:
        apart = [each % n_turn for each in apart]
    falling = -apart[1] if n_turn is None else -apart[1] % n_turn
    return bool((apart[0] == apart[1]).all() or (apart[0] == falling).all())


SQUARE = {
    "eta_phi_grid": numbered_files.eta_phi_grid,
    "theta_module": numbered_files.theta_module,
    "merged_numbers": numbered_files.merged_numbers,
    "staves": numbered_files.staves,
    "endcap_rows": numbered_files.endcap_rows,
    "two_endcaps": numbered_files.two_endcaps,
    "towers_in_modules": numbered_files.towers_in_modules,
    "turned_phi": numbered_files.turned_phi,
    "only_positions": numbered_files.only_positions,
    "tiles_in_depth": numbered_files.tiles_in_depth,
    "wafers": numbered_files.wafers,
    "crystals_in_blocks": numbered_files.crystals_in_blocks,
    "tower_keys": numbered_files.tower_keys,
    "rows_in_modules": numbered_files.rows_in_modules,
    "ids_without_encoding": numbered_files.ids_without_encoding,
}


@pytest.mark.slow
@pytest.mark.parametrize("detector", SQUARE.values(), ids=SQUARE)
def test_cells_are_those_of_the_detector(proposed, detector):
    event, columns, encoding, truth = detector()
    _, (layer, row, col), grid = proposed(event, columns, encoding)
    assert (layer >= 0).all()
    assert same(truth.apart, layer)
    if grid.rows.periodic or not are_neighbours(truth.row, row):
        row, col = col, row
    assert are_neighbours(truth.row, row)
    assert are_neighbours(truth.col, col, truth.n_turn)
    assert truth.n_turn in (None, *grid.shape)
    assert truth.n_turn is None or grid.rows.periodic or grid.cols.periodic


def test_what_few_hits_say_is_a_guess(proposed):
    event, columns, encoding, _ = numbered_files.hexagons(
        31, 6.3, "pointy", [(0, 0)], n=4, n_hits=8, n_events=4
    )
    text, _, grid = proposed(event, columns, encoding)
    assert "guessed from so few" in text.replace("\n    #   ", " ")
    assert grid.hexagons.pitch == pytest.approx(6.3, rel=1e-5)


HEXAGONS = {
    "pointy": (20, 5.5, "pointy", [(0, 0)]),
    "flat": (21, 12.07, "flat", [(0, 0)]),
    "two_shifts": (22, 7.0, "flat", [(0, 0), (4.0414519, 0)]),
    "three_shifts": (23, 8.0, "pointy", [(0, 0), (4, 2.309401), (0, 4.618802)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("lattice", HEXAGONS.values(), ids=HEXAGONS)
@pytest.mark.parametrize("n_modules", [1, 3])
def test_hexagons_are_those_of_the_detector(proposed, lattice, n_modules):
    event, columns, _, truth = numbered_files.hexagons(*lattice, n_modules=n_modules, noise=1e-5)
    text, (layer, row, col), grid = proposed(event, columns, None)
    assert (layer >= 0).all()
    assert "guessed" not in text
    assert grid.hexagons.pitch == pytest.approx(lattice[1], rel=1e-4)
    assert same(truth.apart, layer)
    for part in np.unique(layer):
        true, found = ([q[layer == part], r[layer == part]] for q, r in ((truth.row, truth.col), (row, col)))
        for values in (true, found):
            values[:] = [each - each[0] for each in values]
        assert np.array_equal(true, found)
