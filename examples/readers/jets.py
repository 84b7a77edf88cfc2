import awkward as ak
import fastjet
import vector

import hep_peaksum as ps

vector.register_awkward()
for part in ps.parts("results"):
    events = ak.from_parquet(part)
    fields = {name: events[f"Jet_{name}"] for name in ("pt", "eta", "phi", "energy")}
    clusters = ak.zip(fields, with_name="Momentum4D")
    clusters = clusters[ak.num(clusters) > 0]
    sequence = fastjet.ClusterSequence(clusters, fastjet.JetDefinition(fastjet.antikt_algorithm, 0.8))
    print(ak.num(sequence.inclusive_jets(min_pt=20)))
