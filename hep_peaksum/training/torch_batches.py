"""Batches as a dataset of torch, apart because the class needs torch when it is defined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import IterableDataset, get_worker_info


class TorchBatches(IterableDataset[Any]):  # type: ignore[misc]
    """Batches of events; the workers of a `DataLoader` share them, so that each event comes once an epoch."""

    def __init__(self, batches: Any) -> None:  # Batches, which imports this module
        super().__init__()
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        if worker is None:
            yield from self.batches
        else:  # torch draws a seed for each epoch and adds the number of the worker
            yield from self.batches.of_worker(worker.id, worker.num_workers, key=worker.seed - worker.id)
