"""Benchmarks that anyone can run: ``python -m tests.benchmarks all`` (see docs/speed.md).

Not collected by pytest. Times are ratios to a floor measured beside them, never alone.
"""
