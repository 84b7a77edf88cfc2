"""Pile-up estimates: which cells around the window they read, and what of that can be chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from hep_peaksum.settings.frozen_model import FrozenModel, text_under
from hep_peaksum.settings.thresholds import Depth

PileupKind = Literal["chunky_donut", "donut", "phi_ring", "ring_median"]
COLUMN_NAME = r"^([A-Za-z][A-Za-z0-9_]*)?$"

# By kind: the default depth, the edge treatments (the default first), and the keys that only some kinds take.
DEPTH: dict[str, int] = {"chunky_donut": 3, "donut": 1, "ring_median": 1}
EDGES: dict[str, tuple[str, ...]] = {
    "chunky_donut": ("zero", "strip"),
    "donut": ("zero", "strip"),
    "phi_ring": ("zero", "existing"),
    "ring_median": ("existing", "zero"),
}
KEYS: dict[str, set[str]] = {
    "chunky_donut": {"depth", "length"},
    "donut": {"depth", "length"},
    "phi_ring": {"axis", "includes_cluster"},
    "ring_median": {"depth"},
}


class Pileup(FrozenModel):
    """An estimate of the energy under a cluster from the cells around it: a column beside the sum.

    `chunky_donut` and `donut` read four strips that flank the window, `phi_ring` the full rings through its
    rows, `ring_median` the cells around it. Each is scaled to the area of the sum window.

    >>> Pileup(kind="donut").depth
    1
    """

    kind: PileupKind = Field(
        description="Kind of the estimate. chunky_donut: the three smallest of four strips that flank the "
        "window; donut: four times the middle two of them; phi_ring: the mean of the full rings through the "
        "window; ring_median: the median of the cells around it. Each is scaled to the area of the window."
    )
    name: str = Field("", pattern=COLUMN_NAME, description="Name of the column; by default the kind.")
    depth: Depth | None = Field(
        None,
        description="Depth of the strips or of the ring, in cells; by default 3 for chunky_donut, 1 for donut "
        "and ring_median.",
    )
    length: Depth | None = Field(
        None,
        description="Length of the strips, in cells, an odd number; by default the side of the sum window.",
    )
    edge: Literal["", "zero", "strip", "existing"] = Field(
        "",
        description="Treatment of cells beyond an edge: zero (they count 0), strip (so does a strip that is "
        "not wholly before its edge), existing (they count nowhere, nor as area). By default existing for "
        "ring_median, else zero.",
    )
    includes_cluster: bool = Field(
        True, strict=True, description="Whether a phi ring includes the cells of the sum window."
    )
    axis: Literal["rows", "cols"] | None = Field(
        None, description="Axis that a phi ring runs along; by default the periodic one."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, values: Any) -> Any:
        """Fill in the defaults of the kind."""
        if not isinstance(values, dict) or values.get("kind") not in EDGES:
            return values
        kind = values["kind"]
        defaults = {"name": kind, "depth": DEPTH.get(kind), "edge": EDGES[kind][0]}
        return {**defaults, **{key: value for key, value in values.items() if value not in (None, "")}}

    @model_validator(mode="after")
    def _check_kind(self) -> Pileup:
        """Raise a ValueError if a key means nothing to this kind."""
        given = {key for key in ("depth", "length", "axis") if getattr(self, key) is not None}
        given |= {"includes_cluster"} if not self.includes_cluster else set()
        if wrong := sorted(given - KEYS[self.kind]):
            takes = ", ".join(sorted(KEYS[self.kind]))
            msg = f"{wrong[0]}: {self.kind} has no {wrong[0]}, it takes {takes}: leave {wrong[0]} out"
            raise ValueError(msg)
        if self.edge not in EDGES[self.kind]:
            msg = f"edge: {self.edge!r} is not an edge of {self.kind}: write {' or '.join(EDGES[self.kind])}"
            raise ValueError(msg)
        if self.length is not None and self.length % 2 == 0:
            msg = f"length: {self.length} is even: strips lie symmetrically about the seed, give an odd number"
            raise ValueError(msg)
        return self

    @property
    def has_strips(self) -> bool:
        """Whether it reads strips that flank the window."""
        return self.kind in ("chunky_donut", "donut")


PileupEstimate = Annotated[Pileup, BeforeValidator(text_under("kind"))]


def pileup_problems(
    estimates: Sequence[Pileup], sum_window: tuple[int, int] | str, subtract: str | None
) -> Iterator[str]:
    """Yield what is wrong with the pile-up estimates of a sum window, and with the one that is subtracted."""
    names = [estimate.name for estimate in estimates]
    is_square = isinstance(sum_window, tuple) and sum_window[0] == sum_window[1]
    for estimate in estimates:
        if estimate.has_strips and not is_square and estimate.length is None:
            yield (
                f"{estimate.kind} is defined about a square sum window [n, n], not about {sum_window!r}: "
                "give it a length"
            )
    if len(set(names)) < len(names):
        yield f"two pile-up estimates are named {max(names, key=names.count)!r}: give them names"
    if subtract is not None and subtract not in names:
        yield f"subtract: no pile-up estimate is named {subtract!r}; there are {', '.join(names) or 'none'}"
