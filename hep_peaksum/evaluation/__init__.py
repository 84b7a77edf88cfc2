"""Clusters against a reference, on arrays."""
