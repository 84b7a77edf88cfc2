"""A file imports only from the rows above its own: the drawing of the package, kept true."""

import ast
from pathlib import Path

import pytest

import hep_peaksum

FOLDER = Path(hep_peaksum.__file__).parent
NAME = hep_peaksum.__name__

# The kernels' contract is below the settings, and both are below everything else.
ROWS = (
    "kernels yaml_file replacing lock ahead loading",
    "kernels.compiled kernels.paths kernels.scipy_kernel thresholds",
    "kernels.numba_around",
    "kernels.numba_kernel",
    "windows",
    "settings axis",
    "grid",
    "hits quantity",
    "seeds",
    "sums",
    "pileup shapes",
    "clusters",
    "peaksum",
    "published tie_audit described keras_settings keras_hls",
    "diagnostics keras_search",
    "canvas",
    "inputs",
    "events histograms output plots plots_diagnostics plots_rules keras_layer toy",
    "config chunks keras_standard remote survey",
    "processor executors",
    "runner",
    "plan",
    "manifest",
    "run show integrations",
    "closure",
    "demo report cli_options",
    "cli_diagnostics",
    "cli __init__",
    "__main__",
)
PLANNED = {"integrations"}
ROW = {module: row for row, modules in enumerate(ROWS) for module in modules.split()}
FILES = {
    path.relative_to(FOLDER).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
    for path in sorted(FOLDER.rglob("*.py"))
}


def row_of(module):
    """Return the row of a module; what lies in a listed folder stands where the folder stands."""
    while module not in ROW and "." in module:
        module = module.rpartition(".")[0]
    return ROW[module]


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imported(module, path):
    """Return every module of the package that a file imports, wherever in the file it does."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if module == "__init__":  # for type checkers it names what it loads by name
        tree.body = [node for node in tree.body if not is_type_checking(node)]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: relative imports hide the row"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    inside = {name.removeprefix(f"{NAME}.") if name != NAME else "__init__" for name in found if is_ours(name)}
    if any(name in FILES and name != "__init__" for name in inside):
        inside.discard("__init__")  # `from hep_peaksum import output` is an import of output
    return {name for name in inside if name in FILES}


def is_ours(name):
    return name == NAME or name.startswith(f"{NAME}.")


def test_every_file_stands_in_a_row():
    unlisted = {module for module in FILES if module not in ROW and module.partition(".")[0] not in PLANNED}
    assert not unlisted
    assert set(ROW) - set(FILES) <= PLANNED


def test_no_file_is_listed_twice():
    listed = " ".join(ROWS).split()
    assert sorted(listed) == sorted(set(listed))


@pytest.mark.parametrize("module", FILES)
def test_a_file_imports_only_from_rows_above(module):
    same_folder = module.rpartition(".")[0] or None
    wrong = {
        other
        for other in imported(module, FILES[module])
        if not (row_of(other) < row_of(module) or (same_folder and other.startswith(same_folder)))
    }
    assert not wrong, f"{module} (row {row_of(module)}) imports {sorted(wrong)}, of its own row or below"


@pytest.mark.parametrize("module", FILES)
def test_nothing_imports_the_public_names(module):
    """The package's own files import from where things are: the lazy names are for users."""
    assert "__init__" not in imported(module, FILES[module])


def test_imports_are_found_wherever_they_stand(tmp_path):
    path = tmp_path / "example.py"
    path.write_text(
        "import hep_peaksum.grid\n"
        "from hep_peaksum import output, plots as p\n"
        "from hep_peaksum.kernels import numba_kernel\n"
        "import numpy\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from hep_peaksum.config import Config\n"
        "def f():\n    from hep_peaksum.run import run\n"
    )
    assert imported("example", path) == {
        *("grid", "output", "plots", "kernels", "kernels.numba_kernel", "config", "run"),
    }


@pytest.mark.parametrize("word", ["utils", "common", "base", "helpers", "misc", "core"])
def test_no_file_is_called_by_a_word_that_says_nothing(word):
    assert not {module for module in FILES if module.rpartition(".")[2] == word}
