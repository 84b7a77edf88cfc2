"""The command line of the benchmarks: ``python -m tests.benchmarks --help``.

Slow imports are inside the commands, after the number of threads has been set.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tests.benchmarks.results import Table

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
NAMES = (
    "kernels", "threads", "end-to-end", "scaling", "rdataframe", "memory", "startup", "commands", "chunks",
    "scale", "cliffs",
)  # fmt: skip


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, type=click.Choice([*NAMES, "all"]))
@click.option("--quick", is_flag=True, help="Smaller samples and fewer rounds, as a test.")
@click.option("--case", "cases", multiple=True, help="kernels: only this case; may be repeated.")
@click.option("--executor", "executors", multiple=True, help="end-to-end: only this executor, e.g. futures-2.")
@click.option(
    "--events",
    "n_events",
    type=click.IntRange(min=1000),
    help="Number of events (not for kernels, threads, startup, chunks).",
)
@click.option("--cells", "n_cells", type=click.IntRange(min=100_000), help="kernels, threads: cells per case.")
@click.option("--rounds", type=click.IntRange(min=1), help="How often each contender is called.")
@click.option("--chunksize", type=click.IntRange(min=1), default=100_000, show_default=True)
@click.option("--write/--no-write", default=True, help="Write the tables to tests/benchmarks/results.")
@click.option("--write-docs", is_flag=True, help="Copy the written tables to docs/ and exit.")
def main(names: Sequence[str], *, write: bool, write_docs: bool, **options: Any) -> None:
    """Measure NAMES, or all.

    \b
    NAMES: kernels, threads, end-to-end, scaling, rdataframe, memory, startup, commands, chunks,
    scale, cliffs
    """
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    from tests.benchmarks import results
    from tests.benchmarks.measuring import console

    if write_docs:
        console.print(f"docs: {', '.join(results.write_docs()) or 'no results yet'}")
        return
    if not names:
        raise click.UsageError("name a benchmark, or all: " + ", ".join(NAMES))
    if "all" in names:  # one process each: ROOT links against libraries that others have loaded
        arguments = [argument for argument in sys.argv[1:] if argument not in (*NAMES, "all")]
        for name in NAMES:
            subprocess.run([sys.executable, "-m", "tests.benchmarks", name, *arguments], check=True)
        return
    for name in sorted(set(names), key=NAMES.index):
        tables = []
        for table in run_benchmark(name, **options):
            table.show(console)
            tables.append(table)
        if write:
            chosen = {key: value for key, value in options.items() if value}
            console.print(f"written: {results.write(name, tables, chosen)}", highlight=False)


def run_benchmark(
    name: str,
    *,
    quick: bool,
    cases: Sequence[str],
    executors: Sequence[str],
    n_events: int | None,
    n_cells: int | None,
    rounds: int | None,
    chunksize: int,
) -> Iterable[Table]:
    """Yield the tables of one benchmark."""
    rounds = rounds or (3 if quick else 7)
    if name == "cliffs":
        from tests.benchmarks.cliffs import cliffs

        yield from cliffs(
            n_events or (5_000 if quick else 20_000), rounds, (256, 1024) if quick else (256, 1024, 2048)
        )
        return
    n_events = n_events or (100_000 if quick else 1_000_000)
    if name == "kernels":
        from tests.benchmarks.cases import CASES, CELLS
        from tests.benchmarks.kernels import kernels

        unknown = set(cases) - set(CASES)
        if unknown:
            raise click.BadParameter(f"no case {sorted(unknown)}; there are {', '.join(CASES)}")
        yield from kernels(cases or tuple(CASES), rounds, n_cells or (CELLS // 5 if quick else CELLS))
    elif name == "threads":
        from tests.benchmarks.cases import CELLS
        from tests.benchmarks.threads import threads

        yield threads(rounds, n_cells or (CELLS // 5 if quick else CELLS))
    elif name == "end-to-end":
        from tests.benchmarks.end_to_end import end_to_end

        yield from end_to_end(n_events, rounds, chunksize, executors)
    elif name == "scaling":
        from tests.benchmarks.end_to_end import scaling

        yield scaling(n_events, rounds, chunksize)
    elif name == "rdataframe":
        from tests.benchmarks.rdataframe import rdataframe

        yield rdataframe(n_events, rounds, chunksize)
    elif name == "memory":
        from tests.benchmarks.memory import memory

        yield memory(n_events, 1 if quick else max(3, rounds // 2), chunksize=chunksize)
    elif name == "startup":
        from tests.benchmarks.startup import startup

        yield startup(rounds)
    elif name == "commands":
        from tests.benchmarks.commands import commands

        yield commands(n_events, rounds)
    elif name == "chunks":
        from tests.benchmarks.chunk_cost import chunk_costs

        yield chunk_costs(rounds, 25 if quick else 100)
    else:
        from tests.benchmarks.scale import scale

        yield scale(1600 if quick else 16_000)


if __name__ == "__main__":
    main()
