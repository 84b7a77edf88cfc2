"""ROOT files in: branches, grids and hits."""
