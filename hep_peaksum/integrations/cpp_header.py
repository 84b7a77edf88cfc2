"""A C++ header that finds the same clusters in one event, for RDataFrame and programs that are not Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from importlib.metadata import version
from string import Template

import numpy.typing as npt
import yaml

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.integrations.event_rules import WHOLE_NUMBERS, EventRules
from hep_peaksum.kernels import SearchCell
from hep_peaksum.settings.model import PeakSumSettings

TEMPLATE = "peaksum.hpp.txt"
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Words of the language and members of the struct, which nothing else may be called.
TAKEN = frozenset(
    """
    alignas alignof and asm auto bool break case catch char class concept const constexpr continue decltype
    default delete do double else enum explicit export extern false float for friend goto if inline int long
    mutable namespace new noexcept not nullptr operator or private protected public register requires return
    short signed sizeof static struct switch template this throw true try typedef typeid typename union
    unsigned using virtual void volatile while xor size detail std
    """.split()  # noqa: SIM905 -- seventy words are read more easily than a list of them
)
BY_SUM = "std::stable_sort(peaks.begin(), peaks.end(), detail::has_larger_sum);"
BY_PLACE = "std::stable_sort(peaks.begin(), peaks.end(), detail::comes_first);"


def cpp_header(
    settings: PeakSumSettings, grid: Grid, *, mask: npt.ArrayLike | None = None, namespace: str = "peaksum"
) -> str:
    """Return a C++17 header without dependencies whose `find` gives the clusters of one event.

    Parameters
    ----------
    settings, grid
        As for `hep_peaksum.find_clusters`: single cells are compared and whole windows are added. The fields
        are those that clusters have by default; estimates of pile-up are left out, which the header says.
    mask
        True where a cell does not exist, shape (row, col).
    namespace
        The C++ namespace, so that several headers can be used together.

    Raises
    ------
    ValueError
        If the settings ask for more, or a name is none in C++; the message names the key.

    >>> from hep_peaksum import named_grid
    >>> header = cpp_header(PeakSumSettings(seed_threshold=4), named_grid("cms-l1-towers"))
    >>> "constexpr int n_rows = 80;" in header
    True
    """
    rules = EventRules.of(settings, grid, mask)
    for name in (namespace, *rules.positions):
        if not IDENTIFIER.fullmatch(name) or name in TAKEN:
            msg = f"{name!r} is not a name in C++: use letters, digits and '_', and no word of the language"
            raise ValueError(msg)
    left_out = f"// Left out: the fields {', '.join(rules.left_out)}.\n" if rules.left_out else ""
    template = Template((resources.files(__package__) / TEMPLATE).read_text(encoding="utf-8"))
    return template.substitute(
        version=version("hep_peaksum"),
        settings=_comment(settings),
        left_out=left_out,
        guard=f"HEP_{namespace.upper()}_HPP",
        namespace=namespace,
        **_numbers(rules),
        **_code(rules),
    )


def _comment(settings: PeakSumSettings) -> str:
    """Return the settings that differ from the defaults as lines of a comment."""
    content = settings.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(content, sort_keys=False) if content else "(all defaults)\n"
    return "".join(f"//   {line}".rstrip() + "\n" for line in text.splitlines())


def _numbers(rules: EventRules) -> dict[str, object]:
    """Return the constants of the search."""
    return {
        "n_rows": rules.shape[0],
        "n_cols": rules.shape[1],
        "periodic_rows": _bool(rules.periodic[0]),
        "periodic_cols": _bool(rules.periodic[1]),
        "n_search": len(rules.search),
        "search": _list(_search_cell(cell) for cell in rules.search),
        "n_window": len(rules.window),
        "window": _list(_braces(offset) for offset in rules.window),
        "tables": _tables(rules),
        "unit": rules.unit.hex(),
        "seed_bound": _bound(rules.floating.seed, rules.integer.seed),
    }


def _search_cell(cell: SearchCell) -> str:
    exceeds = (cell.must_be_exceeded(has_lower_index=is_lower) for is_lower in (True, False))
    return _braces([cell.row, cell.col, *map(_bool, exceeds)])


def _tables(rules: EventRules) -> str:
    """Return the positions of rows and columns, and the masked cells."""
    tables = {f"{name}_of": values for name, (_, values) in rules.positions.items()}
    if rules.cosh_eta is not None:
        tables["cosh_eta_of"] = rules.cosh_eta[1]
    lines = [
        f"constexpr std::array<double, {len(values)}> {name} = {{{', '.join(float(v).hex() for v in values)}}};"
        for name, values in tables.items()
    ]
    masked = rules.masked.reshape(-1).nonzero()[0]
    condition = "false"
    if len(masked):
        cells = ", ".join(map(str, masked))
        lines.append(f"constexpr std::array<std::size_t, {len(masked)}> masked = {{{cells}}};")
        condition = "std::binary_search(masked.begin(), masked.end(), cell)"
    lines.append(f"inline bool is_masked([[maybe_unused]] std::size_t cell) {{ return {condition}; }}")
    return "\n".join(lines) + "\n"


def _code(rules: EventRules) -> dict[str, str]:
    """Return the lines that depend on which thresholds, orders and fields there are."""
    cell = f"detail::choose<Number>({_bound(rules.floating.cell, rules.integer.cell)})"
    total = f"detail::choose<Number>({_bound(rules.floating.sum, rules.integer.sum)})"
    order = [BY_SUM] * (rules.orders_by_sum or rules.max_clusters is not None)
    if rules.max_clusters is not None:
        order.append(f"if (peaks.size() > {rules.max_clusters}) peaks.resize({rules.max_clusters});")
        order += [BY_PLACE] * (not rules.orders_by_sum)
    return {
        "cell_condition": "" if rules.floating.cell is None else f" || !(grid[other] >= {cell})",
        "sum_condition": "" if rules.floating.sum is None else f"if (peak.sum >= {total}) ",
        "order": "\n".join(f"  {line}" for line in order),
        "members": "\n".join(f"  std::vector<{_type_of(name)}> {name};" for name in rules.fields),
        "fill": "\n".join(f"    clusters.{name}.push_back({_value_of(name, rules)});" for name in rules.fields),
    }


def _type_of(field: str) -> str:
    if field in WHOLE_NUMBERS:
        return "int"
    return "Number" if field in ("peak_sum", "seed") else "double"


def _value_of(field: str, rules: EventRules) -> str:
    """Return the expression for a field of `peak`."""
    if field in rules.positions:
        return f"detail::{field}_of[peak.{('row', 'col')[rules.positions[field][0]]}]"
    if field in ("pt", "energy"):
        cosh = rules.cosh_factor(field)
        if cosh is None:
            return "total"
        factor = f"detail::cosh_eta_of[peak.{('row', 'col')[cosh[0]]}]"
        return f"total * {factor}" if field == "energy" else f"total / {factor}"
    return {"seed": "grid[peak.row * n_cols + peak.col]", "peak_sum": "peak.sum"}.get(field, f"peak.{field}")


def _bound(floating: float | None, integer: float | None) -> str:
    """Return both forms of a bound as literals: every double exactly, in hexadecimal."""
    return f"{float(floating or 0).hex()}, INT64_C({int(integer or 0)})"


def _bool(value: object) -> str:
    return "true" if value else "false"


def _braces(values: Iterable[object]) -> str:
    return f"{{{', '.join(map(str, values))}}}"


def _list(items: Iterable[str]) -> str:
    """Return the inside of an array of structs; an empty one takes no braces of its own."""
    joined = ", ".join(items)
    return f"{{{joined}}}" if joined else ""
