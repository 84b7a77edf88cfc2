"""A toy test beam: a matrix of crystals as a digitiser writes it, the table that calibrates it, and the truth.

Electrons of known energy hit 9 x 9 crystals. The files hold raw ADC counts by channel, in the order of the
readout and not of the crystals; pedestals and gains change at a run; two channels are dead and one is noisy.
Nothing here reads the table: what clusters should be is written beside the counts.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import numpy as np

from hep_peaksum import toy
from hep_peaksum.kernels import Array
from hep_peaksum.results.atomic_write import atomic_write

N_SIDE = 9
N_CHANNELS = N_SIDE**2
PITCH = 22.0  # mm
RUNS = (101, 102)  # the calibration changes between them
ENERGIES = (20, 50, 100)  # GeV
BEAM_SPREAD, HODOSCOPE_RESOLUTION = 9.0, 0.2  # mm
FULL_SCALE = 4095  # of a digitiser with 12 bits
DEAD, NOISY = ((1, 7), (7, 1)), (1, 4)  # row and column; in no 3 x 3 of a crystal that the beam hits
NOISE, NOISE_OF_NOISY = 1.0, 60.0  # counts
CHANNELS_PER_BOARD = 27
TABLE = "crystals.csv"
COLUMNS = (
    *("channel", "x", "y", "pedestal", "noise_raw", "gain", "status", "first_run", "last_run"),
    "board",
)


class Setup(NamedTuple):
    """The matrix: arrays by channel, pedestal [counts] and gain [GeV/count] with a row for each of `RUNS`."""

    row: Array
    col: Array
    status: Array
    noise: Array
    pedestal: Array
    gain: Array


class BeamEvents(NamedTuple):
    """Raw counts, shape (event, channel), the run of every event, and the truth.

    `x` and `y` [mm] are the true point of impact, `e9` [GeV] is the energy in the 3 x 3 crystals about the
    highest one. `hodo_x` and `hodo_y` are what the hodoscope measured.
    """

    adc: Array
    run: Array
    hodo_x: Array
    hodo_y: Array
    x: Array
    y: Array
    e9: Array


def make_setup(seed: int = 0) -> Setup:
    """Return the crystals as they are wired: pedestals about 100 counts and gains about 40 MeV a count.

    >>> setup = make_setup()
    >>> setup.pedestal.shape, int((setup.status != 0).sum())
    ((2, 81), 3)
    """
    random = np.random.default_rng(seed)
    row, col = np.divmod(random.permutation(N_CHANNELS), N_SIDE)
    status = np.zeros(N_CHANNELS, np.int64)
    for place in DEAD:
        status[(row == place[0]) & (col == place[1])] = 1
    status[(row == NOISY[0]) & (col == NOISY[1])] = 2
    noise = np.where(status == 2, NOISE_OF_NOISY, NOISE * random.uniform(0.9, 1.1, N_CHANNELS))
    pedestal = random.normal(100, 8, N_CHANNELS)
    gain = 0.040 * random.normal(1, 0.05, N_CHANNELS)
    later = pedestal + random.normal(15, 4, N_CHANNELS), gain * random.normal(0.93, 0.02, N_CHANNELS)
    # rounded as a table holds them, so that the table is the truth
    pedestals, gains = np.round([pedestal, later[0]], 2), np.round([gain, later[1]], 6)
    return Setup(row, col, status, np.round(noise, 3), pedestals, gains)


def make_events(n_events: int, energy: float, setup: Setup, *, seed: int) -> BeamEvents:
    """Return electrons of one energy, in GeV, half of them in each run; equal arguments give equal events.

    Showers have the profile and the fluctuations of `hep_peaksum.toy`: a crystal is about as wide as the
    Moliere radius, and the whole shower has a resolution of 10 % / sqrt(E) and 1 %.

    >>> make_events(4, 50, make_setup(), seed=1).adc.shape
    (4, 81)
    """
    random = np.random.default_rng([seed, int(1000 * energy)])
    x, y = np.clip(random.normal(0, BEAM_SPREAD, (2, n_events)), -1.4 * PITCH, 1.4 * PITCH)
    period = (np.arange(n_events) >= n_events / 2).astype(np.int64)
    energies = _crystal_energies(random, energy, x, y)
    in_order = energies[:, setup.row, setup.col]
    noise = random.normal(0, setup.noise, in_order.shape)
    counts = np.round(in_order / setup.gain[period] + setup.pedestal[period] + noise)
    adc = np.where(setup.status == 1, 0, counts).clip(0, FULL_SCALE).astype(np.uint16)
    hodo_x, hodo_y = np.array([x, y]) + random.normal(0, HODOSCOPE_RESOLUTION, (2, n_events))
    return BeamEvents(adc, np.array(RUNS)[period], hodo_x, hodo_y, x, y, _nine_about(energies))


def _hit_crystal(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the row and the column of the crystals at a point: 4.5 is the middle of the fifth."""
    return y / PITCH + N_SIDE / 2, x / PITCH + N_SIDE / 2


