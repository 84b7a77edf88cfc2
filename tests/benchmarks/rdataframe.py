"""The same job in ROOT's RDataFrame, if the package `ROOT` is installed, on one core and on two.

ROOT compiles `rdataframe.cpp` with the system's compiler before the timing. Both read the same files, write the
same columns with zstd at the same level and fill the same four histograms; the clusters are compared event by
event. On one core all threads of both are pinned to it.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from hep_peaksum.results.root_files import ZSTD_LEVEL
from tests.benchmarks.compiled import compiler
from tests.benchmarks.end_to_end import our_run, prepare, quiet, remove_results
from tests.benchmarks.measuring import Contender, digits, interleaved, pin_to
from tests.benchmarks.results import Table
from tests.benchmarks.samples import scratch_folder, toy_files

TARGET = 2.0
SOURCE = Path(__file__).parent / "rdataframe.cpp"
COMPARED = ("row", "col", "n_cells", "seed", "peak_sum")
PARQUET_LEVEL, TTREE_LEVEL = 1, ZSTD_LEVEL  # of our files; the Snapshot gets the same
# What is compared, like with like: RDataFrame's threads and zstd level, our executor and formats.
PAIRS = {
    f"one core: parquet, both zstd {PARQUET_LEVEL}": (1, PARQUET_LEVEL, "iterative", ["parquet"]),
    f"one core: TTree, both zstd {TTREE_LEVEL}": (1, TTREE_LEVEL, "iterative", ["parquet", "ttree"]),
    f"two threads: parquet, both zstd {PARQUET_LEVEL}": (2, PARQUET_LEVEL, "threads", ["parquet"]),
    f"two processes: parquet, both zstd {PARQUET_LEVEL}": (2, PARQUET_LEVEL, "futures", ["parquet"]),
}
COLUMNS = ["", "speed of run to RDataFrame", "events/s of run", "events/s of RDataFrame", "target"]


def rdataframe(n_events: int, rounds: int, chunksize: int) -> Table:
    """Return the table."""
    table = Table("rdataframe", f"The whole job against RDataFrame: {n_events:,} events", COLUMNS)
    if importlib.util.find_spec("ROOT") is None or compiler() is None:
        table.notes.append("Not measured: the package ROOT (pip install ROOT) or a C++ compiler is missing.")
        return table
    files = toy_files(n_events, min(chunksize, max(1, n_events // 2)))
    with scratch_folder() as folder:
        run_root = compile_job(files, folder)
        common = {"identify": True, "chunksize": chunksize}
        theirs, ours, contenders = {}, {}, {}
        for name, (n_workers, level, executor, formats) in PAIRS.items():
            cores = [0] if n_workers == 1 else range(os.cpu_count() or 1)
            theirs[name], ours[name] = f"RDataFrame, {n_workers} threads, zstd {level}", f"run, {name}"
            contenders[theirs[name]] = Contender(
                theirs[name], partial(run_root, n_workers, level), len(files), before=partial(pin_to, cores)
            )
            options = {"executor": executor, "workers": n_workers, "forms": formats}
            call = our_run(files, folder, **common, **options)
            contenders[ours[name]] = Contender(ours[name], call, len(files), before=prepare(folder, cores))
        with quiet():
            times = interleaved([*contenders.values()], rounds, "RDataFrame")
        pin_to(range(os.cpu_count() or 1))
        per_file = n_events / len(files)
        for name in PAIRS:
            run, root = times[ours[name]], times[theirs[name]]
            speed = run.speed_to(root)
            rates = [f"{digits(time.rate * per_file / 1e6)} M" for time in (run, root)]
            met = f">= {TARGET}: {'met' if speed.median >= TARGET else 'missed'}"
            row = dict(zip(COLUMNS, (name, f"{speed}", *rates, met), strict=True))
            table.add(row, raw={time.name: time.as_dict() for time in (run, root)})
        table.notes += compare_outputs(files, folder, run_root, common)
    return table


def compile_job(files: Sequence[Path], folder: Path) -> Callable[[int, int], float]:
    """Compile the job and return a function that runs it on a number of threads, with a zstd level."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this ROOT is an alpha version
        root: Any = importlib.import_module("ROOT")
    root.gErrorIgnoreLevel = root.kError
    root.gSystem.SetFlagsOpt("-O3 -march=native")
    if not root.gSystem.CompileMacro(str(SOURCE), "kOs", "", str(folder)):
        msg = f"ROOT could not compile {SOURCE}"
        raise RuntimeError(msg)
    paths = root.std.vector("std::string")([str(path) for path in files])
    return lambda n_threads, level: root.peaksum_job(paths, str(folder / "rdataframe.root"), n_threads, level)


def compare_outputs(
    files: Sequence[Path], folder: Path, run_root: Callable[[int, int], float], options: dict[str, Any]
) -> list[str]:
    """Return notes on the outputs: whether the clusters are the same, and their sizes at every level."""
    remove_results(folder)()
    snapshot, sizes = folder / "rdataframe.root", {}
    with quiet():
        our_run(files, folder, executor="iterative", forms=["parquet", "ttree"], **options)()
        for level in (PARQUET_LEVEL, TTREE_LEVEL):
            run_root(1, level)
            sizes[level] = snapshot.stat().st_size / 1e6
    (results,) = folder.glob("results-*/toy")
    paths = sorted((results / "clusters.parquet").glob("part-*.parquet"))
    answer = "the same clusters" if all_equal(paths, snapshot) else "THE CLUSTERS DIFFER"
    parquet = sum(path.stat().st_size for path in paths) / 1e6
    ttree = (results / "clusters.root").stat().st_size / 1e6
    return [
        f"Event by event: {answer} ({', '.join(COMPARED)}, to the last bit).",
        f"At zstd {PARQUET_LEVEL}: our parquet {parquet:.1f} MB, the Snapshot {sizes[PARQUET_LEVEL]:.1f} MB.",
        f"At zstd {TTREE_LEVEL}: our TTree {ttree:.1f} MB, the Snapshot {sizes[TTREE_LEVEL]:.1f} MB.",
        "Our TTree is made of the parquet parts, which are written, too.",
        "RDataFrame's code is compiled beforehand (-O3 -march=native). Median (minimum..maximum) of rounds.",
    ]


def all_equal(parts: Sequence[Path], snapshot: Path) -> bool:
    """Return whether both hold the same clusters of the same events in the same order."""
    names = ["event", *(f"Cluster_{name}" for name in COMPARED)]
    with uproot.open(snapshot) as file:
        theirs, start = file["Events"], 0
        for part in parts:
            ours = ak.from_parquet(part, columns=names)
            expected = theirs.arrays(names, entry_start=start, entry_stop=start + len(ours))
            start += len(ours)
            if len(expected) != len(ours) or not np.array_equal(expected["event"], ours["event"]):
                return False
            if not all(ak.array_equal(expected[name], ours[name], dtype_exact=False) for name in names[1:]):
                return False
        return start == theirs.num_entries
