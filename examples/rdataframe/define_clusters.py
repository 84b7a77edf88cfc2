"""Clusters in ROOT's RDataFrame: the search as a C++ header, which needs nothing of this package at run time.

python define_clusters.py INPUT.root OUTPUT.root, where the input is as `hep-peaksum demo` makes it; it needs
`pip install ROOT`.
"""

import sys

import ROOT

import hep_peaksum as ps

grid = ps.Grid(
    rows=ps.Axis(name="eta", bins=24, start=-3, stop=3),
    cols=ps.Axis(name="phi", bins=16, start="-pi", stop="pi", periodic=True),
    unit="1 GeV",
)
settings = ps.PeakSumSettings(seed_threshold="1 GeV")
ROOT.gInterpreter.Declare(ps.cpp_header(settings, grid))

frame = ROOT.RDataFrame("Events", sys.argv[1])
frame = frame.Define("found", "peaksum::find(calo_e)")  # once per event, a column for every field
frame = frame.Define("Cluster_pt", "found.pt").Define("Cluster_eta", "found.eta")
frame.Snapshot("Events", sys.argv[2], ["event", "Cluster_pt", "Cluster_eta"])
