"""Jobs over the events of tests/processing, and the jets that they must have."""

import awkward as ak
import numpy as np

from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.config.load import parse_config
from hep_peaksum.job.run import run

SETTINGS = {"seed_threshold": 6}


def finished(content):
    """Run a job, and return its result with the events that it wrote."""
    result = run(parse_config(content))
    parts = sorted(result.directory.glob("toy/clusters.parquet/part-*"))
    return result, ak.concatenate([ak.from_parquet(part) for part in parts])


def all_events(samples, name):
    return np.concatenate([arrays[name] for _, arrays in samples])


def jets_of(samples):
    return find_clusters(all_events(samples, "cells"), SETTINGS)
