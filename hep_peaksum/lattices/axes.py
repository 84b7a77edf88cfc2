"""Axes proposed from the numbers that hits have: labels, equal steps, turns; and what of it is a guess."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.kernels import Array

TURN = 2 * math.pi
MAX_LABELS, MAX_CELLS, MAX_EDGES = 10_000, 4096, 128
ROUNDING = 2e-5  # of the size of a detector: positions nearer than that are equal
FEW_VALUES = 100  # of which all may be different although they are places of cells
SYMMETRY = 4  # the number of cells in a turn is a multiple of it, where not all of them are seen
MIN_STEPPED = 6  # labels of which only every second, or third, may be a cell
MIN_STEPPED_RANGE = 4  # numbers that are written as a range in steps
MOST_WIDER = 3.0  # than its neighbour a cell may be
ETA_WIDTH, N_PHI, N_BINS = 0.1, 64, 60  # guessed where the numbers do not say it


class ProposedAxis(NamedTuple):
    """The section of an axis, how its cells were found (a comment), and whether that is a guess."""

    section: dict[str, Any]
    comment: str = ""
    is_guess: bool = False
    n_labels: int = 0


def propose_axis(coordinate: str, values: Array, unit: str = "", pitch: float = 0.0) -> ProposedAxis | None:
    """Return an axis on which all the values lie, or None if they are not places along an axis.

    `coordinate` is ``"eta"``, ``"iphi"``, ``"row"``, ...; `pitch` is the distance of neighbouring cells, or 0.
    """
    name = coordinate.removeprefix("i")
    section = {"name": name} if name in ("eta", "theta", "phi", "x", "y", "z") else {}
    values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not len(values) or values.dtype.kind not in "iuf":
        return None
    if values.dtype.kind in "iu":
        return _labels(coordinate, section, np.unique(values).astype(np.int64))
    places = distinct_places(values.astype(np.float64))
    step = equal_step(places) if len(places) <= max(0.7 * len(values), 3) or len(places) < MAX_EDGES // 4 else 0
    if name == "phi":
        return _azimuth(section, places, step)
    found = _along_line(section, values, places, step, (unit, pitch))
    is_own_choice = found.is_guess and len(np.unique(values)) > 0.9 * len(values) > FEW_VALUES
    return _of_own_choice(name, found) if is_own_choice and "bins" in found.section else found


def _along_line(
    section: dict[str, Any], values: Array, places: Array, step: float, lengths: tuple[str, float]
) -> ProposedAxis:
    """Return an axis that closes on itself nowhere; `lengths` are unit and pitch."""
    unit, pitch = lengths
    name = section.get("name", "")
    section = {**section, **({"unit": unit} if unit else {})}
    if step and pitch <= 1.2 * step:  # the cells of a hexagon's rows stand half a cell apart
        cells = _stepped(places, step)
        return ProposedAxis(section | cells, _steps(name, places, step, cells["bins"], unit))
    if 3 <= len(places) <= min(MAX_EDGES, 0.3 * len(values)) and not pitch:
        tiles = _tiles(places)
        edges = [short(edge, places[-1] - places[0]) for edge in (_between(places) if tiles is None else tiles)]
        where = "halfway between" if tiles is None else "of cells in the middle of which are"
        comment = f"{name}: edges guessed, {where} the {len(places)} values that occur"
        return ProposedAxis({**section, "edges": edges}, comment.lstrip(": "), is_guess=True)
    return _even_bins(section, places, unit, pitch)


def _of_own_choice(name: str, found: ProposedAxis) -> ProposedAxis:
    """Return bins for hits that are at no centres of cells, with a comment that says so."""
    told = f"{name}: almost no two hits have the same {name}, so it does not name a cell"
    return found._replace(comment=f"{told}\n{found.comment}; the width is for you to choose")


def _labels(coordinate: str, section: dict[str, Any], labels: Array) -> ProposedAxis | None:
    """Return an axis of all labels from the lowest to the highest; a missing 0 between signs is not a cell."""
    low, high = int(labels[0]), int(labels[-1])
    if high - low >= MAX_LABELS:
        return None
    has_zero = not low < 0 < high or 0 in labels
    if not has_zero:  # both sides of a detector are equally long
        low, high = min(low, -high), max(high, -low)
    every = [label for label in range(low, high + 1) if label or has_zero]
    step, told = label_step(labels), []
    if step > 1:
        every = [*range(low, high + 1, step)]
    gaps = sorted(set(every) - set(labels.tolist()))
    name = section.get("name", f"{coordinate}s")
    is_turn = name == "phi"
    if step > 1:
        told.append(f"{name}: labels in steps of {step} guessed; also labels: {low}..{high}")
    if gaps:
        told.append(f"{name}: {ranges(gaps, 6)} do not occur in the entries read; kept as cells")
    if not has_zero:
        told.append(f"{name}: there is no label 0, so -1 and 1 are neighbours")
    section = {**section, "labels": ranges(every)}
    if is_turn and gaps and (low > 1 or len(every) % SYMMETRY):  # those at the ends may be missing as well
        told.append(
            f"phi: guessed that labels {ranges(every)} are no full turn, as some do not occur; for one of n "
            "cells:\nlabels: 1..n, bins: n, start: 0, stop: 2pi, periodic: true"
        )
    elif is_turn and len(every) > 3:
        section |= {"bins": len(every), "start": 0, "stop": "2pi", "periodic": True}
        told.append(f"phi: guessed that the {len(every)} labels close a turn that begins at 0")
    return ProposedAxis(section, "\n".join(told), is_guess=is_turn or step > 1)


def label_step(labels: Array) -> int:
    """Return the step of which all distances of sorted labels are multiples; 1 if they are too few to say.

    >>> label_step(np.array([1, 3, 5, 9, 11, 13, 17])), label_step(np.array([-3, -1, 1, 2]))
    (2, 1)
    """
    step = int(np.gcd.reduce(np.diff(np.sort(labels)))) if len(labels) >= MIN_STEPPED else 1
    is_filled = step and len(labels) >= 0.4 * ((labels[-1] - labels[0]) // step + 1)
    return step if is_filled else 1


def _azimuth(section: dict[str, Any], places: Array, step: float) -> ProposedAxis:
    """Return an azimuth, in radian or degrees; it closes on itself unless a quarter of the turn is empty."""
    turn, unit = (TURN, {}) if np.abs(places).max() <= TURN * 1.001 else (360.0, {"unit": "deg"})
    low: float = -turn / 2 if places[0] < 0 else 0.0
    words = {0.0: 0, -180.0: -180, -TURN / 2: "-pi"}
    n = round(turn / step) if step else 0
    fits = bool(step) and abs(n * step - turn) < 0.3 * step and n > 2
    n_filled = round((places[-1] - places[0]) / step) + 1 if step else 0
    is_part = n_filled <= 0.75 * n if fits else places[-1] - places[0] < 0.75 * turn
    if step and is_part:
        cells = _stepped(places, step)
        of_turn = f" of a turn of {n}, the rest is empty" if fits else ""
        comment = f"phi: {cells['bins']} equal steps{of_turn}; guessed that it is not a full turn"
        return ProposedAxis({**section, **cells, **unit}, comment, is_guess=True)
    n, is_guess = (n, False) if fits else (N_PHI, True)
    offset = float(places[0] - turn / n / 2 - low) % (turn / n) if fits else 0.0
    if min(offset, turn / n - offset) < 0.02 * turn / n:
        start: Any = words[low]
        stop: Any = start + 360 if unit else {"-pi": "pi", 0: "2pi"}[start]
    else:
        start = round(low + offset, 9)
        stop = round(start + turn, 9)
    ring = {**section, "bins": n, "start": start, "stop": stop, "periodic": True, **unit}
    if is_guess:
        return ProposedAxis(ring, f"phi: {n} bins guessed; a bin should hold one cell, as `check` says", True)
    return ProposedAxis(ring, _steps("phi", places, turn / n, n, "deg" if unit else "rad"))


def _stepped(places: Array, step: float) -> dict[str, Any]:
    """Return the cells of a step around places."""
    low, high = float(places[0] - step / 2), float(places[-1] + step / 2)
    return {"bins": round((high - low) / step), "start": short(low, step), "stop": short(high, step)}


def _even_bins(section: dict[str, Any], places: Array, unit: str, pitch: float) -> ProposedAxis:
    """Return bins that are guessed: of a usual width in eta, of the pitch in x and y, else a number of them."""
    low, high = float(places[0]), float(places[-1])
    name = section.get("name", "")
    if pitch:
        n = math.floor((high - low) / pitch + 0.5) + 1
        middle = (low + high) / 2
        start, stop, why = middle - n * pitch / 2, middle + n * pitch / 2, f"bins of {pitch:.4g}"
        why += f"{f' {unit}' if unit else ''} guessed, the distance of neighbouring cells"
    elif name == "eta":
        reach = max(math.ceil(max(abs(low), abs(high)) * 10 + 0.01) / 10, 1.0)
        n, start, stop = round(2 * reach / ETA_WIDTH), -reach, reach
        why = f"bins of {ETA_WIDTH} guessed; a bin should hold one cell, as `check` says"
        if n > MAX_CELLS:
            n = N_BINS
    else:
        reach = max(abs(low), abs(high)) * 1.01 or 1.0
        scale = 10 ** math.floor(math.log10(reach))
        reach = math.ceil(reach / scale * 10) / 10 * scale
        n, start, stop = N_BINS, -reach if low < 0 else 0.0, reach
        why = f"{n} bins guessed; a bin should hold one cell, as `check` says"
    section = {**section, "bins": n, "start": short(start), "stop": short(stop)}
    return ProposedAxis(section, f"{name}: {why}".lstrip(": "), is_guess=True)


def _steps(name: str, places: Array, step: float, n: int, unit: str) -> str:
    told = f"{name}: {n} equal steps of {step:.6g}{f' {unit}' if unit else ''}".lstrip(": ")
    n_empty = n - len(places)
    return f"{told}; {n_empty} without a hit in the entries read, kept as cells" if n_empty > 0 else told


def distinct_places(values: Array) -> Array:
    """Return the distinct values, sorted; those that differ only by rounding of float32 count as one."""
    places = np.unique(values)
    tolerance = 2e-6 * float(np.abs(places).max(initial=0))
    begins: Array = np.concatenate([[True], np.diff(places) > tolerance])
    distinct: Array = places[begins]
    return distinct


def snapped(values: Array) -> Array:
    """Return values with those that differ only by rounding made equal, to the lowest of them.

    >>> snapped(np.array([5.0, 100.0, 5.0001, 0.0])).tolist()
    [5.0, 100.0, 5.0, 0.0]
    """
    values = values.astype(np.float64)
    places = np.unique(values)
    tolerance = ROUNDING * float(places[-1] - places[0]) if len(places) else 0.0
    begins, at = [], 0
    while at < len(places):
        begins.append(places[at])
        at = int(np.searchsorted(places, places[at] + tolerance, side="right"))
    lowest = np.array(begins)
    equal: Array = lowest[np.searchsorted(lowest, values, side="right") - 1]
    return equal


def equal_step(places: Array) -> float:
    """Return the step of which all distances are multiples, or 0.

    >>> round(equal_step(np.array([0.1, 0.3, 0.4, 0.6, 0.8])), 9), equal_step(np.array([0.0, 1.0, 2.5, 6.1]))
    (0.1, 0.0)
    """
    if len(places) < 3:
        return 0.0
    distances = np.diff(places)
    span, smallest = places[-1] - places[0], distances.min()
    if span / smallest > MAX_CELLS:
        return 0.0
    n_steps = np.rint(distances / smallest).sum()
    step = float(span / n_steps)
    from_lattice = np.abs((places - places[0]) / step - np.rint((places - places[0]) / step))
    is_filled = len(places) >= 0.4 * (n_steps + 1)
    return step if is_filled and from_lattice.max() < 0.05 else 0.0


def depths_of(values: Array) -> tuple[ProposedAxis, Array, int] | None:
    """Return the axis of the layers at whose depths hits lie, and the layer of every hit; or None.

    Layers are thin, and far from each other.
    """
    order = np.argsort(values)
    ordered = values[order].astype(np.float64)
    gaps = np.diff(ordered)
    span = float(ordered[-1] - ordered[0]) if len(ordered) else 0.0
    begins = np.flatnonzero(gaps > max(span / MAX_CELLS, 1e-6 * float(np.abs(ordered).max(initial=0)))) + 1
    if not 1 <= len(begins) <= min(MAX_EDGES, len(values) // 4):
        return None
    low, high = (
        ordered[np.concatenate([[0], begins])],
        ordered[np.concatenate([begins - 1, [len(ordered) - 1]])],
    )
    if (high - low).max() > 0.25 * (low[1:] - high[:-1]).min():
        return None
    index = np.empty(len(values), np.int64)
    index[order] = np.searchsorted(begins, np.arange(len(values)), side="right")
    middle = (low + high) / 2
    step, n = equal_step(middle), len(middle)
    section: dict[str, Any] = {"edges": [short(edge, span) for edge in _between(middle)]}
    if step:
        section = _stepped(middle, step)
        index = np.floor((values - section["start"]) / step).astype(np.int64)
        n = section["bins"]
    return ProposedAxis(section, f"layers: the {len(middle)} depths at which hits lie"), index, n


def _tiles(places: Array) -> Array | None:
    """Return the edges of cells without gaps that have places in their middles; None if there are none such.

    They begin where most neighbouring steps are equal, as cells are there of one width.

    >>> _tiles(np.array([0.1, 0.3, 0.5, 0.8, 1.2])).round(9).tolist(), _tiles(np.array([0.1, 0.3, 0.5, 1.2]))
    ([0.0, 0.2, 0.4, 0.6, 1.0, 1.4], None)
    """
    steps = np.diff(places)
    changes = np.flatnonzero(np.abs(np.diff(steps)) > 0.01 * steps[1:]) + 1
    begins, ends = np.concatenate([[0], changes]), np.concatenate([changes, [len(steps)]])
    longest = int(np.argmax(ends - begins))
    if ends[longest] - begins[longest] < 2:
        return None
    at = int(begins[longest])
    edges = np.empty(len(places) + 1)
    edges[at + 1] = (places[at] + places[at + 1]) / 2
    for cell in range(at + 1, len(places)):
        edges[cell + 1] = 2 * places[cell] - edges[cell]
    for cell in range(at, -1, -1):
        edges[cell] = 2 * places[cell] - edges[cell + 1]
    widths = np.diff(edges)
    if widths.min() <= 0 or np.abs(np.diff(np.log(widths))).max() > math.log(MOST_WIDER):
        return None
    halfway = _between(places)  # without the rounding that adds up along the cells
    return np.where(np.abs(edges - halfway) < 0.01 * steps.min(), halfway, edges)


def _between(places: Array) -> Array:
    middle = (places[:-1] + places[1:]) / 2
    return np.concatenate([[2 * places[0] - middle[0]], middle, [2 * places[-1] - middle[-1]]])


def short(number: float, scale: float = 0.0) -> float:
    """Return a number with seven digits, which is enough for the end of a cell; 0 if it is that to a millionth.

    >>> short(0.123456789), short(1.4e-9, scale=0.1)
    (0.1234568, 0.0)
    """
    return 0.0 if abs(number) < 1e-6 * scale else float(f"{number:.7g}")


def ranges(labels: Iterable[int], most: int = 0) -> str:
    """Format integers as ranges, rising or falling; no more than `most` of them, if that is given.

    >>> ranges([-2, -1, 1, 2, 3]), ranges([9, 8, 7, 1]), ranges([1, 3, 6, 8], most=2)
    ('-2..-1, 1..3', '9..7, 1', '1, 3 and 2 more')
    >>> ranges([0, 4, 8, 12, 20, 21])
    '0..12 step 4, 20..21'
    """
    numbers, texts, at = [*map(int, labels)], [], 0
    while at < len(numbers):
        end = at + 1
        step = numbers[end] - numbers[at] if end < len(numbers) else 0
        while end < len(numbers) and numbers[end] - numbers[end - 1] == step:
            end += 1
        if abs(step) > 1 and end - at < MIN_STEPPED_RANGE:  # two numbers are in a step with any third
            end = at + 1
        first, last = numbers[at], numbers[end - 1]
        width = f" step {abs(step)}" if abs(step) > 1 else ""
        texts.append(f"{first}..{last}{width}" if end > at + 1 else f"{first}")
        at = end
    if most and len(texts) > most:
        return f"{', '.join(texts[:most])} and {len(texts) - most} more"
    return ", ".join(texts)
