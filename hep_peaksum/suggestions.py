"""Did you mean: the known word that is nearest to an unknown one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

MAX_LISTED = 40  # names in an error message
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


def listed(names: Sequence[str], most: int = MAX_LISTED) -> str:
    """Return names as text: the first ones, and how many there are more.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    n_more = len(names) - most
    return ", ".join(names[:most]) + (f" and {n_more} more" if n_more > 0 else "")
