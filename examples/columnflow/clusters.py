"""Producers of columnflow for clusters: list this module in law.cfg, `production_modules: clusters`."""

from hep_peaksum.integrations.columnflow import peaksum

TOWERS = {
    "rows": {"name": "eta", "bins": 24, "start": -3, "stop": 3},
    "cols": {"name": "phi", "bins": 16, "start": "-pi", "stop": "pi", "periodic": True},
    "quantity": "et",
    "unit": "1 GeV",
}
SETTINGS = {"search_window": [3, 3], "sum_window": [3, 3], "seed_threshold": "1 GeV"}

clusters = peaksum.derive("clusters", cls_dict={"cells": "CaloTower.et", "grid": TOWERS, "settings": SETTINGS})
tight_clusters = clusters.derive(
    "tight_clusters", cls_dict={"settings": {**SETTINGS, "seed_threshold": "3 GeV"}, "output": "TightCluster"}
)
