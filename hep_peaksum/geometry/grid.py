"""The detector plane (`Grid`, of two axes), and arrays of energies on it made from dense branches.

`Grid` is the only translator between array words (row, col) and detector words (eta, phi, x, y). It holds no
energies: those are plain arrays of shape (event, row, col).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, model_validator

from hep_peaksum import notebook_html
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.hexagons import Hexagons, cell_centres
from hep_peaksum.geometry.regions import RegionMaps, Regions
from hep_peaksum.kernels import Array, Periodic
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import EnergyUnit, Number

if TYPE_CHECKING:
    import awkward as ak

AxisWord = Literal["row", "col", "layer"]
POSITION_NAMES = ("x", "y", "eta", "phi")
# Whether lengths vary is not known here: the events may come one by one.
OTHER_LENGTH = (
    "change rows, cols or shape; a branch that leaves out empty cells has hits, which need row and col"
)


class EventError(ValueError):
    """A problem with one event. `event` counts from the first event of the array that was given."""

    def __init__(self, event: int, problem: str) -> None:
        super().__init__(event, problem)
        self.event = int(event)
        self.problem = problem

    def __str__(self) -> str:
        return f"event {self.event}: {self.problem}"


class Grid(FrozenModel):
    """The plane that the cells tile: two axes, and what a count of a cell means.

    `quantity` says whether a cell holds an energy or a transverse energy, `unit` how many GeV one count is (a
    number, or text such as ``"0.5 GeV"``); without it energies are in counts. Cells that hold one of the
    `saturated` codes are added as they are and counted in the field `n_saturated` of the clusters.

    >>> Grid(rows=Axis(n=24), cols=Axis(n=16, periodic=True)).shape
    (24, 16)
    """

    rows: Axis = Field(
        description="Axis of the rows: n, or bins, start and stop, or edges; or labels. Left out, it has as "
        "many cells as the shape of the dense branch says.",
        examples=[{"name": "eta", "bins": 24, "start": -3, "stop": 3}],
    )
    cols: Axis = Field(
        description="Axis of the columns; the same keys as rows.",
        examples=[{"name": "phi", "bins": 72, "start": 0, "stop": "2pi", "periodic": True}],
    )
    quantity: Literal["energy", "et"] = Field(
        "energy", description="What a cell holds: an energy or a transverse energy (et)."
    )
    unit: EnergyUnit | None = Field(
        None,
        description="Energy of one count: a number of GeV, or an energy. Without it energies are in counts.",
        examples=["0.5 GeV"],
    )
    saturated: tuple[Number, ...] = Field(
        (),
        description="Values of a cell that stand for an overflow, in counts. Such cells are added as they are "
        "and counted in the field n_saturated.",
        examples=[[509, 510, 511]],
    )

    regions: RegionMaps = Field(
        default_factory=tuple,
        description="Divisions of the plane by name, for max_clusters_per: the size of equal blocks, or a "
        "drawing of the plane. In a drawing equal characters are one region, and a dot belongs to none.",
        examples=[{"card": [4, 8]}],
    )
    hexagons: Hexagons | None = Field(
        None,
        description="Lattice of hexagonal cells: rows are the axial coordinates q, columns r. Clusters then "
        "have x and y, and are drawn as hexagons. All of its keys may be left out: {}.",
        examples=[{"pitch": 8.34, "orientation": "flat", "unit": "mm"}],
    )

    @model_validator(mode="after")
    def _check_hexagons(self) -> Grid:
        for word, axis in (("rows", self.rows), ("cols", self.cols)) if self.hexagons is not None else ():
            labels = axis.label_values
            if axis.edge_positions is not None or axis.periodic:
                remedy = "have no positions of their own: give n or labels alone"
                remedy = "do not close on themselves: drop periodic" if axis.periodic else remedy
                msg = f"{word}: axial coordinates of hexagons {remedy}"
                raise ValueError(msg)
            if labels is not None and (np.diff(labels) != 1).any():
                remedy = f"give one range, {labels.min()}..{labels.max()}, in which cells may be missing"
                msg = f"{word}: labels of hexagons are neighbours if they differ by 1: {remedy}"
                raise ValueError(msg)
            if axis.name in POSITION_NAMES:
                msg = (
                    f"{word}: {axis.name} is a position, and rows of hexagons are q, columns r: rename the axis"
                )
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_regions(self) -> Grid:
        for regions in self.regions:
            if regions.shape not in (None, self.shape):
                drawn = f"regions {regions.name!r} are drawn for {regions.shape} cells"
                msg = f"{drawn}, the grid has {self.shape}{regions.remedy}"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_names(self) -> Grid:
        if self.rows.name is not None and self.rows.name == self.cols.name:
            msg = f"rows and cols are both named {self.rows.name!r}: give each a name of its own"
            raise ValueError(msg)
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.rows.size, self.cols.size

    @property
    def scale(self) -> float:
        """What a sum of cells is multiplied by to give an energy in `energy_unit`."""
        return 1.0 if self.unit is None else self.unit

    @property
    def energy_unit(self) -> str:
        """The unit of energies: GeV, or counts if the grid has no unit."""
        return "counts" if self.unit is None else "GeV"

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.rows.size * self.cols.size

    @property
    def periodic(self) -> Periodic:
        """Which axes close on themselves."""
        return Periodic(self.rows.periodic, self.cols.periodic)

    def coarsened(self, pool: Sequence[int], *, allow_partial_towers: bool = False) -> Grid:
        """Return the plane of towers of `pool` (rows, cols) cells each (see `Axis.coarsened`)."""
        if tuple(pool) == (1, 1):
            return self
        sizes = {"rows": (self.rows, pool[0]), "cols": (self.cols, pool[1])}
        # an error of a periodic axis comes first: it has one remedy, and that of the other axis does not help
        axes = {
            word: axis.coarsened(n, allow_partial_towers=allow_partial_towers)
            for word, (axis, n) in sorted(sizes.items(), key=lambda each: not each[1][0].periodic)
        }
        # not validated: drawn regions remain those of the cells
        return BaseModel.model_copy(self, update={**axes, "hexagons": None})

    def division(self, name: str) -> Regions:
        """Return the division into regions of that name.

        Raises
        ------
        ValueError
            If the grid has none of that name; the message lists those that it has.
        """
        for regions in self.regions:
            if regions.name == name:
                return regions
        known = ", ".join(regions.name for regions in self.regions) or "none"
        msg = (
            f"max_clusters_per {name!r}: the grid has no regions of that name, it has {known}: add "
            f"regions: {{{name}: [rows, cols]}} to the grid, or set max_clusters_per to 'event'"
        )
        raise ValueError(msg)

    def wrap(self, row: Array, col: Array) -> tuple[Array, Array]:
        """Return rows and columns on the grid: wrapped on periodic axes, (-1, -1) beyond an edge.

        >>> grid = Grid(rows=Axis(n=2), cols=Axis(n=4, periodic=True))
        >>> grid.wrap(np.array([0, 2]), np.array([-1, 1]))
        (array([ 0, -1]), array([ 3, -1]))
        """
        row, col = self.rows.wrap(row), self.cols.wrap(col)
        outside = (row < 0) | (col < 0)
        return np.where(outside, -1, row), np.where(outside, -1, col)

    def hexagon_centres(self, row: Array, col: Array, layer: Array | None = None) -> tuple[Array, Array]:
        """Return x and y of hexagonal cells, or of places between them, of a grid that has any.

        >>> grid = Grid(rows=Axis(labels="-1..1"), cols=Axis(n=3), hexagons=Hexagons(pitch=2))
        >>> [each.tolist() for each in grid.hexagon_centres(np.array([0, 2]), np.array([0, 0]))]
        [[-2.0, 2.0], [0.0, 0.0]]
        """
        first = [0 if axis.label_values is None else axis.label_values[0] for axis in (self.rows, self.cols)]
        return cell_centres(row + first[0], col + first[1], self.hexagons or Hexagons(), layer)

    def axis(self, name: str) -> tuple[Literal["row", "col"], Axis] | None:
        """Return ("row" or "col", axis) of the axis of that name, or None."""
        if self.rows.name == name:
            return "row", self.rows
        return ("col", self.cols) if self.cols.name == name else None

    def _repr_html_(self) -> str:
        """Return what notebooks show: the two axes, and what a count of a cell means."""
        columns = ("", "name", "cells", "from", "to", "periodic", "labels")
        rows = [(word, *axis.in_words()) for word, axis in (("rows", self.rows), ("columns", self.cols))]
        values: dict[str, object] = {
            "cells hold": "a transverse energy" if self.quantity == "et" else "an energy",
            "one count": "1 count, no unit given" if self.unit is None else f"{self.unit:g} GeV",
        }
        if self.saturated:
            values["saturated codes"] = ", ".join(map(str, self.saturated))
        if self.hexagons is not None:
            values["hexagons"] = f"pitch {self.hexagons.pitch:g} {self.hexagons.unit or ''}".rstrip()
        if self.regions:
            values["regions"] = ", ".join(regions.name for regions in self.regions)
        title = f"Grid of {self.rows.size} × {self.cols.size} cells"
        return notebook_html.page(
            title, notebook_html.column_table(columns, rows), notebook_html.key_table(values)
        )

    @property
    def is_eta_phi(self) -> bool:
        """Whether the plane has both pseudorapidity and azimuth, hence four-vectors."""
        return {self.rows.name, self.cols.name} == {"eta", "phi"}


def bare_grid(shape: Sequence[int]) -> Grid:
    """Return a grid of indices without positions, for arrays of shape (..., row, col).

    >>> bare_grid((1, 24, 16)).shape
    (24, 16)
    """
    return _bare_grid(int(shape[-2]), int(shape[-1]))


@lru_cache(maxsize=64)
def _bare_grid(n_rows: int, n_cols: int) -> Grid:
    """Return the grid, one and the same for every event that is searched by itself."""
    return Grid(rows=Axis(n=n_rows), cols=Axis(n=n_cols))


def checked_grid(grid: object) -> Grid:
    """Return a grid; anything else, such as a shape, is a TypeError that says how to make one of it."""
    if isinstance(grid, Grid):
        return grid
    example = "Grid(rows=Axis(n=24), cols=Axis(n=16))"
    if isinstance(grid, str):
        example = f"named_grid({grid!r})"
    elif isinstance(grid, Mapping):
        example = "Grid(**keys)"
    elif isinstance(grid, Sequence) and len(grid) == 2:
        example = f"Grid(rows=Axis(n={grid[0]!r}), cols=Axis(n={grid[1]!r}))"
    msg = f"grid is {grid!r:.60}, expected a Grid: write {example}"
    raise TypeError(msg)


def is_traced(array: object) -> bool:
    """Return whether an awkward array has a type and no values: a typetracer, with which dask plans."""
    awkward: Any = sys.modules.get("awkward")  # slow to import, and without it this is none of its arrays
    if not hasattr(awkward, "typetracer"):  # awkward 1 has none
        return False
    return isinstance(array, awkward.Array) and awkward.backend(array) == "typetracer"


def known(array: Any) -> Any:
    """Return an array without events for a typetracer, whose values count as used; any other array as it is."""
    if not is_traced(array):
        return array
    return sys.modules["awkward"].typetracer.length_zero_if_typetracer(array)


def traced_like(grids: Array, array: object) -> Array:
    """Return typetracers of grids if the array that they were made of is one."""
    if not is_traced(array):
        return grids
    awkward = sys.modules["awkward"]
    layout = awkward.from_numpy(grids, regulararray=True, highlevel=False)
    return awkward.Array(layout.to_typetracer(forget_length=True))  # type: ignore[no-any-return]


def split_mask(array: npt.ArrayLike | ak.Array) -> tuple[Array, Array | None]:
    """Return an array and where it has no value: the mask of `numpy.ma` and every None of awkward.

    What has no value is 0 in the array. An array that has every value is returned as it is, with None.

    >>> split_mask(np.ma.array([7, 8], mask=[True, False]))
    (array([0, 8]), array([ True, False]))
    """
    if isinstance(array, (list, tuple)) and any(isinstance(part, np.ma.MaskedArray) for part in array):
        array = np.ma.stack(array)
    if not isinstance(array, np.ndarray):
        awkward: Any = sys.modules.get("awkward")
        is_awkward = awkward is not None and isinstance(array, awkward.Array)
        array = awkward.to_numpy(known(array), allow_missing=True) if is_awkward else np.asarray(array)
    if not isinstance(array, np.ma.MaskedArray):
        return np.asarray(array), None
    mask = np.ma.getmaskarray(array)
    return (array.filled(0), mask) if mask.any() else (np.asarray(array.data), None)


def one_event(cells: npt.ArrayLike | ak.Array) -> Array:
    """Return the cells of one event as an array of events, masked where they have no value."""
    values, mask = split_mask(cells)
    return values[None] if mask is None else np.ma.array(values, mask=mask)[None]


def from_dense(
    array: npt.ArrayLike | ak.Array,
    grid: Grid,
    *,
    axes: Sequence[AxisWord] = ("row", "col"),
    shape: Sequence[int] | None = None,
) -> Array:
    """Return grids that are stored cell by cell, empty cells included, as an array (event, row, col).

    Cells without a value, masked or None, are masked in the result (see `numpy.ma`).

    Parameters
    ----------
    array
        One value per cell and event: shape (event, ...) in the order of `axes`, or flat, or jagged with the
        same length in every event.
    grid
        The plane, which the array must fit.
    axes
        The order of a cell's indices, slowest first; with ``"layer"`` the result is (event, layer, row, col).
    shape
        Cells along `axes`; needed only for the number of layers of a flat array.

    Raises
    ------
    EventError
        If an event has another number of cells than the grid; it names the first such event.
    ValueError
        If the array as a whole does not fit the grid.

    >>> from_dense([[1, 2, 3, 4]], bare_grid((2, 2))).tolist()
    [[[1, 2], [3, 4]]]
    """
    expected = _dense_shape(checked_grid(grid), axes, shape)
    if isinstance(array, (list, tuple)) and not any(isinstance(part, np.ma.MaskedArray) for part in array):
        import awkward as ak

        array = ak.Array(list(array))
    is_numpy = isinstance(array, (np.ndarray, list, tuple))
    cells, mask = split_mask(array if is_numpy else _regular(known(array), expected))
    if 0 in expected and cells.ndim in (2, len(expected) + 1):
        expected = _with_layers(expected, cells.shape[1:])
    if cells.shape[1:] not in (expected, (math.prod(expected),)):
        given = f"{cells.shape[1:]} cells" if cells.ndim > 1 else "one number"
        remedy = _swapped(cells.shape[1:], expected, axes, "swap rows and cols")
        remedy = remedy or _mend(grid, cells.shape[1:], expected, axes)
        msg = f"the array has {given} an event, the grid needs {expected} ({', '.join(axes)}){remedy}"
        raise ValueError(msg)
    order = (0, *(axes.index(word) + 1 for word in ("layer", "row", "col") if word in axes))
    grids, missing = (
        None if each is None else np.transpose(each.reshape(len(cells), *expected), order)
        for each in (cells, mask)
    )
    grids = np.ascontiguousarray(grids, dtype=cells.dtype.newbyteorder("="))
    return traced_like(grids, array) if missing is None else np.ma.array(grids, mask=missing)


def _dense_shape(grid: Grid, axes: Sequence[AxisWord], shape: Sequence[int] | None) -> tuple[int, ...]:
    """Return the number of cells along `axes`, 0 for layers if `shape` is not given."""
    if isinstance(axes, str) or sorted(axes) not in (["col", "row"], ["col", "layer", "row"]):
        what = "a list of row and col, and layer if there is one, in the order of the branch"
        msg = f"axes is {axes if isinstance(axes, str) else [*axes]!r}, expected {what}, as in ['row', 'col']"
        raise ValueError(msg)
    sizes = {"row": grid.rows.size, "col": grid.cols.size, "layer": 0}
    expected = tuple(sizes[word] for word in axes)
    if shape is None:
        return expected
    shape = tuple(shape)
    if not _fits(shape, expected):
        remedy = _swapped(shape, expected, axes, f"write shape: {[n for n in expected if n]}")
        remedy = remedy or _mend(grid, shape, expected, axes)
        msg = f"shape {list(shape)} does not fit the axes {list(axes)} of a grid of {grid.shape} cells{remedy}"
        raise ValueError(msg)
    return shape


def _fits(shape: Sequence[int], expected: Sequence[int]) -> bool:
    """Return whether a shape is the expected one, of which 0 stands for any number."""
    return len(shape) == len(expected) and all(m in (0, n) for n, m in zip(shape, expected, strict=True))


def _swapped(shape: tuple[int, ...], expected: tuple[int, ...], axes: Sequence[AxisWord], remedy: str) -> str:
    """Return what to do if rows and columns are in the other order; nothing if they are not."""
    words: dict[str, AxisWord] = {"row": "col", "col": "row"}
    other = [words.get(word, word) for word in axes]
    sizes = [expected[axes.index(word)] for word in other]
    return f": {remedy}, or axes: [{', '.join(other)}]" if _fits(shape, sizes) else ""


def _mend(grid: Grid, shape: tuple[int, ...], expected: tuple[int, ...], axes: Sequence[AxisWord]) -> str:
    """Return which axes do not have the number of cells of an array, or are not named, and what to write."""
    if not shape:
        return ": name the branch of all cells, or several branches of one cell each, or give hits"
    if len(shape) == 1 and len(axes) > 1:
        n_cells = math.prod(n or 1 for n in expected)
        return f": these are {shape[0]} values, rows and cols make {n_cells}" if shape[0] != n_cells else ""
    if len(shape) != len(axes):
        right = {2: "row, col", 3: "layer, row, col"}.get(len(shape))
        return f": these are {len(shape)} axes, name as many, as in axes: [{right}]" if right else ""
    own = {"row": ("rows", grid.rows), "col": ("cols", grid.cols)}
    wrong = [
        (*own[word], n) for word, n, m in zip(axes, shape, expected, strict=True) if word in own and n != m
    ]
    return ": " + ", ".join(f"{name} {axis.remedy_for(n)}" for name, axis, n in wrong) if wrong else ""


def _with_layers(expected: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the expected shape with the number of layers of an array of this shape."""
    is_flat = len(shape) == 1
    n_layers = shape[0] // math.prod(n for n in expected if n) if is_flat else shape[expected.index(0)]
    return tuple(n or n_layers for n in expected)


