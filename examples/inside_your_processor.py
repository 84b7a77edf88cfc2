"""Clusters inside your own coffea processor, from a file with a branch `float calo_e[24][16]`."""

import awkward as ak
import hist
from coffea import processor
from coffea.nanoevents import BaseSchema

import hep_peaksum as ps
from hep_peaksum import toy

SETTINGS = ps.PeakSumSettings(search_window=(3, 3), sum_window=(3, 3), seed_threshold="1 GeV")


class LeadingCluster(processor.ProcessorABC):
    """Any analysis; this one fills the energy of the leading cluster of every event."""

    def process(self, events):
        clusters = ps.find_clusters(ps.from_dense(events.calo_e, toy.TOY_GRID), SETTINGS, toy.TOY_GRID)
        leading = ak.firsts(clusters.energy)  # clusters are sorted by sum; None for an event without clusters
        energy = hist.Hist.new.Reg(30, 0, 150, name="energy", label="leading cluster energy [GeV]").Double()
        energy.fill(ak.drop_none(leading))
        return {"events": len(events), "energy": energy}

    def postprocess(self, accumulator):
        return accumulator


if __name__ == "__main__":
    toy.write_events("toy.root", toy.make_events(2000, seed=1))
    run = processor.Runner(executor=processor.IterativeExecutor(), schema=BaseSchema, chunksize=500)
    output = run({"toy": {"files": {"toy.root": "Events"}}}, LeadingCluster())
    print(f"{output['events']} events, energy of the leading cluster:")
    print(output["energy"])
