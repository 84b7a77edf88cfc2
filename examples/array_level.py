"""Clusters of a batch of images in ten lines, without files or coffea."""

import numpy as np

import hep_peaksum as ps

images = np.random.default_rng(1).poisson(0.4, size=(1000, 24, 16))  # 1000 events of 24 x 16 integer cells
eta = ps.Axis(name="eta", bins=24, start=-3, stop=3)
phi = ps.Axis(name="phi", bins=16, start="-pi", stop="pi", periodic=True)
grid = ps.Grid(rows=eta, cols=phi, unit="0.5 GeV")
clusters = ps.find_clusters(images, ps.PeakSumSettings(seed_threshold="1 GeV"), grid)
for cluster in clusters[0].to_list():
    print(cluster)

# how the number of clusters depends on the tie rule
for rule in ("all", "first", "diagonal", "none"):
    clusters = ps.find_clusters(images, ps.PeakSumSettings(seed_threshold="1 GeV", tie_rule=rule), grid)
    print(f"{rule:>8}: {np.sum([len(event) for event in clusters])} clusters in {len(clusters)} events")
