"""Reading what the commands print, and running the package in a separate process."""

import re
import subprocess
import sys

PNG = b"\x89PNG"


def python_m(*arguments, cwd):
    """Run `python -m hep_peaksum` in a separate process."""
    return subprocess.run(
        [sys.executable, "-m", "hep_peaksum", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def without_notices(err):
    """Return stderr without what depends on the machine: that it compiles, and how far a slow job has come."""
    return re.sub(r"^(compiling the search |\w+ \d+/\d+ (chunk|file)s ).*\n", "", err, flags=re.MULTILINE)


def complaints(err):
    """Return the problems on stderr, one per line, without the places in the config where they are."""
    return [re.sub(r"^\S+\.ya?ml:\d+: ", "", line) for line in placed_complaints(err)]


def placed_complaints(err):
    """Return the problems on stderr, one per line; lines that show a place belong to the one before."""
    lines = [line for line in err.splitlines() if not line.startswith(" " * 11)]
    assert all(line.startswith("error: ") for line in lines), err
    return [line.removeprefix("error: ") for line in lines]


def row_of(out, first, corner="dataset"):
    """Return a row of a printed table by column title: the row that begins with `first`, below `corner`."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    titles = next(line for line in lines if line[0] == corner)
    return dict(zip(titles, next(line for line in lines if line[0] == first and len(line) > 1), strict=True))


def counts_of(out, dataset):
    """Return files, entries and lost entries of a dataset in a printed summary."""
    row = row_of(out, dataset)
    return row["files"], row["entries"], row["lost"]
