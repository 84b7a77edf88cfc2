"""Events of ROOT files as batches for training."""
