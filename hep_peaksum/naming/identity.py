"""The branches that say which event an entry is."""

from __future__ import annotations

from collections.abc import Sequence

import awkward as ak
import numpy as np

from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch, Tree, flat, read


def find_identity(tree: Tree, branches: Sequence[Branch]) -> dict[str, str | int]:
    """Return the branches that number run and event, for `identify`; empty for none or for the usual names.

    They are numbers, or lists of one as in podio's EventHeader, and differ from event to event.
    """
    headers: dict[str, list[Branch]] = {}
    for branch in branches:
        if branch.dtype.kind in "iu" and len(branch.shape) <= 1:
            headers.setdefault(branch.collection, []).append(branch)
    everywhere = [branch for members in headers.values() for branch in members]
    for members in (*headers.values(), everywhere):  # run and event may be in headers of their own
        by_words = {branch.words: branch for branch in reversed(members)}
        run, event, block = (
            next((by_words[word] for word in wanted if word in by_words), None)
            for wanted in (conventions.RUNS, conventions.EVENTS, conventions.BLOCKS)
        )
        if run is None or event is None:
            continue
        found = [branch for branch in (run, event, block) if branch is not None]
        if [branch.name for branch in found] == ["run", "event", "luminosityBlock"]:
            return {}
        if _is_unique(tree, found):
            block_name = 1 if block is None else block.config_name
            return {"run": run.config_name, "luminosityBlock": block_name, "event": event.config_name}
    return {}


def _is_unique(tree: Tree, branches: Sequence[Branch]) -> bool:
    """Return whether entries have one number of each branch, not below 0, and no two entries have the same."""
    arrays = read(tree.content, branches)
    if arrays is None or any(values.ndim > 1 and ak.any(ak.num(values) != 1) for values in arrays):
        return False
    numbers = np.stack([flat(values).astype(np.int64) for values in arrays], axis=1)
    return len(numbers) > 0 and numbers.min() >= 0 and len(np.unique(numbers, axis=0)) == len(numbers)
