import cabinetry

HISTOGRAM = "results/histograms.root:toy/jet_pt"
config = {
    "General": {
        "Measurement": "jets",
        "POI": "norm",
        "HistogramFolder": "histograms",
        "InputPath": "{SamplePath}",
    },
    "Regions": [{"Name": "all", "Variable": "jet_pt"}],
    "Samples": [{"Name": n, "SamplePath": HISTOGRAM, "Data": n == "data"} for n in ("data", "jets")],
    "NormFactors": [{"Name": "norm", "Samples": "jets", "Nominal": 1, "Bounds": [0, 10]}],
}
cabinetry.templates.collect(config)
cabinetry.templates.postprocess(config)
model, data = cabinetry.model_utils.model_and_data(cabinetry.workspace.build(config))
result = cabinetry.fit.fit(model, data)
print(dict(zip(result.labels, result.bestfit, strict=True))["norm"])
