"""The plane that hits lie on: their own labels or coordinates, or eta and phi of their positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from hep_peaksum.geometry.coordinates import COORDINATES
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import ProposedAxis, distinct_places, equal_step, propose_axis, snapped
from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch
from hep_peaksum.naming.groups import Group

FEW_PLACES = 0.1  # of the number of hits: so few different places of them are those of cells
OUTER = 0.12  # of the rows, or columns, on either side
HEXAGONS, SHIFTED = "hexagons", "squares in rows that are shifted by half a cell"
FEWEST_IN_CORNERS = 12  # hits that chance would put into outer rows and columns at once


class Plane(NamedTuple):
    """The plane of some hits: what the config says for rows and columns, and the values of both."""

    row: Any
    col: Any
    roles: tuple[str, str]
    values: tuple[Array, Array]
    branches: Sequence[Branch]
    unit: str = ""
    pitch: float = 0.0
    widths: tuple[float, float] | None = None
    geometry: str = ""
    comments: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> str:
        """The names of both axes."""
        return (
            "-".join(
                role[-1] if role in ("iu", "iv", "ix", "iy") else role.removeprefix("i") or role
                for role in self.roles
            )
            .replace("y-x", "x-y")
            .replace("v-u", "u-v")
            .replace("j-i", "i-j")
        )

    def axis(self, part: int) -> ProposedAxis | None:
        """Return the axis of the rows (0) or the columns (1)."""
        role, values = self.roles[part], self.values[part]
        if self.widths is not None:
            return _of_width(role, values, self.widths[part])
        unit = self.unit if role in ("x", "y") else ""
        return propose_axis(role, values, unit, self.pitch)


def _of_width(role: str, values: Array, width: float) -> ProposedAxis:
    """Return cells of a known width in eta or phi."""
    if role == "phi":
        n = round(2 * np.pi / width)
        section = {"name": "phi", "bins": n, "start": "-pi", "stop": "pi", "periodic": True}
        return ProposedAxis(section, f"phi: guessed, the {n} cells of the widest usual towers, by their edges")
    n_half = int(np.ceil(np.abs(values).max() / width))
    stop = round(n_half * width, 6)
    section = {"name": role, "bins": 2 * n_half, "start": -stop, "stop": stop}
    return ProposedAxis(
        section, f"{role}: guessed, cells of {width:g}, the widest usual towers, by their edges"
    )


def plane_of(group: Group, numbers: dict[Branch, Array], units: conventions.Units) -> Plane:
    """Return the plane of hits: their own labels or coordinates, or eta and phi of their positions."""
    if group.pair == ("y", "x"):
        if "z" in group.places:
            positions = [group.places[role] for role in ("x", "y", "z")]
            if not are_planes(group, numbers, units):
                x, y, z = (numbers[branch].astype(np.float64) for branch in positions)
                return _projected(positions, x, y, z)
        return _flat(group, numbers, units)
    row, col = (group.places[role] for role in group.pair)
    roles, values = (group.pair[0], group.pair[1]), (numbers[row], numbers[col])
    widths, comments = None, []
    if group.edges is not None and roles == ("eta", "phi"):
        widths = conventions.widest_towers(numbers[group.edges].reshape(-1, 4))
    if geometry := conventions.named_geometry(roles, group.collection, *values):
        comments.append(("geometry", f"{geometry}: the grid of these towers, with labels, edges and unit"))
    if roles == ("iv", "iu"):
        text = "u and v of hexagons guessed, as in CMS HGCAL; of squares: drop hexagons, and the preset"
        comments.append(("hits", text))
    if roles == ("ieta", "iphi") and _is_disc(*values):
        roles = ("row", "col")
        names = f"{row.config_name} and {col.config_name}"
        comments.append(("hits", f"no hit in the corners: {names} guessed to number a disc, not a turn"))
    if roles == ("plane", "bar"):
        comments.append(
            ("hits", f"{row.config_name} guessed as row, and {col.config_name}, a bar in it, as col")
        )
    places = (row.config_name, col.config_name, roles, values, (row, col))
    return Plane(*places, widths=widths, geometry=geometry, comments=tuple(comments))


def _flat(group: Group, numbers: dict[Branch, Array], units: conventions.Units) -> Plane:
    """Return the plane of x and y."""
    row, col = group.places["y"], group.places["x"]
    values, comments = (numbers[row], numbers[col]), []
    depth = group.layer or group.places.get("z")
    pitch, kind = _pitch(values, None if depth is None else numbers[depth])
    if "z" in group.places:
        x, y, z = (group.places[role].config_name for role in ("x", "y", "z"))
        barrel = f"row: {{eta: [{x}, {y}, {z}]}}, col: {{phi: [{x}, {y}]}}"
        comments.append(("hits", f"a flat detector guessed, so x and y\nfor a barrel: {barrel}"))
    if kind:
        text = f"cells look like {kind}, which square bins only approximate"
        if kind == HEXAGONS:
            text += ": see the preset hexagon-7,\nand hexagon: "
            text += f"[{col.config_name}, {row.config_name}] in place of row and col (docs/hexagons.md)"
        comments.append(("rows", text))
    places = (row.config_name, col.config_name, ("y", "x"), values, (row, col))
    return Plane(*places, unit=units.length, pitch=pitch, comments=tuple(comments))


def _projected(positions: Sequence[Branch], x: Array, y: Array, z: Array) -> Plane:
    """Return the plane of phi and eta of positions, or of theta or z if cells are equally wide along these."""
    names = [branch.config_name for branch in positions]
    is_off_axis = np.hypot(x, y) > 0  # a hit without a position is 0 in all three
    x, y, z = (each[is_off_axis] for each in (x, y, z))
    (eta, _), (theta, _), (phi, _) = (COORDINATES[name] for name in ("eta", "theta", "phi"))
    rows = {"eta": eta(x, y, z), "theta": theta(x, y, z), "z": z}
    axes = ((role, propose_axis(role, snapped(values))) for role, values in rows.items())
    role = next((role for role, axis in axes if axis is not None and not axis.is_guess), "eta")
    flat = f"row: {names[1]}, col: {names[0]}"
    text = f"positions around the beam guessed, so {role} and phi\nfor a flat detector: {flat}"
    row: Any = names[2] if role == "z" else {role: names}
    return Plane(
        row, {"phi": names[:2]}, (role, "phi"), (rows[role], phi(x, y)), positions, comments=(("hits", text),)
    )


def are_planes(group: Group, numbers: Mapping[Branch, Array], units: conventions.Units) -> bool:
    """Return whether hits at x, y and z lie in planes across the beam; True of hits without these."""
    if not {"x", "y", "z"} <= {*group.places} or units.is_flat:
        return True
    x, y, z = (numbers[group.places[axis]].astype(np.float64) for axis in "xyz")
    return not len(x) or is_flat(x, y, z)


def is_flat(x: Array, y: Array, z: Array) -> bool:
    """Return whether hits lie in planes across the beam.

    They are on one side and near it or all at about one z, or lie in a disc, however large the hole in it is;
    or x and y are in equal steps, which they are in no barrel.
    """
    radius = np.hypot(x, y)
    places = (distinct_places(snapped(each)) for each in (x, y))
    if all(equal_step(each) and len(each) < FEW_PLACES * len(x) for each in places):
        return True
    is_one_sided = z.min() >= 0 or z.max() <= 0
    far = np.abs(z)  # of two endcaps
    is_one_sided |= bool(far.min() > 0.5 * far.max())
    thickness = z.max() - z.min()
    is_disc = thickness < 0.2 * (radius.max() - radius.min())
    is_thin = thickness < 0.2 * radius.max()
    return bool(is_disc or ((is_one_sided or is_thin) and radius.min() < 0.3 * radius.max()))


def _is_disc(rows: Array, cols: Array) -> bool:
    """Return whether no hit is in the corners of a plane, although its outer rows and columns have many."""
    outer = [np.minimum(each - each.min(), each.max() - each) < OUTER * np.ptp(each) for each in (rows, cols)]
    expected = np.count_nonzero(outer[0]) * np.count_nonzero(outer[1]) / len(rows)
    return bool(expected > FEWEST_IN_CORNERS and not np.any(outer[0] & outer[1]))


def _pitch(values: tuple[Array, Array], depth: Array | None) -> tuple[float, str]:
    """Return the distance of neighbouring cells of one layer, 0 if hits have positions of their own.

    Also what the cells are, unless they are squares in line: some have six neighbours at about that distance.
    """
    points = np.column_stack([values[1], values[0]]).astype(np.float64)
    if depth is not None:
        labels, counts = np.unique(depth, return_counts=True)
        points = points[depth == labels[np.argmax(counts)]]
    cells = np.unique(np.column_stack([snapped(each) for each in points.T]), axis=0)
    if len(cells) < 10 or len(cells) > 0.8 * len(points):
        return 0.0, ""
    distances, _ = KDTree(cells).query(cells, k=7)
    nearest = distances[:, 1]
    near = nearest < 1.1 * np.quantile(nearest, 0.1)  # most cells may have no neighbour with a hit
    pitch = float(np.median(nearest[near]))
    n_near, n_nearest = (np.count_nonzero(distances[:, 1:] < far * pitch, axis=1).max() for far in (1.2, 1.06))
    return pitch, "" if n_near != 6 else HEXAGONS if n_nearest > 2 else SHIFTED
