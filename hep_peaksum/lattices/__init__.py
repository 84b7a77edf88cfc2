"""Cells found from the numbers of hits: places along an axis, lattices, integers in order, layers."""
