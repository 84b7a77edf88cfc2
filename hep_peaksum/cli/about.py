"""What the program says about itself: `info` for bug reports, completions for shells, how to cite it."""

from __future__ import annotations

import os
import platform
from importlib import metadata, resources, util
from pathlib import Path
from typing import Any

import click

from hep_peaksum.cli.options import json_option
from hep_peaksum.terminal import streams

VERSIONED = (
    *("hep_peaksum", "awkward", "click", "coffea", "hist", "iminuit", "llvmlite", "loky", "matplotlib"),
    *("mplhep", "numba", "numpy", "pyarrow", "pydantic", "rich", "scipy", "uproot", "vector"),
)
OPTIONAL = ("distributed", "parsl", "keras", "aiohttp", "s3fs", "fsspec-xrootd", "xrootd", "bokeh")
# Modules that the executors need beside coffea.
EXECUTORS = {
    "iterative": "coffea",
    "threads": "coffea",
    "futures": "loky",
    "dask": "distributed",
    "parsl": "parsl",
    "taskvine": "ndcctools",
}
COMPLETE = "_HEP_PEAKSUM_COMPLETE"  # what click looks for when a shell asks


@click.command()
@json_option
def info(*, as_json: bool) -> None:
    """Show versions, caches, optional packages and executors, for bug reports."""
    from hep_peaksum.terminal.documents import Info

    cache, n_files, is_cache_writable = _kernel_cache()
    found = Info(
        command="info",
        versions={"python": platform.python_version(), "system": platform.platform()}
        | {name: str(_version(name)) for name in VERSIONED},
        optional_packages={name: _version(name) for name in OPTIONAL},
        executors={name: util.find_spec(module) is not None for name, module in EXECUTORS.items()},
        kernel_cache=cache,
        kernel_cache_files=n_files,
        kernel_cache_is_writable=is_cache_writable,
        folder=str(Path.cwd()),
        folder_is_writable=os.access(Path.cwd(), os.W_OK),
    )
    if as_json:
        streams.print_document(found)
        return
    packages = {name: version or "not installed" for name, version in found.optional_packages.items()}
    executors = {name: "available" if has else "not installed" for name, has in found.executors.items()}
    cache_state = f"{n_files} files, {_may_write(found.kernel_cache_is_writable)}"
    places = {
        "kernel cache": f"{cache or 'none'} ({cache_state})",
        "this folder": f"{found.folder} ({_may_write(found.folder_is_writable)})",
    }
    for title, rows in (
        ("versions", found.versions),
        ("optional packages", packages),
        ("executors", executors),
        ("places", places),
    ):
        click.echo(f"{title}:")
        for name, text in rows.items():
            click.echo(f"  {name:<14} {text}")


def _may_write(is_writable: bool) -> str:
    return "writable" if is_writable else "not writable"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _kernel_cache() -> tuple[str | None, int, bool]:
    """Return the folder of compiled kernels, the number of files in it, and whether it can be written."""
    from hep_peaksum.kernels import numba_peaks

    caches = (getattr(each, "_cache", None) for each in vars(numba_peaks).values())
    folder = next((path for path in (getattr(each, "cache_path", None) for each in caches) if path), None)
    if folder is None:
        return None, 0, False
    path = Path(folder)
    existing = next(each for each in (path, *path.parents) if each.exists())
    return folder, len([*path.glob("*.nb[ci]")]), os.access(existing, os.W_OK)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completions(shell: str) -> None:
    """Print the shell code that completes commands and options.

    \b
      bash:  hep-peaksum completions bash > ~/.local/share/bash-completion/completions/hep-peaksum
      zsh:   hep-peaksum completions zsh > a folder of $fpath, as _hep-peaksum
      fish:  hep-peaksum completions fish > ~/.config/fish/completions/hep-peaksum.fish
    """  # noqa: D301 -- click's \b is a character
    from click.shell_completion import get_completion_class

    program = click.get_current_context().find_root()
    kind = get_completion_class(shell)
    if kind is None:  # click knows the three shells
        msg = f"click cannot complete in {shell}"
        raise click.UsageError(msg)
    made = kind(program.command, {}, str(program.info_name), COMPLETE)
    click.echo(made.source_template % made.source_vars())


def packaged(name: str) -> str:
    """Return the text of a file that stands at the top of the repository and in the wheel."""
    inside = resources.files("hep_peaksum") / name
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    # in an editable install it is where the repository has it
    return (Path(__file__).parents[2] / name).read_text(encoding="utf-8")


def print_citation(ctx: click.Context, _option: Any, wanted: bool) -> None:
    """Print how to cite the package, as BibTeX made from CITATION.cff, and stop."""
    if not wanted:
        return
    import yaml

    content = yaml.safe_load(packaged("CITATION.cff"))
    authors = " and ".join(
        f"{{{each['name']}}}" if "name" in each else f"{each['family-names']}, {each['given-names']}"
        for each in content["authors"]
    )
    fields = {
        "author": authors,
        "title": f"{{{content['title']}}}: {content['abstract'].rstrip('.')}",
        "version": str(content["version"]),
        "year": str(content.get("date-released", ""))[:4],
        "doi": str(content.get("doi", "")),
        "url": str(content.get("repository-code", content.get("url", ""))),
    }
    lines = [f"  {name:<8} = {{{text}}}," for name, text in fields.items() if text]
    click.echo("\n".join(["@software{hep_peaksum,", *lines, "}"]))
    ctx.exit()
