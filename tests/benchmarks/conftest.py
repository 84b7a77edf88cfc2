"""Keeps pytest from importing the benchmarks in search of doctests; tests/test_benchmarks.py runs them."""

collect_ignore_glob = ["*"]
