"""The algorithm on arrays: cells in, clusters out."""
