"""The layer as a torch.nn.Module among others, with the torch backend of Keras and without a Keras model."""

import os

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is imported

import torch

from hep_peaksum.keras import PeakSum2D

peaks = PeakSum2D(data_format="channels_first", periodic=(False, True), seed_threshold=0.5)
model = torch.nn.Sequential(peaks, torch.nn.Flatten(), torch.nn.Linear(24 * 16, 1))
images = torch.rand(8, 1, 24, 16, requires_grad=True)
model(images).sum().backward()

n_seeds = torch.count_nonzero(peaks(images)).item()
n_reached = torch.count_nonzero(images.grad).item()
print(f"{n_seeds} clusters in 8 images, a gradient at {n_reached} of {images.numel()} cells")
