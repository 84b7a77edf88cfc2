"""Keeps pytest, which looks for doctests, from importing these; tests/test_benchmarks.py runs them."""

collect_ignore_glob = ["*"]
