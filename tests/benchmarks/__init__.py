"""Benchmarks that anyone can run: ``python -m tests.benchmarks all`` (see docs/speed.md).

They are not collected by pytest. Times are given as ratios to something measured in the same rounds.
"""
