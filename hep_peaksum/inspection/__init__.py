"""What a ROOT file holds that could fill a grid, and configs proposed for it."""
