"""Did you mean: the known word that is nearest to an unknown one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

MAX_LISTED = 10  # names in an error message, of which one line is read
SHORTEST_PART = 3  # letters of a word that is looked for inside other words


def did_you_mean(word: str, words: Iterable[str], *, likeness: float = 0.6) -> str:
    """Return ``" (did you mean 'x'?)"`` with the nearest of the words, or an empty text.

    The nearest is one that is spelt almost the same, or else the first that has the word as a part. The
    `likeness` of words that share an ending should be more, up to 1.

    >>> did_you_mean("Evnts", ["Events", "Runs"])
    " (did you mean 'Events'?)"
    >>> did_you_mean("sum", ["seed", "peak_sum"])
    " (did you mean 'peak_sum'?)"
    """
    if not re.search(r"\w", word):  # `=>` is no nearer to `>` than to `>=`
        return ""
    known = {each.lower(): each for each in words}
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=likeness)
    if not near and len(word) >= SHORTEST_PART:
        near = [each for each in known if word.lower() in re.split(r"[\W_]+", each)]
        near = near or [each for each in known if word.lower() in each]
    return f" (did you mean {known[near[0]]!r}?)" if near else ""


def listed(names: Iterable[str], most: int = MAX_LISTED, *, near: str = "") -> str:
    """Return names as text: of many the first, or those nearest to a word, and how many there are more.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    >>> listed(["row", "seed", "peak_sum", "sum_noise"], most=2, near="sum")
    'peak_sum, sum_noise and 2 more'
    """
    shown = list(names)
    n_more = len(shown) - most
    if n_more <= 0:
        return ", ".join(shown)
    if near:
        shown.sort(key=lambda name: _distance(near.lower(), name.lower()))  # equally near ones stay in order
    return f"{', '.join(shown[:most])} and {n_more} more"


def _distance(word: str, name: str) -> tuple[bool, float]:
    """Return how far a name is from a word: one that has the word as a part is nearer than any other."""
    return word not in name, -difflib.SequenceMatcher(None, name, word).ratio()
