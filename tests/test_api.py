"""The public names, and what importing and using them loads, each in a separate interpreter."""

import importlib
import json
import subprocess
import sys
from importlib.metadata import entry_points, version

import pytest

import hep_peaksum as ps

HEAVY = ("awkward", "coffea", "dask", "matplotlib", "numba", "pyarrow", "scipy", "uproot", "vector")


def loaded_by(code, *arguments):
    """Return the top-level names of all modules loaded by the code, and what it printed."""
    program = (
        "import json, sys\n"
        f"try:\n    exec({code!r})\n"
        "finally:\n    names = sorted({name.partition('.')[0] for name in sys.modules})\n"
        "    print('\\n' + json.dumps(names))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    return set(json.loads(done.stdout.splitlines()[-1])), done.stdout


def test_the_public_names():
    assert ps.__all__ == [
        "Axis",
        "Grid",
        "PeakSumProcessor",
        "PeakSumSchema",
        "PeakSumSettings",
        "__version__",
        "audit_ties",
        "batches",
        "compare",
        "cpp_header",
        "draw_event",
        "event_function",
        "explain",
        "find_clusters",
        "from_dense",
        "from_hits",
        "named_grid",
        "named_grids",
        "parts",
        "peak_sum_map",
        "preset",
        "presets",
        "sparse",
        "to_coffea",
        "view",
    ]
    assert dir(ps) == ps.__all__


@pytest.mark.parametrize("name", sorted(set(ps.__all__) - {"__version__"}))
def test_every_public_name_exists_and_has_a_docstring(name):
    assert getattr(ps, name).__doc__
    assert getattr(ps, name).__module__.startswith("hep_peaksum.")


def test_all_names_can_be_imported_at_once():
    names = {}
    exec("from hep_peaksum import *", names)
    assert set(ps.__all__) <= set(names)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'hep_peaksum' has no attribute 'find_cluster'"):
        _ = ps.find_cluster
    with pytest.raises(ImportError, match="find_cluster"):
        exec("from hep_peaksum import find_cluster")


@pytest.mark.slow
@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="first"),
        pytest.param("ps.preset('keras-3x3')", id="after_a_preset"),
        pytest.param("import hep_peaksum.library.presets", id="after_the_module"),
        pytest.param("import hep_peaksum.config.model", id="after_the_config"),
        pytest.param("from hep_peaksum import *", id="after_all_names"),
    ],
)
def test_presets_stays_a_function_whatever_was_imported(before):
    """The function has the name of a module, which Python must not put in its place."""
    _, printed = loaded_by(f"import hep_peaksum as ps\n{before}\nprint(list(ps.presets()))")
    assert "cms-l1-jet" in printed


def test_modules_can_be_imported_by_name():
    assert importlib.import_module("hep_peaksum.geometry.grid").Grid is ps.Grid


def test_the_version_is_that_of_the_package():
    assert ps.__version__ == version("hep_peaksum")


def test_the_command_is_installed():
    (command,) = [entry for entry in entry_points(group="console_scripts") if entry.name == "hep-peaksum"]
    assert command.load().__name__ == "main"


# ---------------------------------------------------------------------------------------------- what is loaded


def test_importing_the_package_loads_nothing_heavy():
    loaded, _ = loaded_by("import hep_peaksum; hep_peaksum.__version__; dir(hep_peaksum)")
    assert not loaded & {*HEAVY, "numpy", "pydantic", "yaml"}


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("ps.Grid(rows=ps.Axis(n=2), cols=ps.Axis(n=2))", id="grid"),
        pytest.param("ps.PeakSumSettings(seed_threshold='4 GeV').search_cells()", id="settings"),
        pytest.param("ps.preset('cms-l1-jet')", id="preset"),
        pytest.param("ps.presets()", id="presets"),
        pytest.param("ps.named_grid('cms-l1-towers')", id="geometry"),
        pytest.param("ps.find_clusters", id="find_clusters_unused"),
    ],
)
def test_grids_and_settings_load_no_reader_and_no_kernel(code):
    loaded, _ = loaded_by(f"import hep_peaksum as ps; {code}")
    assert {"hep_peaksum", "numpy", "pydantic"} <= loaded
    assert not loaded & {*HEAVY}


@pytest.mark.slow
def test_peak_sum_map_loads_neither_coffea_nor_uproot():
    loaded, _ = loaded_by("import hep_peaksum as ps; ps.peak_sum_map([[[1]]])")
    assert "numba" in loaded  # which loads awkward and vector itself, where they are installed
    assert not loaded & {"coffea", "uproot", "matplotlib", "dask"}


def test_the_scipy_kernel_does_not_load_numba():
    loaded, _ = loaded_by(
        "import hep_peaksum as ps; ps.peak_sum_map([[[1]]], ps.PeakSumSettings(kernel='scipy'))"
    )
    assert not loaded & {"numba", "awkward", "coffea", "uproot", "matplotlib"}


@pytest.mark.slow
def test_find_clusters_loads_neither_coffea_nor_uproot():
    loaded, _ = loaded_by("import hep_peaksum as ps; ps.find_clusters([[[1]]])")
    assert {"awkward", "numba"} <= loaded
    assert not loaded & {"coffea", "uproot", "matplotlib", "dask"}


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("run", "--help"), ("--version",)], ids=" ".join)
def test_help_loads_nothing_heavy(arguments):
    loaded, printed = loaded_by("from hep_peaksum.__main__ import main; main()", *arguments)
    assert "hep-peaksum" in printed or "hep_peaksum" in printed
    assert not loaded & {*HEAVY, "numpy", "pydantic", "yaml"}
