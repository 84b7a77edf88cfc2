"""Clusters of hexagons in a real file: those of plain loops over the hits, neighbours those nearby."""

import math
from collections import defaultdict

import pytest
import uproot
from event_files import event_index
from places import CONFIGS

from hep_peaksum.config.load import load_config
from hep_peaksum.job.processor import PeakSumProcessor

PITCH = 8.341321


@pytest.fixture
def path(data):
    return data("ldmx_ecal_100.root")


def hits_of(path):
    """Return the hits of every event: x, y, energy, and what they share with their neighbours."""
    names = [f"EcalRecHits_sim.{word}_" for word in ("xpos", "ypos", "energy", "id", "isNoise")]
    with uproot.open(path) as file:
        columns = [file["LDMX_Events"][f"EcalRecHits_sim/{name}"].array().to_list() for name in names]
    events = [zip(*event, strict=True) for event in zip(*columns, strict=True)]
    return [
        [
            (x, y, energy, (number >> 12) % 32, (number >> 17) % 64)
            for x, y, energy, number, noise in event
            if not noise
        ]
        for event in events
    ]


def clusters_of(hits, threshold):
    """Return module, layer, seed, sum, x and y of every hit that is the highest within one pitch.

    Of equal ones that is the leftmost, of a column the lowest; energies are added in the same order.
    """
    planes, clusters = defaultdict(list), []
    for x, y, energy, module, layer in hits:
        planes[module, layer].append((x, y, energy))
    for plane, cells in planes.items():
        assert len({cell[:2] for cell in cells}) == len(cells)
        for x, y, energy in cells:
            near = [cell for cell in cells if math.hypot(cell[0] - x, cell[1] - y) < 1.1 * PITCH]
            near.sort(key=lambda cell: (round(cell[0], 1), cell[1]))
            if energy > threshold and max(near, key=lambda cell: cell[2]) == (x, y, energy):
                clusters.append((*plane, energy, sum(cell[2] for cell in near), x, y))
    return clusters


@pytest.mark.parametrize("threshold", [10, 0])
def test_clusters_of_ldmx_are_those_of_plain_loops(monkeypatch, path, threshold):
    monkeypatch.setenv("HEP_PEAKSUM_DATA", str(path.parent))
    config = load_config(CONFIGS / "ldmx-hexagons.yaml", [f"clusters.Cluster.seed_threshold={threshold}"])
    events = PeakSumProcessor(**config.job()).find(event_index(str(path), "LDMX_Events")).events
    n_clusters, n_modules = 0, set()
    for found, hits in zip(events.Cluster, hits_of(path), strict=True):
        expected = sorted(clusters_of(hits, threshold))
        columns = [found[word].to_list() for word in ("grid", "layer", "seed", "peak_sum", "x", "y")]
        rows = sorted(zip(*columns, strict=True))
        assert [row[:4] for row in rows] == [row[:4] for row in expected]
        for row, cluster in zip(rows, expected, strict=True):
            assert row[4:] == pytest.approx(cluster[4:], abs=1e-3)
        n_clusters, n_modules = n_clusters + len(rows), n_modules | {row[0] for row in rows}
    assert n_clusters == {10: 5900, 0: 6701}[threshold]
    assert n_modules == set(range(7))
