"""The detector: axes, grids, and hits placed on them."""
