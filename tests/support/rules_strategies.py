"""Hypothesis strategies for the whole rule space: small grids, and any combination of the rules."""

import math
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracle import read_window
from rules_pileup import pileup_settings
from rules_plane import bounding_box, one_step_inside, ring_around, square, strips
from strategies import DIRECTIONAL, DIRECTIONLESS, INDEX_ORDERED, windows

INDEX_FREE_TIES = (*DIRECTIONLESS, *DIRECTIONAL, "drawn")
GREEDY = ("greedy", "greedy-residual")
EVERY_TIE_RULE = (*INDEX_FREE_TIES, *INDEX_ORDERED, *GREEDY)
OWNING, DIVIDING = ("highest", "nearest"), ("proportional", "proportional-sum", "equal")
EVERY_OVERLAP = ("shared", "suppress", *OWNING, *DIVIDING)

THRESHOLDS = (0, 0.5, 1, 2, -1, -0.1, 0.3)
SIGMAS = ("0 sigma", "0.5 sigma", "1 sigma", "1.5 sigma", "2 sigma")
FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.1 + 0.2, 1 / 3, 0.7, -0.1, -1 / 3, 1000.001)


class Question(NamedTuple):
    """Some events, and the rules by which to find which fields of their clusters."""

    grids: np.ndarray  # (event, row, col): int64, float32 or float64
    mask: np.ndarray | None  # of one event or of all
    noise: np.ndarray | None
    periodic: tuple[bool, bool]
    axes: tuple  # of rows and columns: (name, edges), or None for bare indices
    saturated: tuple
    rules: dict[str, Any]
    fields: tuple[str, ...]

    def given(self, **rules):
        """Return the same question with other rules."""
        return self._replace(rules={**self.rules, **rules})

    def arrays(self, change):
        """Return the same question with cells, mask and noise changed alike."""
        mask, noise = (None if given is None else change(given) for given in (self.mask, self.noise))
        return self._replace(grids=change(self.grids), mask=mask, noise=noise)

    def events(self, picked):
        """Return the same question about some of the events."""
        return self.arrays(lambda array: array if array.ndim == 2 else array[picked])

    def times(self, factor):
        """Return the same question in a smaller unit of energy."""
        scaled_rules = {
            word: scaled(self.rules.get(word), factor)
            for word in (
                "cell_threshold",
                "sum_threshold",
                "pool_threshold",
                *["seed_threshold"] * (not self.is_significance),
            )
        }
        heights = ("min_seed_gap", "min_prominence", "neighbour_threshold")
        scaled_rules |= {word: scaled(self.rules[word], factor) for word in heights if not self.is_significance}
        if "saturated_seeds" in self.rules:
            codes = tuple(code * factor for code in self.rules["saturated_seeds"])
            scaled_rules |= {
                "saturated_seeds": codes,
                "saturated_net": scaled(self.rules["saturated_net"], factor),
            }
        return self.given(**scaled_rules)._replace(
            grids=self.grids * self.grids.dtype.type(factor),
            noise=None if self.noise is None else self.noise * factor,
            saturated=tuple(code * factor for code in self.saturated),
        )

    @property
    def is_significance(self):
        return self.rules["quantity"] == "significance"

    @property
    def is_whole(self):
        """Whether no cell is divided and all are integers."""
        return self.grids.dtype.kind == "i" and self.rules["overlap"] not in DIVIDING

    @property
    def n_towers(self):
        return tuple(-(-n // k) for n, k in zip(self.grids.shape[1:], self.rules["coarsen"], strict=True))

    @property
    def pileup_names(self):
        return [estimate["name"] for estimate in self.rules["pileup"]]

    @property
    def lengths(self):
        """The fields that lie on an axis that closes, each with its length."""
        lengths = {}
        for word, n, closed, axis in zip(("row", "col"), self.n_towers, self.periodic, self.axes, strict=True):
            if closed:
                lengths[f"barycentre_{word}"] = n
            if axis is not None and (closed or axis[0] == "phi"):
                name, edges = axis
                lengths[f"barycentre_{name}"] = math.tau if name == "phi" else edges[-1] - edges[0]
        return lengths


def scaled(threshold, factor):
    return threshold if threshold is None or isinstance(threshold, str) else threshold * factor


def meets_twice(offsets, n_towers, periodic):
    """Return whether offsets lead to one cell in two ways."""
    met = {
        tuple(x % n if closed else x for x, n, closed in zip(offset, n_towers, periodic, strict=True))
        for offset in offsets
    }
    return len(met) < len(set(offsets))


# ------------------------------------------------------------------------------------------------------ cells


@st.composite
def cells(draw, shape, *, whole=False, all_different=False):
    """Few numbers, so that there are ties; or fractions that round when they are added; or no two alike."""
    if all_different:
        order = draw(st.randoms(use_true_random=False))
        numbers = list(range(-3, 2 * math.prod(shape[1:]) - 3, 2))
        return np.array([order.sample(numbers, len(numbers)) for _ in range(shape[0])], np.int64).reshape(shape)
    low, high = draw(st.sampled_from(((0, 3), (0, 6), (-2, 2), (1, 4))))
    counts = hnp.arrays(np.int64, shape, elements=st.integers(low, high))
    kind = "counts" if whole else draw(st.sampled_from(("counts", "counts", "fractions")))
    dtype = np.int64 if whole else draw(st.sampled_from((np.int64, np.int64, np.float32, np.float64)))
    if kind == "counts":
        return draw(counts).astype(dtype)
    any_at_all = st.integers(-(10**6), 10**6).map(lambda thousandths: thousandths / 1000)
    few = st.sampled_from(FRACTIONS)
    values = draw(hnp.arrays(np.float64, shape, elements=draw(st.sampled_from((few, any_at_all)))))
    return values.astype(draw(st.sampled_from((np.float32, np.float64))))


@st.composite
def of_one_event_or_all(draw, dtype, shape, elements):
    """A mask or a noise map: one for all events, or one for each."""
    return draw(hnp.arrays(dtype, draw(st.sampled_from((shape, shape[1:]))), elements=elements))


@st.composite
def axes_of(draw, shape, periodic):
    """Names and positions of the axes: none, or eta and phi, or x and y with cells of different widths."""
    names = draw(st.sampled_from(((None, None), ("eta", "phi"), ("x", "y"), ("y", None))))
    axes = []
    for name, n, closed in zip(names, shape, periodic, strict=True):
        edges = [0.0, *np.cumsum(draw(st.lists(st.integers(1, 2), min_size=n, max_size=n))).tolist()]
        if name == "phi":
            start = draw(st.sampled_from((0.0, -math.pi)))
            edges = [start + k * math.tau / n for k in range(n + 1)] if closed else [0.1 * x for x in edges]
        axes.append(None if name is None else (name, edges))
    return tuple(axes)


# ------------------------------------------------------------------------------------------------------ rules


@st.composite
def sum_windows(draw, n_towers, periodic, *, gates=True):
    """A window to be added: rectangular or drawn, or with gated cells where there is one to look inwards to."""
    if not gates or draw(st.booleans()):
        return draw(windows(n_towers, periodic))
    drawing = draw(windows(n_towers, periodic, "xg"))
    marks = read_window(drawing)
    lines = [list(line) for line in drawing.split()]
    seed_row = next(i for i, line in enumerate(lines) if "o" in line)
    seed_col = lines[seed_row].index("o")
    for (d, p), mark in marks.items():
        if mark == "g" and one_step_inside((d, p)) not in marks:
            lines[seed_row + d][seed_col + p] = "x"
    return "\n".join("".join(line) for line in lines)


@st.composite
def pileups(draw, rules, n_towers, periodic, *, phi_rings=True):
    """Any estimates that fit into the plane."""
    kinds = ("chunky_donut", "donut", "ring_median", *["phi_ring"] * phi_rings)
    estimates = []
    for n, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=2))):
        one = {"kind": kind, "name": f"under_{n}"}
        one["edge"] = draw(st.sampled_from(("existing", "zero") if "ring" in kind else ("zero", "strip")))
        if kind == "phi_ring":
            one["axis"] = draw(st.sampled_from(("rows", "cols")))
            one["includes_cluster"] = draw(st.booleans())
        else:
            one["depth"] = draw(st.integers(1, 3))
        if "donut" in kind:
            one["length"] = draw(st.sampled_from((1, 3)))
        if fits(one, rules, n_towers, periodic):
            estimates.append(one)
    return tuple(estimates)


