"""How processes of tests compile that start without a cache: in half the time, with the same results."""

IN_HALF_THE_TIME = {"NUMBA_OPT": "1"}  # numba optimises less: how fast the code is matters in none of them
