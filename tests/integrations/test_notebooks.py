"""The notebooks of the examples, executed from the first cell to the last."""

import json

import pytest
from places import EXAMPLES

NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def shown(cell):
    """Return what a cell shows, by its MIME type."""
    return {mime: text for output in cell.outputs for mime, text in output.get("data", {}).items()}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_results(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
    assert path.stat().st_size < 20_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the packages that talk to the kernel
def test_the_tutorial_runs_and_shows_what_it_says(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    import nbformat

    notebook = nbformat.read(EXAMPLES / "tutorial.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    code = [shown(cell) for cell in notebook.cells if cell.cell_type == "code"]
    pages = [data["text/html"] for data in code if "text/html" in data]
    for words in (
        "Grid of 24 × 16 cells",
        "search window, 3 × 3",
        "Comparison of two algorithms",
        "Results in",
    ):
        assert any(words in page for page in pages), words
    assert any("image/png" in data for data in code), "the event is drawn"
