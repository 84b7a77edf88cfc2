"""Every test that takes `kernel` runs with both kernels."""

import tracemalloc

import pytest

from hep_peaksum.kernels import get_kernel


@pytest.fixture(scope="module", params=["numba", "scipy"])
def kernel(request):
    return get_kernel(request.param)


@pytest.fixture
def traced_peak():
    """Return a function that tells how many bytes a call has allocated at most."""

    def peak_of(call):
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return peak_of
