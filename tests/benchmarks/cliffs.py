"""Every option, field and preset beside the plain search: processor time and peak memory, and what is no cliff.

What is measured comes from `tests.benchmarks.variants`, which takes it from the package: a new key, field or
preset has its row here without being named. The variant and the plain search take turns on the same data.
"""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from os import getpid
from pathlib import Path
from typing import Any

import awkward as ak

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.settings.model import PeakSumSettings
from tests.benchmarks import variants
from tests.benchmarks.measuring import Contender, Timing, digits, interleaved
from tests.benchmarks.memory import high_water_mark
from tests.benchmarks.results import Table
from tests.benchmarks.variants import IMAGES, Data, Variant

OPTION, FIELD, PRESET, HARD, GROWTH = 10, 5, 15, 5, 2  # bounds on ratios of times
BATCH_MEMORY, IMAGE_MEMORY, HIT_BYTES, EVENT_US = 1, 3, 100, 150
CLUSTER = 100  # the plain search takes as long for a cluster as for so many cells
WINDOWS = (3, 9, 21)
CALLS = 50  # of one event each
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt


def cliffs(n_events: int, rounds: int, sides: Sequence[int]) -> Iterator[Table]:
    """Yield the tables: options, fields, presets, options on hard images, images by size."""
    yield option_table(n_events, rounds)
    yield ratio_table("fields", "Every field", variants.fields(n_events), rounds, FIELD)
    yield ratio_table("presets", "Every preset", variants.all_presets(n_events), rounds, PRESET)
    yield hard_table(sides[0], rounds)
    yield image_table(sides, rounds)


def option_table(n_events: int, rounds: int) -> Table:
    """Return the table of every option: a batch, the same as hits, and one event per call."""
    columns = [
        "option",
        time_title := f"time to plain (<= {OPTION})",
        memory_title := f"memory / input (<= {BATCH_MEMORY})",
        hit_title := f"hits: time to plain hits (<= {OPTION})",
        bytes_title := f"hits: bytes per hit (<= {HIT_BYTES})",
        event_title := f"one event per call [us] (<= {EVENT_US})",
    ]
    table = Table("options", f"Every option: {n_events:,} toy events of 24 x 16 float32", columns)
    table.notes += [
        f"Medians of {rounds} rounds of processor time, one thread; bold: the bound is missed.",
        "Memory is that beyond input and output. Hits are the cells that are not 0.",
        *(f"`{key}` is not here: {reason}." for key, reason in variants.REASONS.items()),
    ]
    chosen = list(variants.options(n_events))
    chosen.insert(0, Variant("plain", PeakSumSettings(), chosen[0].plain or chosen[0].data))
    of_batch, of_hits = to_plain(chosen, rounds), to_plain(chosen, rounds, as_hits=True)
    single = one_event(chosen, rounds)
    for variant in chosen:
        name, n_hits = variant.name, len(variant.hits.cells.value)
        memory = extra_memory(variant, variant.data) / variant.data.n_bytes
        row = {
            "option": name,
            time_title: marked(of_batch[name], OPTION),
            memory_title: marked(memory, BATCH_MEMORY),
            hit_title: marked(of_hits[name], OPTION),
            bytes_title: marked(extra_memory(variant, variant.hits) / n_hits, HIT_BYTES),
            event_title: marked(1e6 * statistics.median(single[name].seconds), EVENT_US),
        }
        table.add(row, raw={"ratio": of_batch[name], "hits": of_hits[name], "event": single[name].as_dict()})
    return table


def ratio_table(name: str, title: str, chosen: Iterable[Variant], rounds: int, bound: float) -> Table:
    """Return a table of time and memory of some variants, each beside the plain search of its data."""
    time_title, memory_title = f"time to plain (<= {bound})", f"memory / input (<= {BATCH_MEMORY})"
    table = Table(name, title, [name.removesuffix("s"), "cells", time_title, memory_title])
    table.notes.append(f"Medians of {rounds} rounds. Of hits the bound on memory is {HIT_BYTES} bytes per hit.")
    chosen = list(chosen)
    ratios = to_plain(chosen, rounds)
    for variant in chosen:
        ratio = ratios[variant.name]
        memory = extra_memory(variant, variant.data) / variant.data.n_bytes
        row = {
            name.removesuffix("s"): variant.name,
            "cells": describe(variant.data),
            time_title: marked(ratio, bound),
            memory_title: marked(memory, memory_bound(variant.data)),
        }
        table.add(row, raw={"ratio": ratio, "memory": memory})
    return table


def hard_table(side: int, rounds: int) -> Table:
    """Return the table of every option on images that are hard: its time to its own time on showers."""
    hard = [kind for kind in IMAGES if kind != "showers"]
    table = Table("hard", f"Every option on images of {side} x {side} that are hard", ["option", *hard])
    table.notes.append(
        f"Time for each of cells + {CLUSTER} x clusters, as a multiple of the same option's on showers "
        f"(<= {HARD}); bold: missed."
    )
    grid = Grid(rows=Axis(n=side), cols=Axis(n=side, periodic=True))  # phi rings close along an axis
    images = {kind: Data(variants.image(kind, side).cells, grid) for kind in IMAGES}
    names = [name for name, key, keys in variants.option_keys() if _works_on_images(name, key, keys)]
    options = {name: PeakSumSettings(**keys) for name, _, keys in variants.option_keys() if name in names}
    chosen = {(n, kind): Variant(n, options[n], data) for n in names for kind, data in images.items()}
    work = {which: variant.data.cells.size + CLUSTER * n_clusters(variant) for which, variant in chosen.items()}
    contenders = [Contender(f"{n}: {kind}", v.search, work[n, kind]) for (n, kind), v in chosen.items()]
    times = timings(contenders, rounds)
    for name in names:
        ratios = {kind: times[f"{name}: {kind}"].time_to(times[f"{name}: showers"]).median for kind in hard}
        table.add({"option": name, **{kind: marked(ratio, HARD) for kind, ratio in ratios.items()}}, raw=ratios)
    return table


