"""The commands about files: jobs become one, rows of hits events, and a config what a ROOT file holds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hep_peaksum.cli.options import (
    Count,
    collection_option,
    dataset_option,
    entry_option,
    json_option,
    load,
    print_job,
    set_option,
    write_text,
)
from hep_peaksum.job.worker_startup import importing
from hep_peaksum.terminal import streams

if TYPE_CHECKING:
    from hep_peaksum.inspection.candidates import Candidate


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
@json_option
def merge(directories: Sequence[str], output: str, *, restart: bool, as_json: bool) -> int:
    """Merge the results of finished jobs of one config, as if they had been one job.

    The jobs may differ in the files that they have read, and in how they were run. Exit status: 0 done,
    1 failed, 2 jobs that cannot be merged, 3 done, but the jobs have losses, which are listed.
    """
    with importing():
        from hep_peaksum.merging.merge import merge as merge_

    return print_job("merge", merge_(directories, output, restart=restart), as_json=as_json)


@click.command()
@click.argument("file", metavar="FILE[:TREE]")
@click.option(
    "--by", metavar="KEYS", help="Branches that are equal in all rows of an event: eventID, or runID,eventID."
)
@click.option(
    "--join",
    metavar="INDEX:...:NAME",
    help="Index branches from one collection to another, and the name of the other; see above.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False),
    metavar="OUT.root",
    help="File to write.",
)
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
    help="First word of the names in the output.  [default: that of the tree or collection]",
)
@click.option(
    "--sort",
    is_flag=True,
    help="Order events by their keys, even if rows are scattered; takes up to 50 bytes of memory per row.",
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
    """Turn a file whose entries are not events into one whose entries are.

    With --by: a tree with one row per hit, as GATE and Geant4 write it. Rows with the same keys become one
    entry of a tree `Events`, in the order of the file, which may be larger than the memory.

    \b
      hep-peaksum group hits.root:Hits --by eventID -o events.root

    With --join: two collections linked by an index, such as energies in one and positions in the other.

    \b
      hep-peaksum group fcc.root:events -o photons.root \\
        --join EFlowPhoton.hits_begin:EFlowPhoton#1.index:CalorimeterHits \\
        --branches 'EFlowPhoton.energy,CalorimeterHits.position.*'
    """  # noqa: D301 -- click's \b is a character
    if (by is None) == (join is None):
        msg = "give either --by, for a tree with one row per hit, or --join, for collections linked by an index"
        raise click.UsageError(msg)
    with importing():
        from hep_peaksum.grouping.group import group_rows
        from hep_peaksum.grouping.join import join_collections
        from hep_peaksum.grouping.tables import find_source
        from hep_peaksum.terminal import tables

    console, source, names = streams.open_console(), find_source(file), _words(*branches)
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


candidate_option = click.option(
    "--candidate",
    metavar="N",
    help="Number of the candidate for the grid, or part of a branch of it.  [default: 1]",
)
grids_option = click.option(
    "--grid",
    "grids",
    multiple=True,
    metavar="NAME=N",
    help="Name of a grid and its candidate, as in --grid em=1 --grid had=2; may be repeated.",
)


@click.command()
@click.argument("file", type=click.Path(), metavar="FILE.root")
@candidate_option
@grids_option
@json_option
def inspect(file: str, candidate: str | None, grids: Sequence[str], *, as_json: bool) -> None:
    """List branches that look like grids or hits, and propose a config.

    Comments in the config mark what is a guess, and list the alternatives.
    """
    from hep_peaksum.inspection.candidates import config_text
    from hep_peaksum.inspection.files import inspect_file
    from hep_peaksum.terminal import documents, tables

    found = inspect_file(file)
    first = found.candidates[0] if found.candidates else None
    config = None
    if first is not None and (candidate or grids or not first.command):
        config = config_text(file, choose_candidates(found.candidates, candidate, grids))
    if as_json:
        streams.print_document(documents.inspection(file, found, config))
        return
    console = streams.open_console()
    if first is None:
        tables.print_nothing_found(console, file, found)
        return
    tables.print_candidates(console, found)
    if config is None:
        tables.print_command(console, first)
        return
    options = "".join([f" --candidate {candidate}"] * bool(candidate) + [f" --grid {grid}" for grid in grids])
    console.print(f"\n# hep-peaksum init --root {file}{options} writes this config")
    console.print(config)


def choose_candidates(
    candidates: Sequence[Candidate], candidate: str | None, grids: Sequence[str]
) -> dict[str, Candidate]:
    """Return the candidates for the grids of a config, by name; one that is to be grouped first is an error."""
    from hep_peaksum.inspection.candidates import FIRST, choose

    words = dict(grid.partition("=")[::2] for grid in grids)
    if wrong := [grid for grid in grids if not re.fullmatch(r"[A-Za-z_]\w*=.+", grid)]:
        msg = f"--grid {wrong[0]}: write a name and a candidate, as in --grid em=1"
        raise click.UsageError(msg)
    if words and candidate:
        msg = "--candidate and --grid both choose the grids: with --grid NAME=N, leave --candidate out"
        raise click.UsageError(msg)
    return choose(candidates, words or (dict.fromkeys(FIRST, candidate) if candidate else FIRST))


@click.command()
@click.option("--root", type=click.Path(), metavar="FILE.root", help="ROOT file to propose a config for.")
@candidate_option
@grids_option
@click.option(
    "-o",
    "--output",
    default="peaksum.yaml",
    show_default=True,
    type=click.Path(dir_okay=False),
    help="Config to write.",
)
def init(root: str | None, candidate: str | None, grids: Sequence[str], output: str) -> None:
    """Write a config to start from: the quickstart, or one for a file.

    For a file it is the config that `inspect` proposes: for its first candidate, or for those that are chosen.
    Where an entry is not an event, as with one row per hit, `group` first writes a file in which it is.
    """
    if Path(output).exists():
        msg = f"{output} exists already: choose another name with -o"
        raise click.UsageError(msg)
    if root is None and (candidate or grids):
        msg = "--candidate and --grid choose what is in a file: add --root FILE.root"
        raise click.UsageError(msg)
    from hep_peaksum.config.schema import editor_line

    if root is None:
        from hep_peaksum.cli.demo import quickstart

        text, told = quickstart(), []
    else:
        from hep_peaksum.inspection.candidates import config_text
        from hep_peaksum.inspection.files import candidates_in

        found = candidates_in(root)
        if not grids and (grouped := _group_first(found, candidate or "1")):
            root, candidate, found = grouped, None, candidates_in(grouped, places_in=root)
        chosen = choose_candidates(found, candidate, grids)
        text = config_text(root, chosen)
        told = [f"{name}: {each.tree}, {each.looks_like}" for name, each in chosen.items()]
        to_do = ("guessed", ".csv", "left out")
        comments = [next(iter(chosen.values())).identity.comment]
        comments += [comment for each in chosen.values() for _, comment in each.comments]
        told += [
            f"  {line}"
            for comment in comments
            if any(word in comment for word in to_do)
            for line in comment.splitlines()
        ]
        if len(found) > len(chosen):
            told.append(f"{len(found)} candidates in all: `hep-peaksum inspect {root}` lists them")
        told += _write_tables(chosen.values())
    write_text(output, editor_line() + text, "")
    click.echo("\n".join([*told, f"wrote {output}; next: hep-peaksum check {output}"]))


def _write_tables(chosen: Iterable[Candidate]) -> Iterator[str]:
    """Write the cell tables that candidates need, and yield what was done; one that exists stays as it is."""
    for each in chosen:
        if not each.table:
            continue
        path = Path(each.grid["cells"])
        if path.exists():
            yield f"{path} exists already, and stays as it is"
        else:
            write_text(str(path), each.table, "")
            yield f"wrote {path}: {each.told_of_table}"


def _group_first(candidates: Sequence[Candidate], word: str) -> str:
    """Run the command that a candidate needs before it is a grid, and return the file that it writes, or ""."""
    from hep_peaksum.inspection.candidates import find_candidate
    from hep_peaksum.inspection.files import GROUPED

    chosen = find_candidate(candidates, word)
    if not chosen.command:
        return ""
    if Path(GROUPED).exists():
        remedy = f"move it away, or, if it holds these events, take it with --root {GROUPED}"
        msg = f"{chosen.tree}: {chosen.looks_like}; {GROUPED}, to which they go, exists already: {remedy}"
        raise click.UsageError(msg)
    click.echo(f"{chosen.tree}: {chosen.looks_like}, so this is run, as it must be for further files:")
    click.echo(chosen.command)
    group.main(shlex.split(chosen.command)[2:], standalone_mode=False)
    return GROUPED


@click.command()
@click.argument("source", type=click.Path(), metavar="FILE|CONFIG|DIR")
@set_option
@entry_option
@dataset_option
@collection_option
@click.option(
    "--sample",
    "n_sample",
    type=Count(min=1),
    default=100,
    show_default=True,
    help="Number of events in which clusters are counted against the threshold.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.  [default: any that is free]")
@click.option("--show", is_flag=True, help="Also open the page in a browser.")
def view(source: str, overrides: Sequence[str], *, port: int | None, show: bool, **choices: Any) -> None:
    """Browse events on a local page, and see clusters change with the settings.

    It opens a config, a ROOT file (read with the config that `inspect` proposes), or the folder of a finished
    job. The page is served to this computer only, at the address that is printed, which contains a token;
    Ctrl-C ends it. On another machine, start it with --port 5006, and forward the port by
    ssh -L 5006:127.0.0.1:5006 HOST.
    """
    from hep_peaksum.viewer.notebook import check_installed

    check_installed("bokeh", "'hep_peaksum[view]'")
    with importing():
        from hep_peaksum.viewer.server import serve
        from hep_peaksum.viewer.sources import config_of, source_of_config
        from hep_peaksum.viewer.state import ViewState

        is_config = not (Path(source).is_dir() or source.endswith(".root"))
        config = load(source, overrides) if is_config else config_of(source, overrides)
    state, console = (
        ViewState.first(source_of_config(config, Path(source).name), **choices),
        streams.open_console(),
    )

    def tell(address: str) -> None:
        console.print(f"{state.event.where}: open {address}")
        console.print("Ctrl-C ends it")

    serve(state, tell, port=port or 0, show=show)
