"""Every test that takes `kernel` runs with both kernels."""

import pytest

from hep_peaksum.kernels import get_kernel


@pytest.fixture(scope="module", params=["numba", "scipy"])
def kernel(request):
    return get_kernel(request.param)
