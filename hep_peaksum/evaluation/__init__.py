"""Clusters against a reference, on arrays: which cluster belongs to which object.

No file is read here and no config is known, so the same code serves simulated truth, the objects of a trigger
emulator and the clusters of a second algorithm.
"""