def _works_on_images(name: str, key: str, keys: Mapping[str, Any]) -> bool:
    """Whether the images have what an option needs: they have neither noise, units, masks nor regions."""
    without = key in ("nonfinite", "masked", "max_clusters_per") or "GeV" in name
    return not without and not PeakSumSettings(**keys).needs_noise


def n_clusters(variant: Variant) -> int:
    """Return the number of clusters of all events."""
    return int(ak.sum(ak.num(variant.search())))


def image_table(sides: Sequence[int], rounds: int) -> Table:
    """Return the table of one image per call: its time per cell by size and window, and its memory."""
    growth_title = f"{sides[-1]} to {sides[0]} (<= {GROWTH})"
    memory_title = f"memory / input at {sides[-1]} (<= {IMAGE_MEMORY})"
    names = {side: f"{side} x {side} [ns per cell]" for side in sides}
    table = Table("images", "One image per call", ["image", *names.values(), growth_title, memory_title])
    chosen = {
        f"{kind}, window {w}" + ("" if overlap == "shared" else f", {overlap}"): (
            kind,
            PeakSumSettings(search_window=(w, w), sum_window=(w, w), overlap=overlap),
        )
        for kind, overlap, w in product(IMAGES, ("shared", "highest"), WINDOWS)
    }
    images = {(kind, side): variants.image(kind, side) for kind in IMAGES for side in sides}
    searches = {
        (name, side): Variant(name, settings, images[kind, side])
        for name, (kind, settings) in chosen.items()
        for side in sides
    }
    contenders = [Contender(f"{name} {side}", v.search, side * side) for (name, side), v in searches.items()]
    times = timings(contenders, rounds)
    for name in chosen:
        ns = {side: 1e9 * statistics.median(times[f"{name} {side}"].seconds) for side in sides}
        largest = searches[name, sides[-1]]
        memory = extra_memory(largest, largest.data) / largest.data.n_bytes
        row = {"image": name, **{names[side]: digits(value) for side, value in ns.items()}}
        row[growth_title] = marked(ns[sides[-1]] / ns[sides[0]], GROWTH)
        row[memory_title] = marked(memory, IMAGE_MEMORY)
        table.add(row, raw={"ns": ns, "memory": memory})
    return table


def timings(contenders: Sequence[Contender], rounds: int) -> dict[str, Timing]:
    """Return the processor times of some contenders, which take turns."""
    return interleaved(contenders, rounds, "cliffs", clock=time.thread_time)


def to_plain(chosen: Sequence[Variant], rounds: int, *, as_hits: bool = False) -> dict[str, float]:
    """Return the processor time of every variant relative to that of the plain search of the same data."""
    contenders: dict[str, Contender] = {}
    beside = {}
    for variant in chosen:
        plain = Variant("plain", PeakSumSettings(), variant.plain or variant.data)
        data, plain_data = (variant.hits, plain.hits) if as_hits else (variant.data, plain.data)
        beside[variant.name] = f"plain of {id(plain_data.cells)} {sorted(plain_data.given)}"
        contenders[beside[variant.name]] = Contender(beside[variant.name], partial(plain.search, plain_data))
        contenders[variant.name] = Contender(variant.name, partial(variant.search, data))
    times = timings([*contenders.values()], rounds)
    return {name: times[name].time_to(times[plain]).median for name, plain in beside.items()}


def one_event(chosen: Sequence[Variant], rounds: int) -> dict[str, Timing]:
    """Return the processor time of calls with one event."""
    calls = {v.name: partial(v.search, Data(v.data.cells[:1], v.data.grid, v.data.given)) for v in chosen}
    return timings([Contender(name, partial(_repeat, call), CALLS) for name, call in calls.items()], rounds)


def _repeat(call: Callable[[], Any]) -> None:
    for _ in range(CALLS):
        call()


def extra_memory(variant: Variant, data: Data) -> float:
    """Return the bytes that the search needs at its peak, beyond its input and output (Linux only)."""
    variant.search(data)  # compiles
    with memory_given_back():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is the present size
        before = high_water_mark(getpid())
        clusters = variant.search(data)
        after = high_water_mark(getpid())
    return max(0.0, (after - before) * 2**20 - clusters.nbytes)


@contextmanager
def memory_given_back() -> Iterator[None]:
    """Have the allocator give back what is freed; afterwards it keeps some, as it does in a long process."""
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 64 * 2**10)
    libc.malloc_trim(0)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        libc.mallopt(M_TRIM_THRESHOLD, 64 * 2**20)


def memory_bound(data: Data) -> float:
    """Return how many times its size an input may need: of hits there are so many bytes for each."""
    is_cells = hasattr(data.cells, "dtype")
    return BATCH_MEMORY if is_cells else HIT_BYTES * len(data.cells.value) / data.n_bytes


def describe(data: Data) -> str:
    """Return shape and type of the cells, or that they are hits."""
    if not hasattr(data.cells, "dtype"):
        return f"{len(data.cells.value):,} hits"
    return f"{' x '.join(f'{n:,}' for n in data.cells.shape)} {data.cells.dtype}"


def marked(value: float, bound: float) -> str:
    """Return a number, in bold if it is above its bound.

    >>> marked(1.5, 2), marked(2.5, 2)
    ('1.50', '**2.50**')
    """
    return f"**{digits(value)}**" if value > bound else digits(value)
