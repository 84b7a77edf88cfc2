"""The command that makes finished jobs one."""

from __future__ import annotations

from collections.abc import Sequence

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
