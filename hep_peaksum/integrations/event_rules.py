"""What a search in one event needs, as plain numbers: for code elsewhere that finds the same clusters.

Only searches that compare single cells and add whole windows can be written down so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.fields import default_fields
from hep_peaksum.clustering.seeding import cell_bound, seed_bound
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, Offset, SearchCell
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import inclusive_bound
from hep_peaksum.settings.units import in_sigmas

# The keys that may differ from their defaults; what any other key asks for is refused by its name.
SUPPORTED = {
    "search_window", "sum_window", "tie_rule", "seed_threshold", "seed_comparison", "cell_threshold",
    "cell_comparison", "sum_threshold", "sum_comparison", "max_clusters", "order", "masked", "kernel",
}  # fmt: skip
# Those that matter only to fields, or to keys that are not supported.
WITHOUT_EFFECT = {
    "pileup", "subtract", "saturated_seeds", "saturated_net", "w0", "isolation_depth", "pool_by",
    "allow_partial_towers", "greedy_ties",
}  # fmt: skip
THRESHOLDS = ("seed_threshold", "cell_threshold", "sum_threshold")
WHOLE_NUMBERS = ("row", "col", "n_cells")


@dataclass(frozen=True)
class Bounds:
    """The inclusive bounds on seeds, cells and sums, of floating or integer cells; None where there is none."""

    seed: float
    cell: float | None
    sum: float | None


@dataclass(frozen=True, eq=False)
class EventRules:
    """The search and the fields of its clusters; positions are those of seeds, by row or by column.

    `masked` holds the cells that do not exist, `positions` the values of fields that depend on the place of the
    seed alone: (axis 0 or 1, a value per row or column). `cosh_eta` is given likewise if there is an eta.
    """

    shape: tuple[int, int]
    periodic: tuple[bool, bool]
    search: tuple[SearchCell, ...]
    window: tuple[Offset, ...]
    floating: Bounds
    integer: Bounds
    max_clusters: int | None
    orders_by_sum: bool
    unit: float
    quantity: str
    masked: Array
    fields: tuple[str, ...]
    left_out: tuple[str, ...]
    positions: dict[str, tuple[int, Array]]
    cosh_eta: tuple[int, Array] | None

    def cosh_factor(self, field: str) -> tuple[int, Array] | None:
        """Return by what the energy of the cells is multiplied to give `energy`, or divided to give `pt`.

        Axis 0 or 1, and a value per row or column; None where the field is what the cells hold.
        """
        is_measured = (field == "pt") == (self.quantity == "et")
        return None if is_measured else self.cosh_eta

    @classmethod
    def of(cls, settings: PeakSumSettings, grid: Grid, mask: npt.ArrayLike | None = None) -> EventRules:
        """Return the rules of a search.

        Raises
        ------
        ValueError
            If the settings ask for more than such a search can do; the message names the key.
        """
        _check(settings, has_mask=mask is not None)
        centres = {
            axis.name: (dim, np.asarray(axis.centres))
            for dim, axis in enumerate((grid.rows, grid.cols))
            if axis.name and axis.centres is not None
        }
        known = {"peak_sum", "seed", *WHOLE_NUMBERS, "pt", "energy", *centres}
        fields = default_fields(settings, grid)
        eta = centres["eta"] if {"eta", "phi"} <= set(centres) else None
        return cls(
            shape=grid.shape,
            periodic=(grid.periodic.rows, grid.periodic.cols),
            search=settings.search_cells(),
            window=settings.sum_cells(),
            floating=_bounds(settings, grid.unit, integer=False),
            integer=_bounds(settings, grid.unit, integer=True),
            max_clusters=settings.max_clusters,
            orders_by_sum=settings.order == "sum",
            unit=grid.scale,
            quantity=grid.quantity,
            masked=_masked(mask, grid),
            fields=tuple(name for name in fields if name in known),
            left_out=tuple(name for name in fields if name not in known),
            positions={name: centres[name] for name in fields if name in centres},
            cosh_eta=None if eta is None else (eta[0], np.cosh(eta[1])),
        )


def _check(settings: PeakSumSettings, *, has_mask: bool) -> None:
    """Raise a ValueError that names a key if the settings ask for more than the rules can say."""
    plain, supported = PeakSumSettings(), SUPPORTED | WITHOUT_EFFECT
    refused = [
        key
        for key in type(settings).model_fields
        if key not in supported and getattr(settings, key) != getattr(plain, key)
    ]
    refused += [key for key in THRESHOLDS if in_sigmas(getattr(settings, key)) is not None]
    refused += ["tie_rule"] * settings.is_greedy
    refused += ["sum_window"] * (not settings.adds_whole_windows)
    refused += ["masked"] * (has_mask and settings.masked != "absent")
    if refused:
        key = refused[0]
        msg = (
            f"{key} {getattr(settings, key)!r} cannot be exported: what is exported compares single cells and "
            f"adds whole windows; leave {key} out, or run a job"
        )
        raise ValueError(msg)


def _bounds(settings: PeakSumSettings, unit: float | None, *, integer: bool) -> Bounds:
    seed = seed_bound(settings, unit, integer=integer)
    total = settings.sum_threshold
    return Bounds(
        seed=0 if seed is None else seed,
        cell=cell_bound(settings, unit, integer=integer),
        sum=None if total is None else inclusive_bound(total, settings.sum_comparison, unit, integer=integer),
    )


def _masked(mask: npt.ArrayLike | None, grid: Grid) -> Array:
    masked = np.zeros(grid.shape, bool) if mask is None else np.asarray(mask, bool)
    if masked.shape != grid.shape:
        msg = f"the mask has the shape {masked.shape}, the grid {grid.shape}: give one value for each cell"
        raise ValueError(msg)
    return masked
