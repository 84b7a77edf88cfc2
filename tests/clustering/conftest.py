"""Who finds the clusters: either kernel, or the definition itself."""

from functools import partial

import pytest
from rules_pictures import find_by_definition, find_with_kernel


@pytest.fixture(scope="module", params=["numba", "scipy"])
def kernel(request):
    return request.param


@pytest.fixture(scope="module", params=["definition", "numba", "scipy"])
def finder(request):
    """Return the function that finds the clusters of a picture."""
    return (
        find_by_definition if request.param == "definition" else partial(find_with_kernel, kernel=request.param)
    )
