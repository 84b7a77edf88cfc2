"""What is left of a benchmark: a table on the screen, one to read and one for programs in `results/`.

Every file says on what machine, with what versions, of what state of the repository and when it was made.
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
PAGE = Path(__file__).parents[2] / "docs" / "speed.md"
PACKAGES = (
    "hep_peaksum", "numpy", "numba", "scipy", "awkward", "uproot", "coffea", "pyarrow", "distributed",
    "scikit-image", "torch", "ROOT",
)  # fmt: skip


@dataclass
class Table:
    """A table as it is built, row by row; `raw` figures of a row go to the JSON file only."""

    name: str
    title: str
    columns: Sequence[str]
    notes: list[str] = field(default_factory=list)
    rows: list[Mapping[str, str]] = field(default_factory=list)
    raw: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, row: Mapping[str, str], raw: Mapping[str, Any] | None = None) -> None:
        """Add a row; a column that it has not stays empty."""
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
        """Return the table as it stands in a page."""
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
    """Write the tables of one benchmark as JSON and as a page, and return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {**circumstances(), "options": options}
    content = {**made, "tables": [vars(table) for table in tables]}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    page = folder / f"{name}.md"
    page.write_text("\n".join([*(table.markdown() for table in tables), _said(made)]), encoding="utf-8")
    return page


def write_docs() -> list[str]:
    """Put the pages of results into docs/speed.md, between the marks that name them; return their names."""
    text = PAGE.read_text(encoding="utf-8")
    names = []
    for page in sorted(FOLDER.glob("*.md")):
        marks = re.compile(rf"(<!-- begin {page.stem} -->\n).*?(<!-- end {page.stem} -->)", re.DOTALL)
        text, n_found = marks.subn(lambda found, page=page: found[1] + page.read_text("utf-8") + found[2], text)
        names += [page.stem] * n_found
    PAGE.write_text(text, encoding="utf-8")
    return names


def circumstances() -> dict[str, Any]:
    """Return machine, versions, state of the repository and date."""
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


def _said(made: Mapping[str, Any]) -> str:
    machine, versions = made["machine"], ", ".join(f"{name} {v}" for name, v in made["versions"].items())
    options = ", ".join(f"{key} {value}" for key, value in made["options"].items())
    return (
        f"{made['date']}, commit {made['git']}: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, {machine['system']}; {versions}; {options}.\n"
    )


def _git() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    family = f" (family {found['cpu family']} model {found['model']})" if "cpu family" in found else ""
    return found.get("model name", platform.machine()) + family


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
