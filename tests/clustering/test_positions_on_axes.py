"""Every position lies on its axis: rounding takes none to the end of a periodic axis, or beyond an edge."""

import math

import awkward as ak
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rules_checks import is_same_on_circle

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters
from hep_peaksum.geometry.hits import sparse

# A shower on the seam of a row of 8 columns: what lies in column 1 and in column 7 is equal but for rounding.
SEAM = np.zeros((1, 3, 8))
SEAM[0, :, 1], SEAM[0, :, 7], SEAM[0, 1, 0] = (0.1, 0.2, 0.3), (0.2, 0.3, 0.1), 1
POSITIONS = ("barycentre_row", "barycentre_col", "width_row", "width_col", "at_seed")


@pytest.mark.parametrize("position", ["linear", "log"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_barycentre_on_the_seam_is_column_0_and_not_the_number_of_columns(kernel, position, dtype):
    grid = Grid(rows=Axis(n=3), cols=Axis(name="x", bins=8, start=-0.5, stop=7.5, periodic=True))
    settings = PeakSumSettings(position=position, kernel=kernel)
    (cluster,) = find_clusters(SEAM.astype(dtype), settings, grid, fields=["barycentre_col", "x"])[0]

    assert is_same_on_circle(cluster.barycentre_col, 0, 8)
    assert 0 <= cluster.barycentre_col < 8
    assert is_same_on_circle(cluster.x, 0, 8)
    assert -0.5 <= cluster.x < 7.5


@pytest.mark.parametrize(("start", "stop"), [(-0.5, 7.5), (0, 8), (-4, 4), (100, 108)])
def test_a_coordinate_on_the_seam_is_the_start_of_its_axis_and_not_the_stop(kernel, start, stop):
    grid = Grid(rows=Axis(n=3), cols=Axis(name="x", bins=8, start=start, stop=stop, periodic=True))
    # The mean of two equal columns is the edge between them.
    cells = np.zeros((8, 3, 8))
    for col in range(8):
        cells[col, :, col], cells[col, :, (col + 1) % 8] = (0.1, 0.7, 0.3), (0.3, 0.7, 0.1)
    x = find_clusters(cells, PeakSumSettings(position="linear", kernel=kernel), grid, fields=["x"]).x

    assert ak.num(x).to_list() == [1] * 8
    assert ak.flatten(x).to_numpy() == pytest.approx([start + (col + 1) % 8 for col in range(8)], abs=1e-12)
    assert ak.all((x >= start) & (x < stop))


def test_an_azimuth_on_the_seam_at_pi_is_minus_pi(kernel):
    grid = Grid(rows=Axis(n=1), cols=Axis(name="phi", bins=8, start="-pi", stop="pi", periodic=True))
    settings = PeakSumSettings(search_window=(1, 3), sum_window=(1, 3), position="linear", kernel=kernel)
    (cluster,) = find_clusters([[[4, 0, 0, 0, 0, 0, 0, 4]]], settings, grid, fields=["phi"])[0]

    assert cluster.phi == pytest.approx(-math.pi)
    assert -math.pi <= cluster.phi < math.pi


@st.composite
def axes(draw, name, n):
    """Draw an axis of indices or positions, an azimuth among them, that may be periodic."""
    kind = draw(st.sampled_from(("index", "position", "phi", "phi in degrees")))
    periodic = draw(st.booleans())
    if kind == "index":
        return Axis(n=n, periodic=periodic)
    if kind == "phi":
        start = draw(st.sampled_from((0.0, -math.pi, 1.0, -math.pi / n)))
        return Axis(name="phi", bins=n, start=start, stop=start + math.tau, periodic=periodic)
    if kind == "phi in degrees":
        start = draw(st.sampled_from((0, -180, 90, -180 / n)))
        return Axis(name="phi", bins=n, start=start, stop=start + 360, periodic=periodic, unit="deg")
    start = draw(st.sampled_from((0, -0.1, 1 / 3, -1e6)))
    return Axis(
        name=name, bins=n, start=start, stop=start + draw(st.sampled_from((1, 0.7, 1e3))), periodic=periodic
    )


# Equal sums in several orders of addition, and energies far apart.
NARROW, WINDOWS = ((1, 1), (3, 1)), ((1, 1), (3, 3), "xo", "x.o")
ENERGIES = st.sampled_from((0.0, 0.1, 0.2, 0.3, 0.1 + 0.2, 1 / 3, 1.0, 1e9, 1e-300, -0.2))


@runs(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_position_lies_on_its_axis(data):
    dtype = data.draw(st.sampled_from((np.float32, np.float64)))
    cells = data.draw(hnp.arrays(np.float64, (2, 4, 6), elements=ENERGIES)).astype(dtype)
    rows, cols = data.draw(axes("y", 4)), data.draw(axes("x", 6))
    if rows.name == cols.name == "phi":
        cols = Axis(n=6)
    grid = Grid(rows=rows, cols=cols)
    towers = data.draw(st.sampled_from(((1, 1), (1, 2), (1, 3))))
    settings = PeakSumSettings(
        search_window=(3, 1) if towers == (1, 3) else (3, 3),
        sum_window=data.draw(st.sampled_from(NARROW if towers == (1, 3) else WINDOWS)),
        tie_rule="all",
        seed_threshold=-1,
        position=data.draw(st.sampled_from(("seed", "linear", "log"))),
        coarsen=towers,
        sum_over=data.draw(st.sampled_from(("towers", "cells"))),
        kernel=data.draw(st.sampled_from(("numba", "scipy"))),
    )
    given_cells = cells
    if data.draw(st.booleans()) and dtype is np.float32:
        row, col = (np.broadcast_to(index, cells.shape).reshape(2, -1) for index in np.indices((4, 6)))
        bare = Grid(rows=Axis(n=4), cols=Axis(n=6))
        given_cells = sparse(ak.Array(row), ak.Array(col), ak.Array(cells.reshape(2, -1)), bare)
    named = [axis.name for axis in (rows, cols) if axis.name]
    fields = [*POSITIONS, *named, *(f"{word}_{name}" for name in named for word in ("barycentre", "width"))]
    clusters = ak.flatten(find_clusters(given_cells, settings, grid, fields=fields))

    for word, axis, n in (("row", rows, 4), ("col", cols, 6 // towers[1])):
        index = clusters[f"barycentre_{word}"].to_numpy()
        assert (
            ((index >= 0) & (index < n)).all() if axis.periodic else ((index > -0.5) & (index < n - 0.5)).all()
        )
        if axis.name is None:
            continue
        low, high = (-math.pi, math.pi) if axis.name == "phi" else axis.edge_positions[[0, -1]]
        for field in (axis.name, f"barycentre_{axis.name}"):
            position = clusters[field].to_numpy()
            assert ((position >= low) & (position < high)).all()
        assert (clusters[f"width_{axis.name}"] >= 0).to_numpy().all()
        at_seed = clusters.at_seed.to_numpy()
        assert (clusters[f"width_{axis.name}"].to_numpy()[at_seed] == 0).all()


def test_cells_that_face_each_other_have_no_mean_azimuth(kernel):
    """Equal cells at -pi/2 and pi/2: the position is that of the seed."""
    grid = Grid(rows=Axis(n=1), cols=Axis(name="phi", bins=2, start="-pi", stop="pi", periodic=True))
    settings = PeakSumSettings(search_window=(1, 1), sum_window="ox", position="linear", kernel=kernel)
    clusters = find_clusters([[[1.0, 1.0]]], settings, grid, fields=["phi", "peak_sum"])
    assert clusters.peak_sum.to_list() == [[2, 2]]
    assert clusters.phi.to_list() == [pytest.approx([-np.pi / 2, np.pi / 2])]
