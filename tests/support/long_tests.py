"""The mark of tests that take minutes together, which only the scheduled CI runs: HEP_PEAKSUM_LONG=1 pytest."""

import os

import pytest

LONG = pytest.mark.skipif(
    not os.environ.get("HEP_PEAKSUM_LONG"), reason="takes minutes: set HEP_PEAKSUM_LONG=1"
)