def _regular(array: ak.Array, expected: tuple[int, ...]) -> Array:
    """Return a jagged array as a regular one; an event of another shape than expected is an error."""
    import awkward as ak

    depth = array.ndim - 1
    if depth not in (1, len(expected)):
        msg = f"the array has {depth} axes below the event, expected 1 (flat) or {len(expected)}"
        raise ValueError(msg)
    if (kind := not_a_number(array)) is not None:
        msg = f"the array holds {kind}, expected a number for every cell"
        raise ValueError(msg)
    if len(array) == 0:
        return np.empty((0, *(n or 1 for n in expected)), np.asarray(ak.flatten(array, axis=None)).dtype)
    if 0 in expected:
        first: Any = next((ak.to_list(event) for event in array if event is not None), [])
        sizes = [len(first)]
        while depth > len(sizes) and isinstance(first := first[0] if first else [], list):
            sizes.append(len(first))
        expected = _with_layers(expected, tuple(sizes))
    sizes = [math.prod(expected)] if depth == 1 else list(expected)
    wrong = np.zeros(len(array), bool)
    for level, size in enumerate(sizes, start=1):
        differs = ak.num(array, axis=level) != size
        while differs.ndim > 1:
            differs = ak.any(differs, axis=-1)
        wrong |= np.asarray(ak.fill_none(differs, False))  # what is missing is masked
    if wrong.any():
        event = int(np.argmax(wrong))
        raise EventError(event, _wrong_shape(array, event, sizes))
    return ak.to_numpy(array, allow_missing=True)  # type: ignore[no-any-return]


def not_a_number(array: ak.Array) -> Any:
    """Return the type of the values in lists of lists, if they are not numbers; otherwise None.

    Awkward 1, which PocketCoffea needs, calls the types by other names.

    >>> import awkward as ak
    >>> str(not_a_number(ak.Array([["a"]]))), not_a_number(ak.Array([[1, None]]))
    ('string', None)
    """
    import awkward as ak

    kind: Any = ak.type(array)
    while (inner := getattr(kind, "content", getattr(kind, "type", None))) is not None:
        kind = inner
        if "__array__" in kind.parameters:  # text
            return kind
    return None if type(kind).__name__ in ("NumpyType", "PrimitiveType", "UnknownType") else kind


def _wrong_shape(array: ak.Array, event: int, sizes: list[int]) -> str:
    """Describe the first level on which an event has another number of values than the grid."""
    import awkward as ak

    for level, size in enumerate(sizes, start=1):
        numbers = ak.num(array, axis=level)[event : event + 1]  # awkward 1 counts wrongly in slices
        for n in ak.to_list(ak.flatten(numbers, axis=None)):
            if n != size:
                return f"{n} values where the grid needs {size}: {OTHER_LENGTH}"
    return "another shape than the grid"
