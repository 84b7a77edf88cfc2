"""A coffea analysis that only reads a branch: ``python -m tests.benchmarks.reader EXECUTOR FILE...``.

Executors are coffea's own. It imports nothing of hep_peaksum, whose import would be timed, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import awkward as ak
from coffea import processor
from coffea.nanoevents import BaseSchema

BRANCH, TREE = "calo_e", "Events"


class Reader(processor.ProcessorABC):
    """Reads the branch and counts events: the least that any coffea analysis of it does."""

    def process(self, events: Any) -> dict[str, int]:
        return {"n": len(ak.to_numpy(events[BRANCH]))}

    def postprocess(self, accumulator: dict[str, int]) -> dict[str, int]:
        return accumulator


@contextmanager
def executor(name: str) -> Iterator[Any]:
    """Yield coffea's executor of that name, with two workers unless it is iterative."""
    if name == "iterative":
        yield processor.IterativeExecutor()
    elif name == "futures":
        yield processor.FuturesExecutor(workers=2)
    else:
        from distributed import Client

        with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
            yield processor.DaskExecutor(client=client)


def main(name: str, files: Sequence[str]) -> None:
    """Read the branch of all files."""
    with executor(name) as coffea_executor:
        runner = processor.Runner(executor=coffea_executor, schema=BaseSchema)
        runner({"toy": {"files": dict.fromkeys(files, TREE)}}, Reader())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
