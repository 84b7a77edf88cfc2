"""The results of a benchmark: a table on the screen, and in `results/` a page and a JSON file.

Both files name the machine, the versions, the commit and the date. The JSON files, which have the times of
every round, are not committed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import rich.table
from rich import box
from rich.console import Console

FOLDER = Path(__file__).parent / "results"
PAGES = tuple(Path(__file__).parents[2] / "docs" / name for name in ("speed.md", "cliffs.md"))
PACKAGES = (
    "hep_peaksum", "numpy", "numba", "scipy", "awkward", "uproot", "coffea", "pyarrow", "distributed",
    "scikit-image", "torch", "ROOT",
)  # fmt: skip


@dataclass
class Table:
    """A table that is built row by row; the `raw` figures of a row go to the JSON file only."""

    name: str
    title: str
    columns: Sequence[str]
    notes: list[str] = field(default_factory=list)
    rows: list[Mapping[str, str]] = field(default_factory=list)
    raw: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, row: Mapping[str, str], raw: Mapping[str, Any] | None = None) -> None:
        """Add a row; columns that it lacks stay empty."""
        self.rows.append(row)
        self.raw.append({**row, **(raw or {})})

    def show(self, console: Console) -> None:
        """Print the table."""
        shown = rich.table.Table(title=self.title, box=box.SIMPLE_HEAD, title_justify="left", highlight=False)
        for name in self.columns:
            shown.add_column(name, justify="left" if name == self.columns[0] else "right")
        for row in self.rows:
            shown.add_row(*(row.get(name, "") for name in self.columns))
        console.print(shown)
        for note in self.notes:
            console.print(f"  {note}", style="dim", highlight=False)

    def markdown(self) -> str:
        """Return the table in Markdown."""
        lines = [
            f"**{self.title}**",
            "",
            _line(self.columns),
            _line(["---", *["---:"] * (len(self.columns) - 1)]),
        ]
        lines += [_line([row.get(name, "") for name in self.columns]) for row in self.rows]
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes)]).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def write(name: str, tables: Sequence[Table], options: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Write the tables of one benchmark as a page and as JSON, and return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    context = {**run_context(), "options": options}
    content = {**context, "tables": [vars(table) for table in tables]}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    page = folder / f"{name}.md"
    page.write_text("\n".join([*(table.markdown() for table in tables), _footer(context)]), encoding="utf-8")
    return page


def write_docs(pages: Sequence[Path] = PAGES) -> list[str]:
    """Copy the pages of results to those of the docs, between their marks; return the names of those copied."""
    names = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for result in sorted(FOLDER.glob("*.md")):
            marks = re.compile(rf"(<!-- begin {result.stem} -->\n).*?(<!-- end {result.stem} -->)", re.DOTALL)
            content = result.read_text("utf-8")
            text, n_marks = marks.subn(lambda mark, content=content: mark[1] + content + mark[2], text)
            names += [result.stem] * n_marks
        page.write_text(text, encoding="utf-8")
    return names


def run_context() -> dict[str, Any]:
    """Return date, commit, machine and versions."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "git": _git(),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_gb": _memory_gb(),
            "system": platform.system(),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: v for name in PACKAGES if (v := _version(name))},
        },
    }


def _footer(context: Mapping[str, Any]) -> str:
    machine, versions = context["machine"], ", ".join(f"{name} {v}" for name, v in context["versions"].items())
    options = ", ".join(f"{key} {value}" for key, value in context["options"].items())
    return (
        f"{context['date']}, commit {context['git']}: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, {machine['system']}; {versions}; {options}.\n"
    )


def _git() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    family = f" (family {fields['cpu family']} model {fields['model']})" if "cpu family" in fields else ""
    return fields.get("model name", platform.machine()) + family


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
