import awkward as ak
import hist
from coffea.nanoevents import NanoAODSchema
from coffea.processor import IterativeExecutor, Runner

import hep_peaksum as ps


class Schema(NanoAODSchema):
    warn_missing_crossrefs = False  # of collections that NanoAOD has and these files do not


def count(events):  # any callable, or an instance of ProcessorABC
    return {"n": hist.Hist.new.Reg(8, 0, 8, name="n_jets").Double().fill(ak.num(events.Jet))}


if __name__ == "__main__":
    run = Runner(IterativeExecutor(), schema=Schema, format="parquet")
    print(run({"toy": ps.parts("results")}, count, treename="Events"))