def _crystal_energies(random: np.random.Generator, energy: float, x: Array, y: Array) -> Array:
    """Return the energy in every crystal, shape (event, row, col)."""
    cells, rows, cols = toy.shower_cells(random, energy, *_hit_crystal(x, y))
    energies = np.zeros((len(x), N_SIDE, N_SIDE))
    energies[np.arange(len(x))[:, None, None], rows, cols] = cells
    return energies


def _nine_about(energies: Array) -> Array:
    """Return the energy in the 3 x 3 crystals about the highest one, which is what a search finds."""
    highest = energies.reshape(len(energies), -1).argmax(axis=1)
    row, col = np.divmod(highest, N_SIDE)
    around = np.arange(-1, 2)
    event = np.arange(len(energies))[:, None, None]
    nine = energies[event, row[:, None, None] + around[:, None], col[:, None, None] + around]
    return np.asarray(nine.sum(axis=(1, 2)))


def write_table(path: str | os.PathLike[str], setup: Setup) -> None:
    """Write the cell table: a row for every channel and run range."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    centre = (N_SIDE - 1) / 2
    for period, (first, last) in enumerate(((RUNS[0], RUNS[1] - 1), (RUNS[1], ""))):
        for channel in range(N_CHANNELS):
            place = (setup.col[channel] - centre) * PITCH, (setup.row[channel] - centre) * PITCH
            calibration = setup.pedestal[period, channel], setup.noise[channel], setup.gain[period, channel]
            board = f"b{channel // CHANNELS_PER_BOARD}"
            writer.writerow([channel, *place, *calibration, setup.status[channel], first, last, board])
    with atomic_write(Path(path), tidy=True) as target:
        target.write(text.getvalue().encode())


def write_events(path: str | os.PathLike[str], events: BeamEvents) -> None:
    """Write events to a ROOT TTree `Events`: `adc[81]`, the run, the hodoscope, the truth as `true_*`.

    Equal events give files with the same UUID, so that a job sees that nothing has changed.
    """
    import uproot

    number = np.arange(len(events.adc), dtype=np.uint64)
    floats = {f"true_{name}": getattr(events, name) for name in ("x", "y", "e9")}
    floats |= {"hodo_x": events.hodo_x, "hodo_y": events.hodo_y}
    branches = {
        "run": events.run.astype(np.uint32),
        "luminosityBlock": np.ones(len(number), np.uint32),
        "event": number,
        "adc": events.adc,
        **{name: column.astype(np.float32) for name, column in floats.items()},
    }
    content = hashlib.sha256(events.adc.tobytes()).digest()[:16]
    options = {"compression": uproot.ZSTD(3), "uuid_function": lambda: UUID(bytes=content)}
    with atomic_write(Path(path), tidy=True) as target, uproot.recreate(target, **options) as file:
        file.mktree("Events", {name: _branch_type(column) for name, column in branches.items()})
        file["Events"].extend(branches)


def _branch_type(column: Array) -> np.dtype[np.generic]:
    return np.dtype((column.dtype, column.shape[1:])) if column.ndim > 1 else column.dtype


def write_testbeam(folder: str | os.PathLike[str], n_events: int = 5000, *, seed: int = 1) -> list[Path]:
    """Write a file for each of `ENERGIES`, and the cell table; return their paths."""
    folder, setup = Path(folder), make_setup()
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"e{energy}.root" for energy in ENERGIES]
    for energy, path in zip(ENERGIES, paths, strict=True):
        write_events(path, make_events(n_events, energy, setup, seed=seed))
    write_table(folder / TABLE, setup)
    return [*paths, folder / TABLE]
