"""What is searched and what is added: the windows, the tie rule, groups, and the thresholds on seeds and cells.

The first half of the physics settings; `PeakSumSettings` has the rest, and checks how they fit together.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Threshold
from hep_peaksum.settings.tie_rules import TieRule
from hep_peaksum.settings.windows import Window

Comparison = Literal[">", ">="]
Overlap = Literal["shared", "highest", "nearest", "proportional", "proportional-sum", "equal", "suppress"]


class SearchSettings(FrozenModel):
    """Which cells are seeds and which cells are added to them."""

    search_window: Window = Field(
        (3, 3),
        description="Cells that a seed is compared with: [rows, cols], both odd, or a drawing. Cells drawn as "
        "x are compared by tie_rule. A drawing with > (the seed must exceed this cell) and = (it may equal "
        "it) is a tie rule of its own.",
        examples=["===\n=o>\n>>>"],
    )
    sum_window: Window = Field(
        (3, 3),
        description="Cells that are added: [rows, cols], both odd, or a drawing. Cells drawn as x are added, "
        "cells drawn as g only if the cell one ring nearer to the seed was added.",
        examples=[".x.\nxox\n.x."],
    )
    seed_window: Window = Field(
        (1, 1),
        description="Cells whose sum is compared in the search; by default the cell alone. [3, 3] compares "
        "the sums of 3 x 3 cells. The field seed of a cluster is this sum.",
    )
    partial_seed_windows: bool = Field(
        True,
        strict=True,
        description="Whether a seed window may reach beyond an edge. If not, cells along the edge are not "
        "candidates.",
    )
    partial_search_windows: bool = Field(
        True,
        strict=True,
        description="Whether a search window may reach beyond an edge. If not, cells along the edge are not "
        "seeds, but still compared.",
    )
    quantity: Literal["energy", "significance"] = Field(
        "energy",
        description="Quantity that is compared: energy, or significance (energy over noise). With "
        "significance a bare seed_threshold is a number of sigma.",
    )
    tie_rule: TieRule = Field("first", description="Rule that decides between equal cells of a search window.")
    greedy_ties: Literal["first", "last"] = Field(
        "first",
        description="Equal cell that a greedy tie rule takes first: the one with the lowest (first) or the "
        "highest (last) (row, col).",
    )
    group: Literal["edges", "corners"] | None = Field(
        None,
        description="How cells above the cell threshold are joined to groups: by common edges, or by "
        "corners as well. Seeds are then sought among the cells of a group, and its clusters "
        "hold no others.",
    )
    seedless_groups: Literal["drop", "highest"] = Field(
        "drop",
        description="What becomes of a group without a seed: it is dropped, or its highest cell becomes a "
        "seed (of equal cells the one that greedy_ties names).",
    )
    seed_threshold: Threshold = Field(
        0,
        description="Threshold on the seed. A bare number is in counts of the grid; '4 GeV' and '5 sigma' are "
        "understood, sigma being the noise of the seed.",
        examples=["4 GeV"],
    )
    seed_comparison: Comparison = Field(
        ">", description="Whether a seed must exceed the seed threshold (>) or may equal it (>=)."
    )
    cell_threshold: Threshold | None = Field(
        None,
        description="Threshold on the cells that are added. Without one all are added, negative ones too. "
        "Counts, an energy or a number of sigma.",
        examples=["0.05 GeV"],
    )
    cell_comparison: Comparison = Field(
        ">=", description="Whether a cell must exceed the cell threshold (>) or may equal it (>=)."
    )
    cell_threshold_abs: bool = Field(
        False,
        strict=True,
        description="Whether the cell threshold applies to the absolute value of a cell. Large negative cells "
        "are then added, too.",
    )
    keep_stronger_side: Literal["rows", "cols"] | None = Field(
        None,
        description="Axis along which only the stronger side of the sum window is added. Of two equal sides "
        "the higher one is added.",
    )
    overlap: Overlap = Field(
        "shared", description="Rule for cells that lie in the sum windows of several clusters."
    )
