"""Conditions on events, as `events.where` lists them: of branches, of the user's own functions, of clusters.

Models of the config with what they do; the caller gives a function that returns a column by its name.
"""

from __future__ import annotations

import fnmatch
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, field_validator, model_validator

from hep_peaksum.inputs.branch_names import BranchName, FieldPath, Words, includes
from hep_peaksum.inputs.comparisons import Comparison
from hep_peaksum.inputs.functions import FUNCTION, FunctionName, local_place, values_for
from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import text_under
from hep_peaksum.settings.messages import shown

if TYPE_CHECKING:
    import awkward as ak

ELEMENT = re.compile(r"(.+)\[(\d{1,9})\]")
Column = Callable[[str], "ak.Array"]


class SimpleCondition(Comparison):
    """A condition on an event: on a branch, on clusters, or by a function."""

    branch: BranchName | None = Field(
        None,
        description="Branch that is compared, with one value for every event; an element of a list as in "
        "bits[9], which fails if the list is shorter.",
        examples=["hodo_x", "m_algoDecisionFinal[9]"],
    )
    contains: str | None = Field(
        None,
        description="Pattern that one of the names in the branch, a list of names, must match; * is any text.",
        examples=["HLT_ZeroBias_v*"],
    )
    bit: Annotated[int, Field(strict=True, ge=0, le=63)] | None = Field(
        None, description="Bit of the branch, counted from the lowest, 0, that must be set."
    )
    field: FieldPath | None = Field(
        None,
        description="Number of clusters, nCollection, or field of clusters, Collection.field, of which the "
        "highest value counts. Such conditions come last.",
        examples=["nJetBarrel", "Jet.pt"],
    )
    nth: Annotated[int, Field(strict=True, ge=1)] = Field(
        1,
        description="Of a field of clusters: the n-th highest value counts; that of an event with fewer is "
        "below every number.",
    )
    lumi_mask: str | None = Field(
        None,
        description="Path of a JSON file with the good luminosity blocks of every run; all others fail.",
        examples=["golden.json"],
    )
    function: FunctionName | None = Field(
        None,
        description="Function of yours, module:function, from the events to a bool for each; the function "
        "alone may stand for the condition.",
        examples=["mysite:good_event"],
    )
    WAYS: ClassVar[tuple[str, ...]] = ("branch", "field", "lumi_mask", "function")

    @field_validator("function")
    @classmethod
    def _check_function(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(FUNCTION, value):
            remedy = ": write a comparison as {branch: nPV, above: 1}" if re.search("[<>=]", value) else ""
            msg = f"{value!r} is not written as module:function{remedy}"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _check(self) -> SimpleCondition:
        ways = [word for word in self.WAYS if getattr(self, word) is not None]
        if len(ways) != 1:
            known, given = (", ".join(words).replace("any_of", "any") for words in (self.WAYS, ways))
            known = known.replace("function", "module:function")
            msg = f"a condition has one of {known}; here: {given or 'none'}"
            raise ValueError(msg)
        has_test = bool(self.tests or self.contains is not None or self.bit is not None)
        if ways[0] in ("branch", "field") and not has_test:
            raise ValueError(self.nothing_compared(self.branch or self.field))
        if ways[0] not in ("branch", "field") and has_test:
            msg = f"{ways[0].replace('any_of', 'any')} is not compared with a number: drop {self.in_words()}"
            raise ValueError(msg)
        if ways[0] != "branch" and (self.contains is not None or self.bit is not None):
            msg = f"contains and bit are of branches, not of {ways[0]}: name the branch"
            raise ValueError(msg)
        return self

    @property
    def of_clusters(self) -> bool:
        """Whether clusters have to be found before it can be decided."""
        return self.field is not None

    @property
    def label(self) -> str:
        """What the cut flow calls it."""
        if self.lumi_mask is not None:
            return f"lumi_mask {self.lumi_mask}"
        if self.function is not None:
            return self.function
        tests = [self.in_words()] if self.tests else []
        tests += [f"contains {self.contains}"] if self.contains is not None else []
        tests += [f"bit {self.bit}"] if self.bit is not None else []
        nth = f" (number {self.nth})" if self.nth > 1 else ""
        return f"{self.branch or self.field}{nth} {', '.join(tests)}"

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch."""
        if self.branch is not None:
            yield f"{key}.branch", split_element(self.branch)[0]

    def function_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the key that names a function, with the function."""
        if self.function is not None:
            yield key, self.function

    def fields(self) -> Iterator[str]:
        """Yield the fields of clusters that it looks at."""
        if self.field is not None:
            yield self.field

    def files(self) -> Iterator[str]:
        """Yield the files that it looks into."""
        if self.lumi_mask is not None:
            yield self.lumi_mask

    def evaluate(
        self, events: Any, column: Column, identity: Callable[[str], Array], cluster_value: Any
    ) -> Array:
        """Return which events meet it.

        Parameters
        ----------
        events
            What the user's function is called with.
        column
            Returns a branch of the events.
        identity
            Returns run or luminosityBlock of every event.
        cluster_value
            Returns, for a field of clusters and n, the n-th highest value of every event.

        Raises
        ------
        ValueError
            If a branch or the result of the function has not one value for every event.
        """
        if self.lumi_mask is not None:
            runs, blocks = (identity(word).astype(np.uint32) for word in ("run", "luminosityBlock"))
            return np.asarray(_lumi_mask(*local_place(self.lumi_mask))(runs, blocks))
        if self.function is not None:
            return _called(self.function, events)
        if self.field is not None:
            return self.passes(cluster_value(self.field, self.nth))
        return self._of_branch(column)

    def _of_branch(self, column: Column) -> Array:
        """Return which events meet the comparisons of the branch."""
        name, index = split_element(str(self.branch))
        values = column(name)
        if self.contains is not None:
            return _contains(values, self.contains, name)
        values, is_there = _one_value(values, name, index)
        passed = is_there & self.passes(values) if self.tests else is_there
        if self.bit is not None:
            if values.dtype.kind not in "iu":
                msg = f"bit {self.bit}: {name!r} holds {values.dtype}, expected whole numbers"
                raise ValueError(msg)
            passed = passed & ((values.astype(np.uint64) >> np.uint64(self.bit)) & np.uint64(1)).astype(bool)
        return np.asarray(passed)


Alternative = Annotated[
    SimpleCondition,
    BeforeValidator(text_under("function"), json_schema_input_type=FunctionName | SimpleCondition),
]


class EventCondition(SimpleCondition):
    """A condition that an event must meet to be kept, perhaps one of several, perhaps in some datasets only."""

    any_of: tuple[Alternative, ...] | None = Field(
        None, alias="any", description="Conditions of which at least one must be met."
    )
    datasets: Words | None = Field(
        None, description="Datasets that the condition applies to; events of others pass. By default all."
    )

    WAYS: ClassVar[tuple[str, ...]] = (*SimpleCondition.WAYS, "any_of")

    @model_validator(mode="after")
    def _check_any(self) -> EventCondition:
        if self.any_of == ():
            msg = "any: no condition is given, so no event would pass: list some, or drop it"
            raise ValueError(msg)
        return self

    @property
    def of_clusters(self) -> bool:
        """Whether clusters have to be found before it can be decided."""
        return any(each.of_clusters for each in self.any_of) if self.any_of else super().of_clusters

    @property
    def label(self) -> str:
        """What the cut flow calls it."""
        return " or ".join(each.label for each in self.any_of) if self.any_of else super().label

    def is_for(self, dataset: str) -> bool:
        """Return whether it applies to a dataset."""
        return includes(self.datasets, dataset)

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch."""
        yield from super().branch_keys(key)
        for number, each in enumerate(self.any_of or ()):
            yield from each.branch_keys(f"{key}.any.{number}")

    def function_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a function, each with the function."""
        yield from super().function_keys(key)
        for number, each in enumerate(self.any_of or ()):
            yield from each.function_keys(f"{key}.any.{number}")

    def fields(self) -> Iterator[str]:
        """Yield the fields of clusters that it looks at."""
        yield from super().fields()
        for each in self.any_of or ():
            yield from each.fields()

    def files(self) -> Iterator[str]:
        """Yield the files that it looks into."""
        yield from super().files()
        for each in self.any_of or ():
            yield from each.files()

    def evaluate(
        self, events: Any, column: Column, identity: Callable[[str], Array], cluster_value: Any
    ) -> Array:
        """Return which events meet it, or one of its conditions; arguments and errors as above."""
        if self.any_of is None:
            return super().evaluate(events, column, identity, cluster_value)
        parts = [each.evaluate(events, column, identity, cluster_value) for each in self.any_of]
        return np.asarray(np.logical_or.reduce(parts))


Condition = Annotated[
    EventCondition,
    BeforeValidator(text_under("function"), json_schema_input_type=FunctionName | EventCondition),
]
Conditions = tuple[Condition, ...]


def check_order(conditions: Sequence[EventCondition]) -> None:
    """Raise a ValueError unless conditions on clusters come last."""
    is_late = [each.of_clusters for each in conditions]
    for number, (late, following) in enumerate(itertools.pairwise(is_late)):
        if late and not following:
            first, second = conditions[number], conditions[number + 1]
            msg = f"{second.label!r} comes after {first.label!r}, which is decided after the search: move it up"
            raise ValueError(msg)


def split_element(branch: str) -> tuple[str, int | None]:
    """Return the name of a branch, and the number of the element that is meant, if one is.

    >>> split_element("m_algoDecisionFinal[9]"), split_element("hodo_x")
    (('m_algoDecisionFinal', 9), ('hodo_x', None))
    """
    match = ELEMENT.fullmatch(branch)
    return (match[1], int(match[2])) if match else (branch, None)


def one_number(values: ak.Array) -> ak.Array:
    """Return lists of exactly one number as numbers, as EDM4hep and Delphes write them; others as they are."""
    import awkward as ak

    if values.ndim == 2 and ak.all(ak.num(values) == 1):
        return ak.flatten(values)
    return values


def _one_value(values: ak.Array, name: str, index: int | None) -> tuple[Array, Array]:
    """Return a value of every event, and whether it has one; what has none is 0."""
    import awkward as ak

    if values.ndim > 2:
        remedy = "compare a field of clusters, as in {field: Jet.pt, min: 5}, or write a module:function"
        msg = f"{name!r} has lists of lists for every event, and a condition is on one number: {remedy}"
        raise ValueError(msg)
    if index is not None and values.ndim > 1:
        padded = ak.pad_none(values, index + 1, axis=1)[:, index]
        return np.asarray(ak.to_numpy(ak.fill_none(padded, 0))), ~np.asarray(ak.to_numpy(ak.is_none(padded)))
    if index is None:
        values = one_number(values)
    if values.ndim > 1 or index is not None:
        given = "several values" if values.ndim > 1 else "one value"
        remedy = f"name an element, as in {name}[0]" if values.ndim > 1 else "drop the brackets"
        msg = f"{name!r} has {given} for every event: {remedy}"
        raise ValueError(msg)
    return np.asarray(ak.to_numpy(ak.fill_none(values, 0))), ~np.asarray(ak.to_numpy(ak.is_none(values)))


def _contains(values: ak.Array, pattern: str, name: str) -> Array:
    """Return which events have a name that matches a pattern in their list."""
    import awkward as ak

    if "string" not in str(ak.type(values)):
        msg = f"contains {pattern!r}: {name!r} holds {ak.type(values)}, expected a list of names"
        raise ValueError(msg)
    is_single = values.ndim == 1  # one name for every event: awkward counts characters apart
    flat = values if is_single else ak.flatten(values, axis=1)
    names = ak.to_list(flat)
    matches = re.compile(fnmatch.translate(pattern)).match
    known = {each: matches(each) is not None for each in set(names)}
    passed = np.array([known[each] for each in names], bool)
    if is_single:
        return passed
    return np.asarray(ak.to_numpy(ak.any(ak.unflatten(passed, ak.num(values)), axis=1)))


@lru_cache(maxsize=16)
def _lumi_mask(path: str, _state: object) -> Any:
    """Return coffea's mask of good luminosity blocks; a file that is none is a ValueError."""
    from coffea.lumi_tools import LumiMask

    try:
        _check_lumi_mask(json.loads(Path(path).read_bytes()))
        return LumiMask(path)
    except FileNotFoundError:
        msg = f"lumi_mask: there is no file {path!r} (seen from {Path.cwd()})"
        raise ValueError(msg) from None
    except Exception as error:  # noqa: BLE001 -- json, the file system, numpy
        reason = " ".join(str(error).split())
        msg = f"lumi_mask: {path!r} cannot be read as a JSON file of luminosity blocks ({reason:.120})"
        raise ValueError(msg) from None


def _check_lumi_mask(content: object) -> None:
    """Raise a ValueError unless a JSON file has a list of pairs [first, last] for every run.

    coffea's mask takes other forms, too, as other blocks or as none.
    """
    if not isinstance(content, dict):
        msg = f'expected {{"RUN": [[FIRST, LAST], ...]}}, not {shown(content)}'
        raise ValueError(msg)
    for run, ranges in content.items():
        for pair in ranges if isinstance(ranges, list) else [ranges]:
            is_pair = isinstance(pair, list) and [type(each) for each in pair] == [int, int]
            if not is_pair or not 0 <= pair[0] <= pair[1]:
                given = pair if isinstance(pair, list) else ranges
                msg = f"run {run} has {shown(given)}, expected [[first, last], ...], with first up to last"
                raise ValueError(msg)


def _called(name: str, events: Any) -> Array:
    """Return the bools that the user's function gives for events."""
    result = values_for(name, events)
    if result.dtype != bool or result.shape != (len(events),):
        msg = (
            f"{name!r} returned {result.dtype} of shape {result.shape}, expected bool of shape ({len(events)},)"
        )
        raise ValueError(msg)
    return result
