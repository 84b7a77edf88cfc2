"""What several commands take from the command line, and how they read a config.

Nothing heavy is imported here, so that `--help` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hep_peaksum.config.model import Config

config_file = click.argument("file", type=click.Path(dir_okay=False), metavar="FILE.yaml")
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key: clusters.Jet.seed_threshold=4.",
)
dataset_option = click.option("--dataset", help="By default the first.")
collection_option = click.option("--collection", help="By default the first.")
picture_option = click.option(
    "-o", "--output", type=click.Path(dir_okay=False), metavar="FILE.png", help="Draw it, too."
)
max_events_option = click.option(
    "--max-events",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Look at no more entries than this.",
)


def load(file: str, overrides: Sequence[str]) -> Config:
    """Return the config of a file with the overrides of the command line."""
    from hep_peaksum.config.load import load_config  # noqa: PLC0415 -- slow to import

    return load_config(file, overrides)


def pick_collection(config: Config, name: str | None) -> str:
    """Return the name of a collection, the first if none is given."""
    from hep_peaksum.suggestions import did_you_mean  # noqa: PLC0415 -- slow to import

    if name is not None and name not in config.clusters:
        near = did_you_mean(name, config.clusters)
        msg = f"no collection {name!r}{near}; there are {', '.join(config.clusters)}"
        raise ValueError(msg)
    return name or next(iter(config.clusters))
