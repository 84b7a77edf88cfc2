"""The section `dense` of a grid: a branch that holds every cell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from hep_peaksum.geometry.grid import AxisWord, Grid, from_dense
from hep_peaksum.inputs.branch_names import BranchName
from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Count

MOST_BRANCHES = 100_000
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def _expand(value: Any) -> Any:
    """Return the names that ranges in braces stand for, the last of several ranges counting fastest.

    >>> _expand("Ecell{1..3}"), _expand("E{0..1}_{08..09}")
    (('Ecell1', 'Ecell2', 'Ecell3'), ('E0_08', 'E0_09', 'E1_08', 'E1_09'))
    """
    if isinstance(value, (list, tuple)):
        return tuple(name for each in value for name in (_expand(each) if isinstance(each, str) else (each,)))
    if not isinstance(value, str):
        return value
    parts = _RANGE.split(value)
    ends = list(zip(parts[1::3], parts[2::3], strict=True))
    wrong = next((f"{{{low}..{high}}}" for low, high in ends if int(high) < int(low)), None)
    n_names = 1
    for low, high in ends:
        n_names *= int(high) - int(low) + 1
    if wrong is not None:
        msg = f"{value!r}: {wrong} is not a range of branches: write the first number, then the last"
        raise ValueError(msg)
    if n_names > MOST_BRANCHES:
        msg = f"{value!r} names {n_names} branches, more than {MOST_BRANCHES}: is there a digit too many?"
        raise ValueError(msg)
    numbers = [
        [str(number).zfill(len(low) if low[0] == "0" else 0) for number in range(int(low), int(high) + 1)]
        for low, high in ends
    ]
    texts = parts[::3]
    return tuple(
        texts[0] + "".join(number + text for number, text in zip(chosen, texts[1:], strict=True))
        for chosen in product(*numbers)
    )


_LIST = {"type": "array", "items": {"type": "string"}}
BranchRange = Annotated[
    tuple[str, ...],
    BeforeValidator(_expand),
    WithJsonSchema({"title": "branches, as in E{1..25}", "anyOf": [{"type": "string"}, _LIST]}),
]
DenseAxis = Literal["row", "col", "layer", "channel"]


class DenseBranch(FrozenModel):
    """A branch that holds every cell, fixed or flat, its axes named slowest first; or a branch per cell."""

    branch: BranchName | None = Field(
        None,
        description="Branch with one value for every cell, in counts: an array, nested vectors, or flat. Give "
        "either branch or branches.",
    )
    each: BranchRange | None = Field(
        None,
        alias="branches",
        description="Branches with one cell each, in the order of axes; a range of numbers stands for its "
        "names, and of several ranges the last counts fastest.",
        examples=["Ecell{1..25}"],
    )
    shape: tuple[Count, ...] | None = Field(
        None,
        description="Number of cells along axes. Needed where neither rows and cols nor the branch say it; "
        "rows and cols can then be left out.",
        examples=[[67, 10, 10]],
    )
    axes: tuple[DenseAxis, ...] = Field(
        ("row", "col"),
        description="Order of a cell's indices, the slowest first: row and col, and layer if there are layers. "
        "Or channel alone: the values are in increasing order of the channels of the cell table.",
        examples=[["layer", "row", "col"]],
    )

    @model_validator(mode="after")
    def _check_branches(self) -> DenseBranch:
        if (self.branch is None) == (self.each is None):
            msg = "give either branch, which holds every cell, or branches, which hold one each"
            raise ValueError(msg)
        if self.each is not None and len(set(self.each)) < len(self.each):
            twice = next(name for name in self.each if self.each.count(name) > 1)
            msg = f"branches: {twice!r} occurs twice, and a branch is one cell: name every branch once"
            raise ValueError(msg)
        if self.by_channel and len(self.axes) > 1:
            msg = (
                f"axes: channel stands alone, not in {list(self.axes)}: the cell table says where a channel is"
            )
            raise ValueError(msg)
        return self

    @property
    def by_channel(self) -> bool:
        """Whether values are in the order of the channels of a cell table."""
        return "channel" in self.axes

    @property
    def cell_axes(self) -> tuple[AxisWord, ...]:
        """The axes of values that are not in the order of channels."""
        return tuple(word for word in self.axes if word != "channel")

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return self.each or (str(self.branch),)

    def n_values(self, columns: Sequence[Any], expected: int) -> int:
        """Return how many values an event has, given the columns of `branches`; `expected` if that differs."""
        if self.each is not None:
            return len(self.each)
        (column,) = columns
        if column.ndim != 2:
            what = f"the array has {column.ndim - 1} axes below the event, and channels lie along one"
            msg = f"{what}: name a branch with one, or give axes: [row, col] and a table by row and col"
            raise ValueError(msg)
        if isinstance(column, np.ndarray):
            return int(column.shape[1])
        import awkward as ak

        numbers = np.unique(ak.to_numpy(ak.num(column))).tolist()
        return numbers[0] if len(numbers) == 1 else expected

    def cells(self, columns: Sequence[Any], grid: Grid) -> Array:
        """Return the cells of events, given the columns of `branches`; errors as for `from_dense`.

        Channels are one row of cells, which is what `grid` is then.
        """
        axes: tuple[AxisWord, ...] = ("row", "col") if self.by_channel else self.cell_axes
        shape = None if self.by_channel else self.shape
        if self.each is None:
            return from_dense(columns[0], grid, axes=axes, shape=shape)
        values = [np.asarray(column) for column in columns]
        wrong = next((n for n, column in enumerate(values) if column.ndim != 1), None)
        if wrong is not None:
            shape = values[wrong].shape[1:]
            msg = f"{self.each[wrong]!r} has {shape} values per event, expected one number: name it in branch"
            raise ValueError(msg)
        return from_dense(np.stack(values, axis=1), grid, axes=axes, shape=shape)

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the key that names the branch, with the branch; `key` is that of these."""
        word = "branch" if self.each is None else "branches"
        yield from ((f"{key}.{word}", branch) for branch in self.branches)
