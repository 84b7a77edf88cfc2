"""Options and arguments that several commands share, and how commands read a config.

Nothing heavy is imported at the top, so that `--help` answers at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hep_peaksum.job.worker_startup import check_memory
from hep_peaksum.terminal import streams

if TYPE_CHECKING:
    from hep_peaksum.config.model import Config
    from hep_peaksum.job.run import RunResult


HEAD_BYTES = 500  # of a file, in which one of ours says so

DONE, FAILED, WRONG_USAGE, DONE_WITH_LOSSES = range(4)


class Count(click.IntRange):
    """A whole number of something."""

    name = "whole number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; of one that is written otherwise, as 1e4, the answer says how to write it."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            if re.fullmatch(r"\d+(\.\d*)?([eE]\+?\d)?", str(value)) and not str(value).isdigit():
                number = float(value)
                if number.is_integer():
                    self.fail(f"{value!r} is not written as a whole number: write {int(number)}.", param, ctx)
            raise


config_file = click.argument("file", type=click.Path(), metavar="FILE.yaml")
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a config key, e.g. clusters.Jet.seed_threshold=4; may be repeated.",
)
dataset_option = click.option("--dataset", help="Dataset to read; the first by default.")
entry_option = click.option(
    "--entry",
    type=Count(min=0),
    default=0,
    show_default=True,
    help="Entry in the dataset, counted from 0.",
)
collection_option = click.option("--collection", help="Collection of clusters; the first by default.")
picture_option = click.option(
    "-o", "--output", type=click.Path(dir_okay=False), metavar="FILE.png", help="Also draw the result."
)
max_events_option = click.option(
    "--max-events",
    type=Count(min=1),
    default=1000,
    show_default=True,
    help="Maximum number of entries to read.",
)


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as one JSON document, and nothing else."
)


def with_streams(command: click.Command) -> click.Command:
    """Return a command with the options that say how much it prints, which it need not know of."""
    inner = command.callback

    def callback(*, quiet: bool, verbose: int, log_file: str | None, **keywords: Any) -> Any:
        check_memory()
        if log_file is not None and _is_of_others(Path(log_file), streams.LOG_MARK):
            msg = f"--log-file: {log_file} exists already, and is no log of this program: choose another name"
            raise click.UsageError(msg)
        streams.begin(quiet=quiet, verbose=verbose, log_file=log_file)
        return inner(**keywords) if inner is not None else None

    command.callback = callback
    for option in STREAM_OPTIONS:
        option(command)
    return command


# from the last to the first, as decorators are applied
STREAM_OPTIONS = (
    click.option("--log-file", type=click.Path(dir_okay=False), metavar="FILE", help="Add the log to a file."),
    click.option("-v", "--verbose", count=True, help="Log every step to stderr; -vv also those of libraries."),
    click.option("-q", "--quiet", is_flag=True, help="No progress and no notices; errors and results only."),
)


# in the context of click: the config file, which knows where its keys stand, and what it holds
SOURCE, CONFIG = "hep_peaksum.source", "hep_peaksum.config"


def load(
    file: str,
    overrides: Sequence[str],
    *,
    inputs: Sequence[str] = (),
    dataset: str | None = None,
    output: str | None = None,
) -> Config:
    """Return the config of a file with the overrides of the command line applied.

    With `inputs`, these files are its only dataset; `output` replaces the directory of its results.
    """
    from hep_peaksum.config.load import read_config
    from hep_peaksum.config.yaml_io import Source

    source = Source.read(file, overrides)
    options: dict[str, tuple[str, Any]] = {}
    if inputs:
        written = " ".join(f"--file {each}" for each in inputs)
        options["datasets"] = (written, _only_dataset(source.content().get("datasets"), dataset, inputs))
    elif dataset is not None:
        msg = "--dataset is the name of the dataset of --file: add --file run.root:Events, or leave it out"
        raise click.UsageError(msg)
    if output is not None:
        options["output.directory"] = (f"--output {output}", output)
    source = source._replace(options=options)
    config = read_config(source)
    click.get_current_context().meta.update({SOURCE: source, CONFIG: config})
    return config


def key_in(text: str, config: Config) -> str:
    """Return the key that an error of a job is about: the one it names, or that of the branch it names."""
    if key := re.search(r": ((?:events|grids|derive|select|matches|measurements)\.[\w.]+): ", text):
        return key[1]
    if missing := re.search(r"no branch '([^']+)'", text):
        named = ((key, {branch, branch.rpartition(":")[2]}) for key, branch in config.branch_keys())
        return next((key for key, names in named if missing[1] in names), "")
    return ""


def _only_dataset(there: object, name: str | None, inputs: Sequence[str]) -> dict[str, Any]:
    """Return the section `datasets` with one dataset; what a config says of a dataset of its name is kept."""
    known = there if isinstance(there, dict) else {}
    if name is None and len(known) != 1:
        several = f"there are {', '.join(map(str, known))}" if known else "the config has none"
        msg = f"--file: to which dataset do the files belong ({several})? Add --dataset NAME"
        raise click.UsageError(msg)
    name = next(iter(known)) if name is None else name
    if known and name not in known:
        streams.notice(f"--dataset {name}: a new dataset, which the config does not know ({', '.join(known)})")
    section = known.get(name)
    return {name: {**(section if isinstance(section, dict) else {}), "files": list(inputs)}}


def write_text(output: str, text: str, mark: str) -> None:
    """Write a file that appears when it is complete; of files that exist only those of ours are replaced.

    `mark` is what the beginning of such a file holds. A pipe or a device, such as /dev/stdout, is written to.
    """
    from hep_peaksum.results.atomic_write import atomic_write

    path = Path(output)
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    if _is_of_others(path, mark):
        msg = f"{output} exists already, and this command did not write it: choose another name with -o"
        raise click.UsageError(msg)
    with atomic_write(path, tidy=True) as file:
        file.write(text.encode())


def _is_of_others(path: Path, mark: str) -> bool:
    """Return whether a file that exists, and is not empty, does not bear the mark of ours at its beginning."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(HEAD_BYTES)
    return bool(start) and mark.encode() not in start


def print_job(command: Literal["run", "merge"], result: RunResult, *, as_json: bool) -> int:
    """Print the results of a job, and return the exit status."""
    from hep_peaksum.terminal import job_tables

    if as_json:
        from hep_peaksum.terminal.job_documents import finished_job

        remarks = job_tables.remarks(result.summary)
        streams.print_document(finished_job(command, str(result.directory), result.summary, remarks))
    else:
        job_tables.print_result(streams.open_console(), result)
    return DONE_WITH_LOSSES if result.losses else DONE


def pick_collection(config: Config, name: str | None) -> str:
    """Return the name of a collection after checking that it exists; by default the first."""
    if name is not None and name not in config.clusters:
        raise ValueError(no_collection(config, name))
    return name or next(iter(config.clusters))


def no_collection(config: Config, name: str) -> str:
    """Return what is wrong with a name that no collection has; that of a view leads to its collection."""
    from hep_peaksum.analysis.derived import origin_of
    from hep_peaksum.suggestions import did_you_mean

    if name in config.select:
        return f"{name!r} is a view, and collections are searched: name {origin_of(config.select, name)!r}"
    near = did_you_mean(name, config.clusters)
    return f"no collection {name!r}{near}; there are {', '.join(config.clusters)}"
