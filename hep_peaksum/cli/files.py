"""The commands that make files of files: finished jobs become one, rows of hits become events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hep_peaksum.cli.options import DONE, DONE_WITH_LOSSES
from hep_peaksum.job.worker_startup import importing


@click.command()
@click.argument("directories", nargs=-1, required=True, type=click.Path(file_okay=False), metavar="DIR...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Directory of the results.",
)
@click.option("--restart", is_flag=True, help="Delete the results in the output directory and start over.")
def merge(directories: Sequence[str], output: str, *, restart: bool) -> int:
    """Merge the results of finished jobs of one config into a directory as one job leaves it.

    The jobs may differ in the files that they have read, and in how they were run. Exit status: 0 done,
    1 failed, 2 jobs that cannot be merged, 3 done, but the jobs have losses, which are listed.
    """
    with importing():
        from hep_peaksum.cli import tables
        from hep_peaksum.merging.merge import merge as merge_

    console = tables.open_console()
    tables.show_messages(console)
    result = merge_(directories, output, restart=restart)
    tables.print_result(console, result)
    return DONE_WITH_LOSSES if result.losses else DONE


@click.command()
@click.argument("file", metavar="FILE[:TREE]")
@click.option(
    "--by", metavar="KEYS", help="Branches that are equal in all rows of an event: eventID, or runID,eventID."
)
@click.option(
    "--join",
    metavar="INDEX:...:NAME",
    help="Index branches from one collection to another, and the name of the other; see below.",
)
@click.option("-o", "--output", required=True, type=click.Path(), metavar="OUT.root", help="File to write.")
@click.option(
    "--branches",
    multiple=True,
    metavar="NAMES",
    help="Branches to write, names or patterns: edep,pos*; may be repeated.  [default: all numbers]",
)
@click.option(
    "--name",
    "collection",
    default="",
    help="First word of the names in the output.  [default: of tree or collection]",
)
@click.option(
    "--sort",
    is_flag=True,
    help="Order events by their keys, also if their rows are apart: takes up to 50 bytes a row of memory.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["ttree", "rntuple"]),
    default="ttree",
    show_default=True,
    help="Kind of tree to write.",
)
@click.option("--force", is_flag=True, help="Replace the output if it exists.")
def group(
    file: str, *, by: str | None, join: str | None, output: str, branches: Sequence[str], **options: Any
) -> None:
    """Write a file whose entries are no events as one whose entries are.

    With --by: a tree with one row a hit, as of GATE or Geant4. Rows with the same keys become one entry of a
    tree `Events`, in the order of the file, which may be larger than the memory.

    \b
      hep-peaksum group hits.root:Hits --by eventID -o events.root

    With --join: two collections linked by an index, such as energies in one and positions in the other.

    \b
      hep-peaksum group fcc.root:events -o photons.root \\
        --join EFlowPhoton.hits_begin:EFlowPhoton#1.index:CalorimeterHits \\
        --branches 'EFlowPhoton.energy,CalorimeterHits.position.*'
    """  # noqa: D301 -- click's \b is a character
    if (by is None) == (join is None):
        msg = "give one of --by, for a tree with one row a hit, and --join, for collections linked by an index"
        raise click.UsageError(msg)
    with importing():
        from hep_peaksum.cli import tables
        from hep_peaksum.grouping.group import group_rows
        from hep_peaksum.grouping.join import join_collections
        from hep_peaksum.grouping.tables import find_source

    console, source, names = tables.open_console(), find_source(file), _words(*branches)
    options |= {"output": Path(output), "overwrite": options.pop("force")}
    if by is not None:
        grouped = group_rows(source, by=_words(by), branches=names or ["*"], **options)
        tables.print_grouped(console, file, output, grouped)
        return
    if options.pop("sort"):
        msg = "--sort orders the rows of --by: leave it out with --join"
        raise click.UsageError(msg)
    joined = join_collections(source, chain=(join or "").split(":"), branches=names, **options)
    tables.print_joined(console, file, output, joined)


def _words(*texts: str) -> list[str]:
    """Return the words between commas."""
    return [word.strip() for text in texts for word in text.split(",") if word.strip()]
