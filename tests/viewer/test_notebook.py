"""`view` in a notebook, by jupyter_bokeh."""

import numpy as np
import pytest

pytest.importorskip("jupyter_bokeh", reason="jupyter_bokeh is not installed: nox -s viewer")
pytest.importorskip("nbclient", reason="nbclient is not installed: nox -s viewer")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_a_view_is_a_widget_with_bokehjs_loaded_inline(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    np.save(tmp_path / "cells.npy", np.random.default_rng(1).poisson(0.5, (4, 6, 8)))
    code = "import numpy as np, hep_peaksum as ps\nps.view(np.load('cells.npy'), {'tie_rule': 'all'}, entry=1)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = notebook.cells[0].outputs
    scripts = [
        out["data"]["application/javascript"]
        for out in outputs
        if "application/javascript" in out.get("data", {})
    ]
    assert any(len(script) > 500_000 for script in scripts), "BokehJS is not there"
    assert not [
        url for script in scripts for url in script.split('"') if url.startswith("https://cdn.bokeh.org")
    ]
    assert any("application/vnd.jupyter.widget-view+json" in out.get("data", {}) for out in outputs)
