"""Did you mean: the nearest of some words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` with the nearest of the words, or nothing.

    >>> did_you_mean("Evnts", ["Events", "Runs"])
    " (did you mean 'Events'?)"
    """
    lower = {each.lower(): each for each in words}
    near = [lower[match] for match in difflib.get_close_matches(word.lower(), list(lower), n=1)]
    return f" (did you mean {near[0]!r}?)" if near else ""
