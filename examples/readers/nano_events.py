from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

NanoAODSchema.warn_missing_crossrefs = False  # of collections that NanoAOD has and this file does not

for name in ("clusters.root", "clusters.rntuple.root"):
    file = {f"results/toy/{name}": "Events"}
    events = NanoEventsFactory.from_root(file, schemaclass=NanoAODSchema).events()
    print(name, events.Jet[events.Jet.pt > 40].eta)
