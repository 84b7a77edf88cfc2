"""In PocketCoffea: the example as its own command runs it, on awkward 1, with every executor of one machine."""

import json
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from framework_events import COLS, ROWS, expected_clusters, tied_cells, write_events
from places import EXAMPLES

pytest.importorskip("pocket_coffea", reason="PocketCoffea is not installed: nox -s pocket_coffea")
pytestmark = pytest.mark.slow
FOLDER = EXAMPLES / "pocket_coffea"


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    """Return the folder of the example with a file of events and the list of it."""
    place = tmp_path_factory.mktemp("pocket_coffea")
    for path in FOLDER.iterdir():
        if path.is_file():
            shutil.copy(path, place)
    write_events(place / "events.root", tied_cells())
    metadata = {"sample": "toy", "year": "2018", "era": "A", "isMC": "False", "nevents": "60"}
    fileset = {"toy": {"metadata": metadata, "files": [str(place / "events.root")]}}
    (place / "datasets.json").write_text(json.dumps(fileset))
    return place


def run(place, output, executor="iterative"):
    command = [Path(sys.executable).with_name("runner"), "--cfg", "config.py", "-o", output, "-e", executor]
    command += ["--chunksize", "25", "--ignore-grid-certificate=True"]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", params=["iterative", "futures"])
def output(request, analysis):
    from coffea.util import load

    done = run(analysis, request.param, request.param)
    assert done.returncode == 0, done.stdout + done.stderr
    return load(analysis / request.param / "output_all.coffea")


def columns_of(output):
    (columns,) = output["columns"]["toy"]["toy"]["all"].values()
    return {name: column.value for name, column in columns.items()}


def test_the_columns_are_the_clusters_of_the_plain_loops(output):
    columns = columns_of(output)
    fields = zip(*(columns[f"Cluster_{field}"].tolist() for field in ("row", "col", "peak_sum")), strict=True)
    found = {
        event: list(islice(fields, n))
        for event, n in zip(columns["events_event"], columns["Cluster_N"], strict=True)
    }
    assert found == dict(enumerate(expected_clusters(tied_cells())))


def test_the_columns_have_four_vectors(output):
    columns = columns_of(output)
    row, col = columns["Cluster_row"], columns["Cluster_col"]
    np.testing.assert_allclose(columns["Cluster_eta"], -3 + (row + 0.5) * 6 / ROWS, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(columns["Cluster_phi"], -np.pi + (col + 0.5) * 2 * np.pi / COLS, atol=1e-6)
    np.testing.assert_array_equal(columns["Cluster_pt"], columns["Cluster_peak_sum"])


def test_the_histogram_has_the_selected_clusters(output):
    sums = [total for event in expected_clusters(tied_cells()) for _, _, total in event if total > 5]
    values = output["variables"]["pt"]["toy"]["toy"]["all", :].values()
    assert values.tolist() == np.histogram(sums, bins=50, range=(0, 100))[0].tolist()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed_threshold", "seed_treshold", "no 'seed_treshold' (did you mean 'seed_threshold'?)"),
        ("quantity: et", "quantity: ett", "grid.quantity: 'ett' is not one of"),
        ("cells:", "cell:", "no 'cell' (did you mean 'cells'?)"),
        ("CaloTower.et", "CaloTower.ett", "no 'ett' in CaloTower (did you mean 'et'?)"),
        ("peaksum:", "peaksums:", "parameters have no peaksum: add peaksum:"),
    ],
)
def test_a_mistake_in_the_parameters_is_one_line(analysis, tmp_path, old, new, message):
    place = shutil.copytree(
        analysis, tmp_path / "analysis", ignore=shutil.ignore_patterns("iterative", "futures")
    )
    text = (place / "peaksum.yaml").read_text()
    (place / "peaksum.yaml").write_text(text.replace(old, new, 1))
    done = run(place, "out")
    assert done.returncode != 0
    assert any(message in line for line in (done.stdout + done.stderr).splitlines())
