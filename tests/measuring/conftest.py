"""Events with showers and the clusters of a toy detector, as jagged records, with weights of both signs."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.analysis.derived import Collections
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.measuring.filling import MeasuredEvents
from hep_peaksum.measuring.matches import MatchInput

PLANE = Grid(
    rows=Axis(name="eta", bins=20, start=-2, stop=2),
    cols=Axis(name="phi", bins=32, start="-pi", stop="pi", periodic=True),
    quantity="et",
    unit=1,
)


def random_objects(random, n_events, most):
    """Return jagged records of objects in eta and phi, with pt and index."""
    counts = random.integers(0, most + 1, n_events)
    n = counts.sum()
    flat = {
        "eta": random.uniform(-1, 1, n),
        "phi": random.uniform(-np.pi, np.pi, n),
        "pt": np.round(random.exponential(20, n)),  # equal ones occur
    }
    records = ak.unflatten(ak.zip(flat), counts)
    return ak.with_field(records, ak.local_index(records, axis=1), "index")


@pytest.fixture(params=[1, 2, 3])
def events(request):
    random, n_events = np.random.default_rng(request.param), 60
    clusters, objects = (random_objects(random, n_events, most) for most in (6, 4))
    return MeasuredEvents(
        collections=Collections({"Jet": clusters}, {}, {"HT": np.asarray(ak.sum(clusters.pt, axis=1))}),
        references={"Gen": objects, "MET": ak.zip({"value": random.exponential(20, n_events)})},
        weights={"nominal": random.choice([1.0, 2.0, -0.5], n_events)},
        matches={"JetGen": MatchInput(clusters="Jet", reference="Gen", by="delta_r", within=1.0)},
        grids={"Jet": PLANE},
        metadata={"beam_energy": 10.0},
    )