def fits(estimate, rules, n_towers, periodic):
    """Return whether an estimate looks at no cell twice, and a ring without its cluster still has cells."""
    settings = type("How", (), rules)
    box, estimate = bounding_box(settings), pileup_settings(estimate, settings)
    if estimate.kind == "phi_ring":
        length = n_towers[1] if estimate.axis == "cols" else n_towers[0]
        return length > box.area
    if estimate.kind == "ring_median":
        return not meets_twice(ring_around(box, estimate.depth), n_towers, periodic)
    reached = [offset for strip in strips(box, estimate.depth, estimate.length) for offset in strip]
    return not meets_twice(reached, n_towers, periodic)


def perhaps(strategy):
    return st.none() | strategy


def rarely(strategy):
    return st.integers(0, 4).flatmap(lambda n: strategy if n == 4 else st.none())


@st.composite
def questions(
    draw,
    *,
    tie_rules=EVERY_TIE_RULE,
    overlaps=EVERY_OVERLAP,
    whole=False,
    all_different=False,
    seed_is_cell=False,
    phi_rings=True,
    most_events=3,
):
    """Draw any combination of the rules, with cells, mask and noise.

    With `whole` no sum depends on the order of addition.
    """
    n_towers = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    periodic = draw(st.tuples(st.booleans(), st.booleans()))
    coarsen = (
        (1, 1) if all_different else draw(st.sampled_from(((1, 1), (1, 1), (1, 1), (2, 1), (1, 2), (2, 3))))
    )
    allow_partial_towers = draw(st.booleans())
    missing = [
        draw(st.integers(0, k - 1)) if allow_partial_towers and not closed else 0
        for k, closed in zip(coarsen, periodic, strict=True)
    ]
    n_events = draw(st.integers(0 if draw(st.integers(0, 9)) == 0 else 1, most_events))
    shape = (n_events, *(n * k - cut for n, k, cut in zip(n_towers, coarsen, missing, strict=True)))

    pool = draw(st.sampled_from(("sum", "max")))
    has_noise = draw(st.booleans()) and (coarsen == (1, 1) or (pool == "sum" and not whole))
    tie_rule = draw(st.sampled_from(tie_rules))
    overlap = draw(
        st.sampled_from([o for o in overlaps if tie_rule != "greedy-residual" or o in ("shared", "highest")])
    )
    search_window = draw(windows(n_towers, periodic, ">=" if tie_rule == "drawn" else "x"))
    if tie_rule == "drawn" and not set(search_window) & set(">="):
        tie_rule = "all"  # the window is the seed alone
    sum_over = draw(st.sampled_from(("towers", "cells")))
    numbers = st.sampled_from(THRESHOLDS)
    cuts = st.sampled_from((*THRESHOLDS, *SIGMAS)) if has_noise else numbers
    is_energy = seed_is_cell or not has_noise or (whole and overlap in DIVIDING)
    above_zero = st.sampled_from((0, 0.5, 1)) if overlap in DIVIDING else cuts
    rules = {
        "search_window": search_window,
        "sum_window": draw(sum_windows(n_towers, periodic, gates=sum_over == "towers")),
        "seed_window": (1, 1) if seed_is_cell or draw(st.booleans()) else draw(windows(n_towers, periodic)),
        "partial_seed_windows": draw(st.booleans()),
        "partial_search_windows": draw(st.integers(0, 4)) != 4,
        "quantity": "energy" if is_energy else draw(st.sampled_from(("energy", "significance"))),
        "greedy_ties": draw(st.sampled_from(("first", "last"))),
        "seed_threshold": draw(above_zero if draw(st.integers(0, 9)) else cuts),
        "seed_comparison": draw(st.sampled_from((">", ">="))),
        "cell_threshold": draw(perhaps(cuts)),
        "cell_comparison": draw(st.sampled_from((">", ">="))),
        "cell_threshold_abs": draw(st.booleans()),
        "keep_stronger_side": draw(st.sampled_from((None, None, "rows", "cols"))),
        "overlap": overlap,
        "sum_threshold": draw(rarely(cuts)),
        "sum_comparison": draw(st.sampled_from((">", ">="))),
        "min_seed_gap": draw(rarely(numbers)),
        "min_prominence": draw(rarely(numbers)),
        "min_neighbours": draw(st.sampled_from((0, 0, 0, 0, 1))),
        "neighbour_threshold": draw(numbers),
        "position": draw(st.sampled_from(("seed", "linear", "log"))),
        "w0": draw(st.sampled_from((4.5, 1.5, 0.5))),
        "isolation_depth": draw(st.integers(1, 2)),
        "coarsen": coarsen,
        "pool_by": pool,
        "allow_partial_towers": allow_partial_towers,
        "sum_over": sum_over,
        "masked": draw(st.sampled_from(("absent", "zero"))),
    }
    if rules["cell_threshold"] is not None and draw(st.integers(0, 2)) == 2:
        rules["group"] = draw(st.sampled_from(("edges", "corners")))
        rules["seedless_groups"] = draw(st.sampled_from(("drop", "highest")))
    rules |= {} if coarsen == (1, 1) else {"pool_threshold": draw(perhaps(numbers))}
    rules |= {} if tie_rule == "drawn" else {"tie_rule": tie_rule}
    rules["pileup"] = draw(pileups(rules, n_towers, periodic, phi_rings=phi_rings))
    if rules["pileup"]:
        rules["subtract"] = draw(perhaps(st.sampled_from([estimate["name"] for estimate in rules["pileup"]])))
        rules["sum_threshold_on"] = draw(st.sampled_from(("sum", "net")))
    if draw(st.integers(0, 3)) == 3:
        rules["saturated_seeds"] = draw(st.sampled_from(((2, 3), (1,), (0, 5, 6))))
        rules["saturated_net"] = draw(st.sampled_from((None, 9))) if rules["saturated_seeds"] else None
    axes = draw(axes_of(shape[1:], periodic)) if coarsen == (1, 1) else (None, None)
    numbers = st.integers(1, 3).map(float) if whole else st.sampled_from((0.1, 0.5, 1.0, 1.7, 2.0))
    return Question(
        grids=draw(cells(shape, whole=whole, all_different=all_different)),
        mask=draw(perhaps(of_one_event_or_all(bool, shape, st.booleans()))),
        noise=draw(of_one_event_or_all(np.float64, shape, numbers)) if has_noise else None,
        periodic=periodic,
        axes=axes,
        saturated=(2, 3),
        rules=rules,
        fields=fields_that_fit(rules, n_towers, periodic, axes, has_noise=has_noise),
    )


