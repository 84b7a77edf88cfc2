"""Write toy samples: ``python -m hep_peaksum.toy testbeam -o testbeam``."""

from __future__ import annotations

import click

from hep_peaksum.toy.testbeam import write_testbeam


@click.group()
def cli() -> None:
    """Write toy samples with their truth."""


@cli.command()
@click.option("-o", "--output", default="testbeam", show_default=True, help="Folder to write to.")
@click.option("-n", "--events", default=5000, show_default=True, type=click.IntRange(1), help="Events a file.")
@click.option("--seed", default=1, show_default=True, help="Seed of the random numbers.")
def testbeam(output: str, events: int, seed: int) -> None:
    """Write a crystal matrix in a beam: raw ADC by channel, a file an energy, and the cell table."""
    for path in write_testbeam(output, events, seed=seed):
        click.echo(f"wrote {path}")


if __name__ == "__main__":
    cli()
