"""A small config with variants and their problems, and one that uses most keys."""

import copy

import pytest

from hep_peaksum.config.load import load_config, parse_config
from hep_peaksum.config.yaml_io import ConfigError, override

FULL = """
datasets:
  zerobias: {files: {"data/*.root": l1CaloTowerEmuTree/L1CaloTowerTree}, metadata: {year: 2018}}
  ttbar-2018.v1: {files: {a.root: T, b.root: T}}
friends:
  ev: l1EventTree/L1EventTree
events:
  schema: base
  identify: {run: "ev:Event/run", luminosityBlock: "ev:Event/lumi", event: "ev:Event/event"}
  keep: ["ev:Event/nPV"]
grids:
  towers:
    hits: {row: L1CaloTower/ieta, col: L1CaloTower/iphi, value: L1CaloTower/iet}
    geometry: cms-l1-towers
  calo:
    dense: {branch: calo_e, shape: [67, 10, 12], axes: [layer, row, col]}
    layers: sum
    rows: {name: y, bins: 10, start: -5, stop: 5, unit: mm}
    cols: {name: x, edges: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14], unit: mm}
    unit: 1 MeV
clusters:
  Jet: {grid: towers, preset: cms-l1-jet, fields: [peak_sum, seed, row, col, pt, eta, phi, chunky_donut, net]}
  JetAllTies: {grid: towers, preset: cms-l1-jet, tie_rule: all, seed_threshold: 1e-3}
  Tau:
    grid: [towers]
    search_window: |
      ===
      =o>
      >>>
    sum_window: |
      .x.
      xox
      .x.
    max_clusters: 12
    order: position
  Cluster: {grid: [calo], seed_threshold: 10 MeV, cell_threshold: 0.5, masked: zero, kernel: scipy}
histograms:
  jet_pt: {axes: [{field: Jet.pt, bins: 100, start: 0, stop: 200}]}
  n_jet: {axes: [{field: nJet, edges: [0, 1, 5, 20]}]}
  jet_where:
    axes:
      - {field: Jet.eta, bins: 4, start: -5, stop: 5}
      - {field: Jet.phi, bins: 4, start: -pi, stop: pi}
output: {directory: results/zerobias, clusters: [parquet, ttree, rntuple], plots: false}
run: {executor: futures, workers: 2, chunksize: 50_000, on_bad_file: skip}
"""

SMALL = {
    "datasets": {"data": {"files": {"a.root": "Events"}}},
    "grids": {"calo": {"dense": {"branch": "e", "shape": [24, 16]}, "unit": 1}},
    "clusters": {"Jet": {"grid": "calo"}},
    "output": {"directory": "results"},
}


def small(*overrides):
    return override(copy.deepcopy(SMALL), overrides)


def problems(content):
    """Return what is wrong; every problem is one line, in the words of the config."""
    with pytest.raises(ConfigError) as caught:
        parse_config(content)
    return in_plain_words(caught)


def in_plain_words(caught):
    found = caught.value.problems
    for problem in found:
        _, *others = problem.split("\n")
        assert len(others) in (0, 2), "a line, or a line and the two that show a place in the file"
        assert all(line.startswith("    ") for line in others)
        assert "pydantic" not in problem.lower()
        assert "validation error" not in problem.lower()
        assert "input should" not in problem.lower()
        assert "does not do" not in problem
    assert str(caught.value) == "\n".join(found)
    return list(found)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def refused(path, *overrides):
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return in_plain_words(caught)