def fields_that_fit(rules, n_towers, periodic, axes, *, has_noise):
    """Return the fields that look at no cell twice."""
    fields = [
        "row",
        "col",
        "seed",
        "peak_sum",
        "n_cells",
        "shared_sum",
        "seed_gap",
        "prominence",
        "n_neighbours",
    ]
    fields += ["n_saturated", "at_seed", *["noise"] * has_noise]
    ring = ring_around(bounding_box(type("How", (), rules)), rules["isolation_depth"])
    for name, offsets in (("e1_e9", square(3)), ("e9_e25", square(5)), ("isolation", ring)):
        fields += [name] * (not meets_twice(offsets, n_towers, periodic))
    places = ["row", "col", *(axis[0] for axis in axes if axis is not None)]
    fields += [f"{word}_{place}" for word in ("barycentre", "width") for place in places]
    fields += [*(estimate["name"] for estimate in rules["pileup"]), *["net"] * bool(rules["pileup"])]
    return tuple(fields)


@st.composite
def sharing_questions(draw):
    """Questions in which every cell belongs to somebody, or is divided, or is left over."""
    question = draw(questions(overlaps=(*OWNING, *DIVIDING)))
    shape = question.n_towers
    rules = {
        "sum_window": draw(windows(shape, question.periodic)),
        "coarsen": (1, 1),
        "pool_threshold": None,
        "group": None,
        "seedless_groups": "drop",
        "allow_partial_towers": False,
        "keep_stronger_side": None,
        "cell_threshold": draw(perhaps(st.sampled_from(THRESHOLDS))),
        "cell_threshold_abs": False,
        "cell_comparison": ">=",
        "sum_threshold": None,
        "sum_threshold_on": "sum",
        "min_seed_gap": None,
        "min_prominence": None,
        "min_neighbours": 0,
        "pileup": (),
        "subtract": None,
    }
    corner = question.given(**rules).arrays(lambda array: array[..., : shape[0], : shape[1]])
    return corner._replace(mask=None, axes=(None, None), fields=("row", "col", "peak_sum"))


# ----------------------------------------------------------------------------------------------------- mirrors


def mirrored(question, axis):
    """Return the same question with the rows (0) or the columns (1) in the opposite order, windows too."""
    flipped = question.arrays(lambda array: np.flip(array, axis - 2))
    windows_too = {
        word: mirrored_window(question.rules[word], axis)
        for word in ("search_window", "sum_window", "seed_window")
    }
    return flipped.given(**windows_too)


def mirrored_window(window, axis):
    if not isinstance(window, str):
        return window
    lines = window.split()
    return "\n".join(lines[::-1] if axis == 0 else [line[::-1] for line in lines])
