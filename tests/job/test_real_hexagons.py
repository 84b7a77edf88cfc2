"""Clusters of hexagons in a real file: those of plain loops over the hits, neighbours those nearby."""

import cmath
import math
from collections import defaultdict
from pathlib import Path

import pytest
import uproot
from event_files import event_index
from places import CONFIGS

from hep_peaksum.config.load import load_config
from hep_peaksum.job.processor import PeakSumProcessor

PITCH, SIDE = 8.341321, 4.815964
CENTRES = [0, *(171.5 * cmath.exp(1j * math.radians(angle)) for angle in (0, -60, -120, 180, 120, 60))]


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


TABLE = """
datasets: {{ecal: {{files: {{"{path}": LDMX_Events}}}}}}
events: {{identify: {{run: run_, luminosityBlock: 1, event: eventNumber_}}}}
grids:
  ecal:
    hits: {{channel: {{bits: EcalRecHits_sim.id_, first: 0, last: 22}}, value: EcalRecHits_sim.energy_}}
    where: [{{branch: EcalRecHits_sim.isNoise_, equals: false}}]
    cells: cells.csv                       # row and col of every channel are q and r within its module
    rows: {{name: q, labels: "-13..13"}}
    cols: {{name: r, labels: "-13..13"}}
    hexagons: {{pitch: 8.341321, orientation: flat}}
    layers: each
clusters:
  Cluster: {{grid: ecal, preset: hexagon-7, seed_threshold: 10, fields: [peak_sum, seed, layer, row, col, x]}}
output: {{directory: results, clusters: [parquet]}}
"""


def write_table(path):
    """Write the cell table of all channels with hits; return the numbers of module and layer, in order."""
    with uproot.open(path) as file:
        tree, name = file["LDMX_Events"], "EcalRecHits_sim/EcalRecHits_sim."
        columns = [tree[f"{name}{word}_"].array().to_list() for word in ("id", "xpos", "ypos")]
    rows = {}
    for number, x, y in (hit for event in zip(*columns, strict=True) for hit in zip(*event, strict=True)):
        module, layer = (number >> 12) % 32, (number >> 17) % 64
        place = complex(x, y) - CENTRES[module] - SIDE * (1 + layer % 2)
        q = round(place.real / (1.5 * SIDE))
        rows[number % 2**23] = (q, round(place.imag / PITCH - q / 2), 64 * module + layer)
    lines = [",".join(map(str, (channel, *row))) for channel, row in sorted(rows.items())]
    Path("cells.csv").write_text("\n".join(["channel,row,col,layer", *lines]), encoding="utf-8")
    return sorted({row[2] for row in rows.values()})


def test_a_cell_table_of_axial_coordinates_holds_all_modules_and_layers(monkeypatch, tmp_path, path):
    monkeypatch.chdir(tmp_path)
    planes = [divmod(number, 64) for number in write_table(path)]
    Path("table.yaml").write_text(TABLE.format(path=path), encoding="utf-8")
    processor = PeakSumProcessor(**load_config(Path("table.yaml")).job())
    events = processor.find(event_index(str(path), "LDMX_Events")).events
    n_clusters = 0
    for found, hits in zip(events.Cluster, hits_of(path), strict=True):
        expected = sorted(cluster[:4] for cluster in clusters_of(hits, 10))
        columns = [found[word].to_list() for word in ("layer", "seed", "peak_sum")]
        assert sorted((*planes[layer], *rest) for layer, *rest in zip(*columns, strict=True)) == expected
        n_clusters += len(expected)
    assert n_clusters == 5900
