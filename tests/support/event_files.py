"""Events read from files: through coffea chunk by chunk, or all at once."""

import awkward as ak
import numpy as np
from coffea import processor
from coffea.nanoevents import NanoEventsFactory

from hep_peaksum.geometry.hits import Hits
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.reading.files import open_file, open_tree, schema_class
from hep_peaksum.reading.hit_columns import grid_columns

N, ROWS, COLS, LAYERS = 10, 4, 6, 3
PLANE = {"rows": {"n": ROWS}, "cols": {"n": COLS}}
RANDOM = np.random.default_rng(1)
CELLS = RANDOM.integers(0, 100, (N, ROWS, COLS))
DEEP = RANDOM.integers(0, 100, (N, LAYERS, ROWS, COLS))
JAGGED = ak.Array(CELLS.reshape(N, -1).astype("f4").tolist())


def read(path, source, tree="Events", schema="base", chunksize=4):
    """Return the cells of every event and the number of hits outside, through coffea in several chunks."""
    grid = GridInput.model_validate(source)

    def process(events):
        result = grid_columns(events, grid, {}).sparse_cells(0, len(events))
        cells, n_outside = (result.dense(), result.n_outside) if isinstance(result, Hits) else (result, 0)
        return {"cells": {events.metadata["entrystart"]: cells}, "n_outside": n_outside}

    run = processor.Runner(
        executor=processor.IterativeExecutor(status=False), schema=schema_class(schema), chunksize=chunksize
    )
    result = run({"toy": {"files": {str(path): tree}}}, process)
    return np.concatenate([result["cells"][start] for start in sorted(result["cells"])]), result["n_outside"]


def event_index(path, tree="Events", schema="base", start=0, stop=None, access_log=None):
    """Return the events of a file as coffea hands them to a processor."""
    file = open_file(str(path))
    stop = int(open_tree(file, str(path), tree).num_entries) if stop is None else stop
    where = {"dataset": "toy", "filename": str(path), "treename": tree, "entrystart": start, "entrystop": stop}
    return NanoEventsFactory.from_root(
        file,
        treepath=tree,
        schemaclass=schema_class(schema),
        entry_start=start,
        entry_stop=stop,
        metadata=where,
        access_log=access_log,
    ).events()
