"""Lists that are equally long in every event, so hits, though no names say that they belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch
from hep_peaksum.naming.groups import Group, group_hits, is_value, may_be_energy

ROWS_FIRST = [*dict.fromkeys(role for pair in conventions.PAIRS for role in pair)]


def labelled_hits(lists: Sequence[Branch]) -> Iterator[Group]:
    """Yield hits with integers as row and column, and the only list that may be energies, whatever its name.

    Hits without such a list are counted; of several, only their owner knows which it is.
    """
    values = [each for each in lists if each.dtype.kind == "f" and may_be_energy(each, each.words)]
    for group in group_hits(lists, depth=1) if len(values) < 2 else ():
        are_labels = all(group.places[role].dtype.kind in "iu" for role in group.pair)
        if not group.pair or not are_labels or group.value is not None:
            continue
        others = (each for each in lists if each.dtype.kind in "iu" and each not in group.named)
        numbers = tuple(each for each in others if conventions.may_number(each.words))
        yield group._replace(value=next(iter(values), None), is_value_guessed=True, integers=numbers)


def hits_to_edit(lists: Sequence[Branch]) -> str:
    """Return the key `hits` to start from, with likely row, col and value; empty without two integers."""
    values = [each for each in lists if may_be_energy(each, each.words)]
    values.sort(key=lambda each: not is_value(each))
    whole = [each for each in lists if each.dtype.kind in "iu" and each not in values]
    numbers = [each for each in whole if conventions.may_number(each.words)]
    if len(numbers) < 2:
        return ""
    numbers.sort(key=_place_in_pair)
    row, col = (each.config_name for each in numbers[:2])
    value = values[0].config_name if values else 1
    return f"hits: {{row: {row}, col: {col}, value: {value}}}"


def _place_in_pair(branch: Branch) -> int:
    """Return the key by which integers are sorted: rows, columns, others."""
    place = conventions.place_of(branch.words, is_whole=True)
    return ROWS_FIRST.index(place.role) if place and place.role in ROWS_FIRST else len(ROWS_FIRST)
