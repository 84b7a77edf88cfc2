"""The same job in ROOT's RDataFrame, if the package `ROOT` is installed, on one core and on two.

ROOT compiles `rdataframe.cpp` with the system's compiler before the timing. Both read the same files, write the
same columns with zstd and fill the same four histograms; the clusters are compared event by event. On one core
all threads of both are pinned to it.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from tests.benchmarks.compiled import compiler
from tests.benchmarks.end_to_end import our_run, prepare, quiet, remove_results
from tests.benchmarks.measuring import Contender, digits, interleaved, pin_to
from tests.benchmarks.results import Table
from tests.benchmarks.samples import scratch_folder, toy_files

TARGET = 2.0
SOURCE = Path(__file__).parent / "rdataframe.cpp"
COMPARED = ("row", "col", "n_cells", "seed", "peak_sum")
PAIRS = {
    "one core": ("RDataFrame, one core", "run, one core"),
    "two cores": ("RDataFrame, two threads", "run, threads-2"),
    "two processes": ("RDataFrame, two threads", "run, futures-2"),
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
        both = range(os.cpu_count() or 1)
        contenders = [
            Contender("RDataFrame, one core", lambda: run_root(1), len(files), before=lambda: pin_to([0])),
            Contender("RDataFrame, two threads", lambda: run_root(2), len(files), before=lambda: pin_to(both)),
        ]
        for name, options, cores in (
            ("one core", {"executor": "iterative"}, [0]),
            ("threads-2", {"executor": "threads", "workers": 2}, both),
            ("futures-2", {"executor": "futures", "workers": 2}, both),
        ):
            call = our_run(files, folder, **common, **options)
            contenders.append(Contender(f"run, {name}", call, len(files), before=prepare(folder, cores)))
        with quiet():
            times = interleaved(contenders, rounds, "RDataFrame")
        pin_to(both)
        per_file = n_events / len(files)
        for name, (root, run) in PAIRS.items():
            speed = times[run].speed_to(times[root])
            rates = [f"{digits(times[who].rate * per_file / 1e6)} M" for who in (run, root)]
            met = f">= {TARGET}: {'met' if speed.median >= TARGET else 'missed'}"
            row = dict(zip(COLUMNS, (name, f"{speed}", *rates, met), strict=True))
            table.add(row, raw={who: times[who].as_dict() for who in (root, run)})
        table.notes += compare_outputs(files, folder, run_root, common)
    return table


def compile_job(files: Sequence[Path], folder: Path) -> Callable[[int], float]:
    """Compile the job and return a function that runs it on a number of threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this ROOT is an alpha version
        root: Any = importlib.import_module("ROOT")
    root.gErrorIgnoreLevel = root.kError
    root.gSystem.SetFlagsOpt("-O3 -march=native")
    if not root.gSystem.CompileMacro(str(SOURCE), "kOs", "", str(folder)):
        msg = f"ROOT could not compile {SOURCE}"
        raise RuntimeError(msg)
    paths = root.std.vector("std::string")([str(path) for path in files])
    return lambda n_threads: root.peaksum_job(paths, str(folder / "rdataframe.root"), n_threads)


def compare_outputs(
    files: Sequence[Path], folder: Path, run_root: Callable[[int], float], options: dict[str, Any]
) -> list[str]:
    """Return notes on the outputs: whether the clusters are the same, and their sizes."""
    remove_results(folder)()
    with quiet():
        run_root(1)
        our_run(files, folder, executor="iterative", **options)()
    (parts,) = folder.glob("results-*/toy/clusters.parquet")
    paths = sorted(parts.glob("part-*.parquet"))
    answer = "the same clusters" if all_equal(paths, folder / "rdataframe.root") else "THE CLUSTERS DIFFER"
    sizes = [sum(path.stat().st_size for path in paths), (folder / "rdataframe.root").stat().st_size]
    return [
        f"Event by event: {answer} ({', '.join(COMPARED)}, to the last bit).",
        f"Output: our parquet {sizes[0] / 1e6:.1f} MB, the Snapshot {sizes[1] / 1e6:.1f} MB (zstd 3).",
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
