"""Events with clusters as a job writes them, and comparison with what is read back."""

import awkward as ak
import numpy as np
from coffea.nanoevents import NanoAODSchema

from hep_peaksum import find_clusters
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.results import parquet

PARQUET, TTREE, RNTUPLE = "clusters.parquet", "clusters.root", "clusters.rntuple.root"
N_LAYERS = 5


class Schema(NanoAODSchema):
    warn_missing_crossrefs = False


def jets(n_events, *, empty=False, seed=1):
    """Return the clusters of random showers on an eta-phi grid with layers."""
    random = np.random.default_rng(seed)
    layers = np.zeros((n_events, N_LAYERS, 6, 8))
    if not empty:
        layers[random.uniform(size=layers.shape) < 0.03] = 30.0
        layers *= random.uniform(size=layers.shape)
    rows = Axis(name="eta", bins=6, start=-3, stop=3)
    cols = Axis(name="phi", bins=8, start=0, stop=2 * np.pi, periodic=True)
    fields = ["peak_sum", "row", "n_cells", "on_edge", "layer_sums", "pt", "eta", "phi", "energy"]
    return find_clusters(layers, None, Grid(rows=rows, cols=cols), fields=fields)


def event_records(n_events=50, *, empty=False, seed=1):
    """Return events with two collections and kept branches of every shape."""
    grids = np.random.default_rng(seed).integers(0, 0 if empty else 9, (n_events, 6, 8), endpoint=True)
    y, x = (Axis(name=name, bins=n, start=0, stop=n, unit="cm") for name, n in (("y", 6), ("x", 8)))
    columns = {
        "run": np.full(n_events, 2**32 - 1, np.uint32),
        "luminosityBlock": np.arange(n_events, dtype=np.uint32),
        "event": np.uint64(2**64 - 1) - np.arange(n_events, dtype=np.uint64),
        "nPV": np.arange(n_events, dtype=np.int32),
        "beam": np.arange(n_events) % 3 == 0,
        "MET_pt": np.linspace(0, 1, n_events, dtype=np.float32),
        "hits": ak.unflatten(np.arange(2 * n_events, dtype=np.int16), np.full(n_events, 2)),
        "vertex": np.arange(3 * n_events).reshape(n_events, 3) / 7,
        "Jet": jets(n_events, empty=empty, seed=seed),
        "Cluster": find_clusters(grids, None, Grid(rows=y, cols=x)),
    }
    return ak.zip(columns, depth_limit=1)


def with_field(name, values):
    ids = {"run": [1, 1], "luminosityBlock": [1, 1], "event": [1, 2]}
    return ak.zip({**ids, "Jet": [[{"pt": 1.0}], []], name: ak.Array(values)}, depth_limit=1)


def write_parts(events, folder):
    parts = [folder / "parts" / f"part-{i}.parquet" for i in range(len(events))]
    for part, array in zip(parts, events, strict=True):
        parquet.write_part([array], part)
    return parts


def assert_same(result, columns):
    """Compare names, types and every number; the order of the columns may differ."""
    assert set(ak.fields(result)) == set(columns)
    for name, expected in columns.items():
        assert str(result[name].type) == str(expected.type), name
        assert ak.array_equal(result[name], expected), name
