"""A file imports only from its own folder or from folders above: the table of ARCHITECTURE.md, kept true."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import hep_peaksum

FOLDER = Path(hep_peaksum.__file__).parent
NAME = hep_peaksum.__name__

# From the ground up. Folders of one row do not import each other.
ROWS = (
    "suggestions block_sizes notebook_html plain_files",
    "kernels",
    "loops",
    "settings",
    "geometry",
    "library calibration lattices",
    "clustering",
    "evaluation",
    "diagnostics keras",
    "inputs",
    "events",
    "analysis",
    "measuring",
    "config",
    "reading results naming",
    "processing partition",
    "preview inspection toy plotting",
    "report",
    "job",
    "integrations merging grouping profiles training viewer",
    "terminal",
    "cli",
    "__init__ __main__",
)
MOST_MODULES = 9
ROW = {place: row for row, places in enumerate(ROWS) for place in places.split()}
FILES = {
    path.relative_to(FOLDER).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
    for path in sorted(FOLDER.rglob("*.py"))
}


def place_of(module):
    """Return the folder of a module, or the module itself at the top."""
    return module.partition(".")[0]


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
    inside &= set(FILES)
    # `from hep_peaksum.results import parquet` is an import of parquet, not of the folder
    is_package = {name for name in inside if any(is_inside(other, name) for other in inside - {name})}
    return inside - is_package


def is_inside(module, folder):
    return folder == "__init__" or module.startswith(f"{folder}.")


def is_ours(name):
    return name == NAME or name.startswith(f"{NAME}.")


IMPORTS = {module: imported(module, path) for module, path in FILES.items()}


def test_every_folder_stands_in_a_row():
    places = {place_of(module) for module in FILES}
    assert places == set(ROW)


@pytest.mark.parametrize("place", ROW)
def test_a_folder_imports_only_from_rows_above(place):
    for module, others in IMPORTS.items():
        if place_of(module) == place:
            wrong = {o for o in others if place_of(o) != place and ROW[place_of(o)] >= ROW[place]}
            assert not wrong, f"{module} (row {ROW[place]}) imports {sorted(wrong)}, of its own row or below"


def test_no_modules_import_each_other_in_a_circle():
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' imports '.join(reversed(error.args[1]))}")


@pytest.mark.parametrize("folder", sorted({place_of(module) for module in FILES if "." in module}))
def test_a_folder_holds_few_modules(folder):
    modules = [module for module in FILES if module.startswith(f"{folder}.")]
    assert len(modules) <= MOST_MODULES, modules


def test_no_folder_has_the_name_of_a_public_function():
    """Python puts an imported folder where the lazy name would be found."""
    assert not {place_of(module) for module in FILES} & set(hep_peaksum.__all__)


@pytest.mark.parametrize("module", FILES)
def test_nothing_imports_the_public_names(module):
    """The package's own files import from where things are: the lazy names are for users."""
    assert "__init__" not in IMPORTS[module]


def test_imports_are_found_wherever_they_stand(tmp_path):
    path = tmp_path / "example.py"
    path.write_text(
        "import hep_peaksum.geometry.grid\n"
        "from hep_peaksum.results import parquet, lock as p\n"
        "from hep_peaksum.kernels import numba_kernel\n"
        "from hep_peaksum import suggestions\n"
        "import numpy\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from hep_peaksum.config.model import Config\n"
        "def f():\n    from hep_peaksum.job.run import run\n"
    )
    found = {"geometry.grid", "results.parquet", "results.lock", "kernels.numba_kernel", "suggestions"}
    assert imported("example", path) == {*found, "config.model", "job.run"}


@pytest.mark.parametrize("word", ["utils", "common", "base", "helpers", "misc", "core"])
def test_no_file_is_called_by_a_word_that_says_nothing(word):
    assert not {module for module in FILES if module.rpartition(".")[2] == word}
