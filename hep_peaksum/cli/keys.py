"""The command `keys`: what every key of a config means, and the JSON schema for editors."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hep_peaksum.cli.options import json_option, write_text
from hep_peaksum.terminal import streams

if TYPE_CHECKING:
    from hep_peaksum.config.reference import Key

LONGEST_LINE = 100


@click.command()
@click.argument("key", required=False)
@click.option("--schema", is_flag=True, help="Print the JSON schema of a config, for editors.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write the schema to a file."
)
@json_option
def keys(key: str | None, schema: bool, output: str | None, *, as_json: bool) -> None:
    """Explain the keys of a config.

    Without KEY the sections are listed. KEY is a section (clusters), a key (overlap), or a path
    (clusters.Jet.overlap).
    """
    from hep_peaksum.config import reference

    if output is not None and not schema:
        msg = "-o writes the schema: add --schema"
        raise click.UsageError(msg)
    if schema:
        _write_schema(output)
        return
    found = reference.config_keys() if key is None else _find(key)
    if as_json:
        from hep_peaksum.terminal import documents

        streams.print_document(documents.keys(found))
    elif key is None:
        _print_sections(found)
    else:
        _print_matches(found, key)


def _write_schema(output: str | None) -> None:
    from hep_peaksum.config.schema import SCHEMA

    text = SCHEMA.read_text(encoding="utf-8")
    if output is None:
        click.echo(text, nl=False)
        return
    write_text(output, text, text[:100])
    streams.notice(f"{output} is written; begin a config beside it with")
    click.echo(f"# yaml-language-server: $schema={Path(output).name}")


def _print_sections(sections: Sequence[Key]) -> None:
    click.echo("The sections of a config; hep-peaksum keys SECTION lists the keys of one.")
    _print_table((key.path[-1], _summary(key)) for key in sections)


def _find(word: str) -> Sequence[Key]:
    """Return the keys that a word means; none is an error."""
    from hep_peaksum.config.reference import every_key, find_keys
    from hep_peaksum.suggestions import did_you_mean

    matches = find_keys(word)
    if not matches:
        near = did_you_mean(word.rpartition(".")[2], (key.path[-1] for key in every_key()))
        msg = f"no key {word!r}{near}; hep-peaksum keys lists the sections"
        raise click.UsageError(msg)
    return matches


def _print_matches(matches: Sequence[Key], word: str) -> None:
    """Print everything about some keys; those that differ only in their place are printed once."""
    sections = [key for key in matches if key.path == (word,)]
    others = [key.name for key in matches if key not in sections]
    alike: dict[object, list[Key]] = {}
    for key in sections or matches:
        inner = tuple(each.path[-1] for each in key.keys)
        alike.setdefault((key.type, key.description, inner), []).append(key)
    for number, group in enumerate(alike.values()):
        if number:
            click.echo()
        _print_key(group)
    if sections and others:
        click.echo("\n" + "\n".join(_wrapped(f"See also {', '.join(others)}.", "")))


def _print_key(alike: Sequence[Key]) -> None:
    """Print everything about a key that exists in one or more places."""
    key = alike[0]
    names = _wrapped(", ".join(each.name for each in alike), "")
    click.echo(click.style("\n".join(names), bold=True))
    click.echo("\n" + "\n".join(_wrapped(key.description, "  ")))
    has_list_of_options = any(key.options.values())
    rows = [] if key.keys or has_list_of_options else [("type", key.type)]
    if key.is_required or key.default:
        rows.append(("default", key.default or "none: this key is required"))
    _print_table(rows)
    if has_list_of_options:
        _print_table(key.options.items())
    if key.example:
        click.echo("\n" + textwrap.indent(f"Example:\n{textwrap.indent(key.example, '  ')}", "  "))
    _print_table((each.path[-1], _summary(each)) for each in key.keys)


def _summary(key: Key) -> str:
    """Return the first sentence about a key, and what holds if it is left out."""
    if key.is_required:
        return f"{key.summary} Required."
    return f"{key.summary} Default: {key.default}." if key.default else key.summary


def _print_table(rows: Iterable[tuple[str, str]]) -> None:
    """Print words with wrapped texts beside them, below an empty line."""
    rows = list(rows)
    width = max((len(word) for word, _ in rows), default=0)
    lines = []
    for word, text in rows:
        first, *others = _wrapped(text, " " * (width + 4))
        lines += [f"  {word:<{width}}  {first.lstrip()}", *others]
    if lines:
        click.echo("\n" + "\n".join(lines))


def _wrapped(text: str, indent: str) -> list[str]:
    width = min(shutil.get_terminal_size().columns, LONGEST_LINE)
    lines = textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    return lines or [""]
