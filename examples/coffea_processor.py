"""PeakSumProcessor under coffea: results that add, numbers of your own, four-vectors, results read again."""

from pathlib import Path

import awkward as ak
from coffea import processor
from coffea.nanoevents import BaseSchema

import hep_peaksum as ps
from hep_peaksum import toy

JOB = {
    "grids": {
        "calo": {
            "dense": {"branch": "calo_e"},
            "rows": {"name": "eta", "bins": 24, "start": -3, "stop": 3},
            "cols": {"name": "phi", "bins": 16, "start": "-pi", "stop": "pi", "periodic": True},
            "unit": "1 GeV",
        }
    },
    "clusters": {"Jet": {"grid": "calo", "seed_threshold": "5 GeV"}},
}


class WithClosePairs(ps.PeakSumProcessor):
    """The clusters, and beside them a number of your own."""

    def process(self, events):
        jets = ps.to_coffea(self.find(events).events.Jet)
        pairs = ak.combinations(jets, 2, fields=["one", "other"])
        return {**super().process(events), "close": int(ak.sum(pairs.one.delta_r(pairs.other) < 1))}


def heaviest_pair(events):
    """A function of results: the collections of `PeakSumSchema` are four-vectors."""
    jets = events.Jet[ak.num(events.Jet) > 1]
    return {"mass": [float(ak.max((jets[:, 0] + jets[:, 1]).mass))]}


if __name__ == "__main__":
    for number, name in enumerate(("a.root", "b.root")):
        toy.write_events(name, toy.make_events(1000, seed=number))
    run = processor.Runner(executor=processor.IterativeExecutor(), schema=BaseSchema, chunksize=500)

    files = [{"toy": {"files": {name: "Events"}}} for name in ("a.root", "b.root")]
    results = [run(fileset, WithClosePairs(**JOB)) for fileset in files]
    total = processor.accumulate(results)  # events are concatenated, counts and histograms added
    events = total["toy"]["events"]
    print(f"{len(events)} events, {total['toy']['n_clusters']['Jet']} jets, {total['close']} close pairs")
    print(f"the highest jet has {ak.max(events.Jet.pt):.1f} GeV")

    writing = ps.PeakSumProcessor(**JOB, directory="results")
    print(run({"toy": {"files": {"a.root": "Events", "b.root": "Events"}}}, writing))  # counts alone
    parts = [str(path) for path in sorted(Path("results").rglob("part-*.parquet"))]
    read = processor.Runner(processor.IterativeExecutor(), schema=ps.PeakSumSchema, format="parquet")
    masses = read({"toy": parts}, heaviest_pair, treename="Events")["mass"]
    print(f"the heaviest pair has {max(masses):.1f} GeV")
