"""What a job will refuse, found in the first entries of its files, and what is probably not meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hep_peaksum.calibration.calibrated_cells import plain_cells
from hep_peaksum.config.model import Config, Job
from hep_peaksum.config.problems import function_problems
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.inputs.paths import REMOTE, InputFile, expand_files, public_path
from hep_peaksum.preview.likely_mistakes import idle_workers, likely_mistakes
from hep_peaksum.preview.trial import Trial
from hep_peaksum.processing.normalisation import check_weights, is_normalised
from hep_peaksum.reading.blocks import read_cells
from hep_peaksum.reading.files import (
    count_entries,
    name_trees,
    nano_events,
    one_line_errors,
    open_file,
    open_tree,
    schema_class,
)
from hep_peaksum.results.folder import check_directory

N_OTHERS = 20  # files of a dataset, with the first, whose branches are looked up


class Remarks(NamedTuple):
    """What is not an error: datasets whose files are not here (they may yet come), and likely mistakes.

    `tried` says which entries have been looked at.
    """

    missing: list[str]
    others: list[str]
    tried: list[str]


def check_inputs(config: Config) -> Remarks:
    """Try what the config reads on the first entries of every dataset; return remarks.

    Raises
    ------
    ConfigError
        If a file does not have the trees and branches that the config reads, or they do not hold what it
        says, with a line for each problem.
    """
    schema_class(config.events.schema_name)  # an error of the config, not of a file
    if unknown := [*function_problems(config)]:
        raise ConfigError(unknown)
    check_directory(Path(config.output.directory))
    remarks = Remarks([], [*idle_workers(config), *likely_mistakes(config)], [])
    # as a processor has it, but for the variations, which are tried one by one
    events_alone = config.events.model_copy(update={"write_variations": ()})
    job = config.model_copy(update={"dataset_metadata": config.divisors(), "events": events_alone})
    problems: list[str] = []
    of_files: dict[tuple[str, str], list[str]] = {}  # what is wrong in several datasets is said once
    for name in config.datasets:
        try:
            problems.extend(_problems_of_dataset(job, config, name, remarks, of_files))
        except FileNotFoundError as error:
            remarks.missing.append(f"datasets.{name}.files: {error}")
        except (OSError, ValueError) as error:
            problems.append(f"datasets.{name}.files: {error}")
    for (place, said), where in of_files.items():
        remedy = _remedy_of_some(place, said) if len(where) < len(config.datasets) else ""
        problems.append(f"{place}{_files(where)}: {said}{remedy}")
    if problems:
        raise ConfigError(problems)
    return remarks


def _problems_of_dataset(
    job: Job, config: Config, name: str, remarks: Remarks, of_files: dict[tuple[str, str], list[str]]
) -> Iterator[str]:
    """Yield what is wrong with a dataset alone, and note what is with its first entries."""
    files = name_trees(expand_files(config.datasets[name].patterns), config.run.timeout)
    path, tree = files[0]
    trial, where = Trial(job, name), public_path(path)
    with open_file(path, config.run.timeout, config.run.max_basket) as file, one_line_errors(path):
        trial.run_first_entries(file, path, tree)
        for problem in trial.located(where):
            of_files.setdefault(problem, []).append(where)
        yield from _weight_problems(config, name, InputFile(path, tree))
    remarks.others.extend(trial.remarks)
    of_several = f", the first of {len(files)} files" if len(files) > 1 else ""
    remarks.tried.append(f"{name}: {trial.n_entries} entries of {where}{of_several}")
    if not trial.problems:
        yield from _problems_of_others(job, name, config, files[1:N_OTHERS])


def _problems_of_others(job: Job, dataset: str, config: Config, others: Sequence[InputFile]) -> Iterator[str]:
    """Yield what is wrong with the trees and branches of other files of a dataset, if they are on a disk.

    A file that cannot be read is no problem where a job skips it.
    """
    for path, tree in (each for each in others if REMOTE not in each.path):
        trial = Trial(job, dataset)
        try:
            with open_file(path, config.run.timeout, config.run.max_basket) as file, one_line_errors(path):
                n_entries = min(1, count_entries(open_tree(file, path, tree)))
                schema = job.events.schema_name
                trial.look_up(nano_events(file, path, tree, 0, n_entries, schema=schema, dataset=dataset))
        except OSError as error:
            if config.run.on_bad_file == "stop":
                yield f"datasets.{dataset}.files: {error}"
        except ValueError as error:
            yield f"datasets.{dataset}.files: {error}"
        where = public_path(path)
        yield from (f"{place}{where}: {problem}" for place, problem in trial.located(where))


def _files(paths: list[str]) -> str:
    """Return the first of the files in which something is wrong, and how many there are more."""
    more = len(paths) - 1
    return paths[0] + (f" (and the first files of {more} more dataset{'s' * (more > 1)})" if more else "")


def _remedy_of_some(place: str, problem: str) -> str:
    """Return what to do about a branch that only some datasets have, where a key can say which."""
    section = re.match(r"references\.\w+|events\.where\.\d+|events\.weight\.\w+", place)
    if section is None or not problem.startswith("no branch"):
        return ""
    return f": name the datasets that have it in {section[0]}.datasets"


def _weight_problems(config: Config, dataset: str, file: InputFile) -> Iterator[str]:
    """Yield what is wrong with the weights by which a dataset is normalised."""
    try:
        if is_normalised(config, dataset):
            check_weights(config, dataset, file)
    except ValueError as error:
        yield str(error)


def empty_grids(config: Config, dataset: str, n_entries: int) -> list[str]:
    """Return the grids without any energy in the first entries of a dataset."""
    empty = []
    for name in config.grids:
        blocks = read_cells(config, name, dataset, max_events=n_entries)
        if not any(plain_cells(cells).any() for cells in blocks):
            empty.append(name)
    return empty


def reference_places(config: Config) -> Iterator[str]:
    """Yield what the places of references on a grid are taken for, a line for each."""
    for name, reference in config.references.items():
        if reference.grid is not None:
            plane = config.grids[reference.grid].grid
            words = [
                f"{word} ({branch}) is taken as {axis.found_by}"
                for word, branch, axis in (
                    ("row", reference.row, plane.rows),
                    ("col", reference.col, plane.cols),
                )
            ]
            yield f"{name}: on grid {reference.grid}, {', '.join(words)}"
