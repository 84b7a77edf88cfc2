"""The JSON documents of `explain`, `ties`, `compare` and `closure`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from hep_peaksum.terminal.documents import Document

if TYPE_CHECKING:
    from hep_peaksum.diagnostics.compare import Comparison
    from hep_peaksum.diagnostics.explain import Explanation as Explained
    from hep_peaksum.diagnostics.ties import TieAudit
    from hep_peaksum.preview.closure import Closure as Compared
    from hep_peaksum.preview.closure import Mismatch as Unequal


class NeighbourCell(Document):
    """A cell of the search window that beats the explained one, and how the seed must compare with it."""

    row: int
    col: int
    value: float
    needed: str


class Explanation(Document):
    """Why a cell is a seed or not, on one grid; `value` is what is compared, in `unit`."""

    collection: str
    grid: str
    entry: int
    layer: int | None
    row: int
    col: int
    is_seed: bool
    value: float
    unit: str
    threshold: str
    passes_threshold: bool
    is_masked: bool
    beaten_by: list[NeighbourCell]
    removed_by: tuple[int, int] | None
    dropped_by: list[str]
    in_words: str


class Explanations(Document):
    """`explain`: an explanation for every grid of the collection."""

    command: Literal["explain"]
    explanations: list[Explanation]


def explanation(why: Explained, *, unit: str, **place: Any) -> Explanation:
    """Return the part of a document for one grid."""
    return Explanation(
        **place,
        row=why.row,
        col=why.col,
        is_seed=bool(why.is_seed),
        value=float(why.value),
        unit=unit,
        threshold=why.threshold,
        passes_threshold=bool(why.passes_threshold),
        is_masked=bool(why.is_masked),
        beaten_by=[NeighbourCell(**each._asdict()) for each in why.beaten_by],
        removed_by=why.removed_by,
        dropped_by=list(why.dropped_by),
        in_words=str(why),
    )


class TieRule(Document):
    """The seeds under a tie rule, and the plateaus of equal cells that it leaves without one."""

    n_seeds: int
    n_plateaus_lost: int


class ClosedRing(Document):
    """Equal cells around a periodic axis, on which some rules find no seed."""

    entry: int
    layer: int
    row: int
    col: int
    n_cells: int
    value: float
    axis: str
    lost_by: list[str]


class Ties(Document):
    """How the seeds of a collection on one grid depend on the tie rule."""

    collection: str
    grid: str
    n_events: int
    n_dependent_events: int
    tie_rules: dict[str, TieRule]
    rings: list[ClosedRing]


class TieAudits(Document):
    """`ties`: an audit for every grid of the collection."""

    command: Literal["ties"]
    audits: list[Ties]


def ties(collection: str, grid: str, audit: TieAudit) -> Ties:
    """Return the part of a document for one grid."""
    rules = {
        rule: TieRule(n_seeds=n_seeds, n_plateaus_lost=audit.n_lost[rule])
        for rule, n_seeds in audit.n_seeds.items()
    }
    rings = []
    for ring in audit.rings:
        place = ring._asdict()
        rings.append(ClosedRing(entry=place.pop("event"), **place))
    return Ties(
        collection=collection,
        grid=grid,
        n_events=audit.n_events,
        n_dependent_events=audit.n_dependent,
        tie_rules=rules,
        rings=rings,
    )


class OneSided(Document):
    """A cluster that only one algorithm finds."""

    only_in: str
    entry: int
    layer: int
    row: int
    col: int
    sum: float


class Difference(Document):
    """How two algorithms differ on one grid; differences and sums in `unit`."""

    grid: str
    first: str
    second: str
    unit: str
    n_events: int
    n_same_seed: int
    n_different_sum: int
    n_only_first: int
    n_only_second: int
    mean_difference: float
    rms_difference: float
    largest_difference: float
    one_sided: list[OneSided]


class Comparisons(Document):
    """`compare`: a comparison for every grid of the first collection."""

    command: Literal["compare"]
    comparisons: list[Difference]


def difference(grid: str, unit: str, names: tuple[str, str], both: Comparison) -> Difference:
    """Return the part of a document for one grid."""
    one_sided = [
        OneSided(
            only_in=names[0] if both.in_a[n] else names[1],
            entry=int(both.event[n]),
            layer=int(both.layer[n]),
            row=int(both.row[n]),
            col=int(both.col[n]),
            sum=float((both.sum_a[n] if both.in_a[n] else both.sum_b[n]) * both.unit),
        )
        for n in both.unmatched(both.n_only_a + both.n_only_b)
    ]
    return Difference(
        grid=grid,
        first=names[0],
        second=names[1],
        unit=unit,
        n_events=both.n_events,
        n_same_seed=both.n_matched,
        n_different_sum=both.n_different_sums,
        n_only_first=both.n_only_a,
        n_only_second=both.n_only_b,
        mean_difference=both.mean_difference,
        rms_difference=both.rms_difference,
        largest_difference=both.largest_difference,
        one_sided=one_sided,
    )


class Mismatch(Document):
    """An object or a cluster without an equal partner; the sum of a missing one is null."""

    entry: int
    row: int
    col: int
    sum_in_file: float | None
    sum_of_cluster: float | None


class Closure(Document):
    """A collection compared with the objects of the file."""

    n_events: int
    n_in_file: int
    n_found: int
    n_sums_compared: int
    n_equal_sums: int
    n_extra: int
    not_found: list[Mismatch]
    different_sums: list[Mismatch]


class Closures(Document):
    """`closure`: every collection that names its reference."""

    command: Literal["closure"]
    closures: dict[str, Closure]


def closures(compared: Mapping[str, Compared]) -> Closures:
    """Return the document of closures."""

    def listed(objects: Sequence[Unequal]) -> list[Mismatch]:
        return [Mismatch(**dict(zip(Mismatch.model_fields, each, strict=True))) for each in objects]

    return Closures(
        command="closure",
        closures={
            name: Closure(
                n_events=each.n_events,
                n_in_file=each.n_references,
                n_found=each.n_matched,
                n_sums_compared=each.n_sum_expected,
                n_equal_sums=each.n_equal_sums,
                n_extra=each.n_extra,
                not_found=listed(each.missed),
                different_sums=listed(each.different_sums),
            )
            for name, each in compared.items()
        },
    )
