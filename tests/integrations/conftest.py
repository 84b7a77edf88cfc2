"""Every search and every plane that can be exported."""

import pytest
from exported_searches import GRIDS, SEARCHES

from hep_peaksum import PeakSumSettings


@pytest.fixture(params=SEARCHES.values(), ids=SEARCHES)
def settings(request):
    return PeakSumSettings(**request.param)


@pytest.fixture(params=GRIDS.values(), ids=GRIDS)
def grid(request):
    return request.param
