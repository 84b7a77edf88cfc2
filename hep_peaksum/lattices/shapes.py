"""The shape that n numbers of an entry may have: a plane of cells, or several."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from hep_peaksum.kernels import Array

SHAPE_ENTRIES = 200  # that are read for the shape of a branch
MAX_NUMBERS = 2_000_000  # of them in which a shape is sought
MIN_CELLS = 6
MAX_RATIO = 10  # of the sides of a plane that is proposed without a reason to
MOST_SEEN = 100  # of the sides of a plane, although cells are alike
LARGEST_SIDE = 16  # a prime factor above this is rather a number of layers than part of a side
SIGNIFICANT, LEAST_ALIKE = 3.0, 0.02  # standard deviations, and the likeness of cells in a column
FEWEST_IN_TURN, LIKE_NEIGHBOURS, SHARE, CLEARLY = 6, 0.05, 1 / 3, 4.0  # of an axis that closes on itself
MAX_SHIFTS, FEWEST_AT_SEAM = 32, 2.0
LONG, LONGER = 0.5, 1.5  # likeness two layers apart over that of neighbours, and that over that of other axes
FEWEST_OTHERS = 6  # shapes that are told, if there are so many
MAX_PLANES, MAX_BOXES, MAX_LAYERS = 7, 3, 100  # of the likely ones, which are all told


class Shape(NamedTuple):
    """A shape that n numbers may have, the reason, and other shapes, the likelier first."""

    sizes: tuple[int, ...]
    reason: str
    others: tuple[tuple[int, ...], ...]
    is_seen: bool = False  # in the numbers themselves

    @property
    def axes(self) -> list[str]:
        """The words of the axes, slowest first."""
        return ["layer", "row", "col"][-len(self.sizes) :]

    @property
    def comment(self) -> str:
        """The guess and its alternatives, as a comment in a config."""
        reason = f" ({self.reason})" if self.reason else ""
        others = ", ".join(map(in_words, self.others))
        return (
            f"{in_words(self.sizes)} guessed{reason}; also {others}"
            if others
            else f"{in_words(self.sizes)} guessed{reason}"
        )


def in_words(sizes: tuple[int, ...]) -> str:
    """Return a shape in words.

    >>> in_words((67, 10, 10))
    '67×10×10'
    """
    return "×".join(map(str, sizes))


def guess_shape(n: int, cells: Array | None = None) -> Shape | None:
    """Return the likeliest shape of n numbers; None if n is too small, or a prime number.

    Parameters
    ----------
    n
        How many numbers there are.
    cells
        The numbers of some events, shape (event, n). Neighbours in a column rise and fall together, so that
        numbers that are a row apart are alike.

    >>> guess_shape(80).sizes, guess_shape(6700).sizes, guess_shape(384).sizes, guess_shape(7)
    ((10, 8), (67, 10, 10), (24, 16), None)
    """
    planes = [(n // cols, cols) for cols in range(2, math.isqrt(n) + 1) if n % cols == 0][::-1]
    if n < MIN_CELLS or not planes:
        return None
    boxes = [
        (n // side**2, side, side) for side in range(math.isqrt(n), 2, -1) if n % side**2 == 0 and n > side**2
    ]
    layered = [box for box in boxes if _largest_prime(box[0]) > LARGEST_SIDE]
    sizes: tuple[int, ...] = (layered or planes)[0]
    reason = "" if layered else "the nearest to a square"
    seen = None if cells is None else _seen_in(cells)
    if seen is not None:
        sizes, reason = seen, f"numbers {seen[-1]} apart are alike"
    elif sizes[-2] > MAX_RATIO * sizes[-1]:
        return None
    wide = [plane for plane in planes if plane[0] <= MAX_RATIO * plane[1]]
    likely = [*wide[:MAX_PLANES], *[box for box in boxes if box[0] <= MAX_LAYERS][:MAX_BOXES]]
    others = [other for other in dict.fromkeys([*likely, *planes, *boxes]) if other != sizes]
    n_others = max(FEWEST_OTHERS, len({*likely} - {sizes}))
    return Shape(sizes, reason, tuple(others[:n_others]), seen is not None)


def _largest_prime(n: int) -> int:
    """Return the largest prime factor.

    >>> _largest_prime(67), _largest_prime(24)
    (67, 3)
    """
    factor = 2
    while factor * factor <= n:
        factor, n = (factor, n // factor) if n % factor == 0 else (factor + 1, n)
    return n


def _seen_in(cells: Array) -> tuple[int, ...] | None:
    """Return the shape of which the likeness of cells speaks: a row, or a layer, apart it has a maximum.

    Every cell counts alike, without its pedestal, so that a hot channel outweighs no shower. Without a maximum
    cells are compared as they are, since those of a beam that does not move never change; and without means.
    """
    cells = _finite(cells[: max(MAX_NUMBERS // cells.shape[1], 1)])
    over = cells - np.median(cells, axis=0)
    size = np.sqrt(np.mean(over * over, axis=0))
    for compared in (over / np.where(size > 0, size, 1), cells, cells - cells.mean(axis=0)):
        if (found := _alike_in(compared)) is not None:
            return found
    return None


def _finite(cells: Array) -> Array:
    """Return cells as float64, 0 where they hold no finite number."""
    return np.nan_to_num(cells.astype(np.float64), posinf=0, neginf=0)


def _alike_in(cells: Array) -> tuple[int, ...] | None:
    """Return the shape in which cells above each other are alike, shape (event, n); None if none is seen."""
    n, total = cells.shape[1], float(np.mean(cells * cells))
    if total == 0:
        return None

    def likeness(lag: int) -> float:
        return float(np.mean(cells[:, :-lag] * cells[:, lag:])) / total if 0 < lag < n else 0.0

    def uncertainty(lag: int) -> float:
        products = cells[:, :-lag] * cells[:, lag:]
        return math.sqrt(float(np.sum(np.square(products)))) / (products.size * total)

    def stands_out(lag: int, width: int) -> bool:
        here = likeness(lag)
        beside, beyond = (max(likeness(lag - far), likeness(lag + far)) for far in (width, 2 * width))
        if here <= max(LEAST_ALIKE, beside, 1.15 * beyond):  # beside it wide showers are almost as much alike
            return False
        return here - beyond > SIGNIFICANT * uncertainty(lag)

    divisors = [lag for lag in range(2, n // 2 + 1) if n % lag == 0]
    row = next((lag for lag in divisors if stands_out(lag, 1)), None)
    if row is None:
        return None
    layer = next((lag for lag in divisors if lag > row and lag % row == 0 and stands_out(lag, row)), None)
    if layer is not None:
        return n // layer, layer // row, row
    return (n // row, row) if n <= MOST_SEEN * row * row else None


def seen_layers(cells: Array) -> tuple[int, bool] | None:
    """Return which axis of cells, shape (event, a, b, c), layers are, and whether they are modules; or None.

    Showers are longer than wide: energies two layers apart are almost as alike as those of neighbours. Modules
    beside each other have no energy together, unlike neighbours in one.
    """
    cells = _finite(cells[: max(MAX_NUMBERS // math.prod(cells.shape[1:]), 1)])
    alike, lasting = zip(*(_likeness_along(np.moveaxis(cells, axis, 0)) for axis in (1, 2, 3)), strict=True)
    for axis, others in ((0, alike[1:]), (2, alike[:2])):
        if alike[axis] < LEAST_ALIKE and min(others) > LIKE_NEIGHBOURS:
            return axis, True
    first, _, last = lasting
    if max(first, last) < max(LONG, LONGER * min(first, last)):
        return None
    return 2 if last > first else 0, False


def _likeness_along(cells: Array) -> tuple[float, float]:
    """Return how alike neighbours along the first axis are, and how much of it cells two apart still are."""
    total = float(np.mean(cells * cells))
    near, far = (float(np.mean(cells[:-lag] * cells[lag:])) if len(cells) > lag else 0.0 for lag in (1, 2))
    return (near / total if total else 0.0), (far / near if near > LEAST_ALIKE * total else 0.0)


def closes(cells: Array, axis: int) -> bool:
    """Return whether an axis of cells, shape (event, ...), closes on itself as an azimuth does.

    The first and the last cells along it then rise together as neighbours do, in several events, and clearly
    more than cells half a turn apart, or of different events.
    """
    cells = np.moveaxis(_finite(cells), axis, 0)
    n, n_events = cells.shape[:2]
    over = cells - cells.mean(axis=1, keepdims=True)
    together = (over[0] * over[-1]).clip(min=0)
    if n < FEWEST_IN_TURN or together.sum() ** 2 <= FEWEST_AT_SEAM * np.square(together).sum():
        return False

    def likeness(one: Array, other: Array) -> float:
        size = math.sqrt(float(np.mean(one * one)) * float(np.mean(other * other)))
        return float(np.mean(one * other)) / size if size else 0.0

    seam = likeness(over[0], over[-1])
    neighbours = float(np.median([likeness(over[k], over[k + 1]) for k in range(n - 1)]))
    half_a_turn = max(likeness(over[k], over[(k + n // 2) % n]) for k in (0, n - 1))
    shifts = range(1, min(n_events, MAX_SHIFTS + 1))
    by_chance = [likeness(over[0], np.roll(over[-1], shift, axis=0)) for shift in shifts]
    least = max(
        SHARE * neighbours, CLEARLY * half_a_turn, CLEARLY * float(np.sqrt(np.mean(np.square(by_chance))))
    )
    return neighbours > LIKE_NEIGHBOURS and seam > least
