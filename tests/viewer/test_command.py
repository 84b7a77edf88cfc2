"""What `hep-peaksum view` and `view` say where there is nothing to view, or no Bokeh."""

import numpy as np
import pytest
from click.testing import CliRunner

import hep_peaksum as ps
from hep_peaksum.cli.main import cli
from hep_peaksum.viewer import notebook


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(notebook, "find_spec", lambda _: None)


def test_without_bokeh_the_command_says_what_to_install(nothing_installed, tmp_path):
    done = CliRunner().invoke(cli, ["view", str(tmp_path / "job.yaml")])
    assert str(done.exception) == (
        "a view needs bokeh, which is not installed: python -m pip install 'hep_peaksum[view]'"
    )


def test_without_bokeh_a_notebook_says_what_to_install(nothing_installed):
    with pytest.raises(RuntimeError, match=r"pip install 'hep_peaksum\[view\]'"):
        ps.view(np.ones((1, 3, 3)))


def test_a_single_event_has_no_axis_of_events():
    with pytest.raises(ValueError, match=r"grids\[None\]"):
        notebook.first_state(np.ones((3, 3)))


def test_help_says_how_to_end_it():
    done = CliRunner().invoke(cli, ["view", "--help"])
    assert done.exit_code == 0
    assert "Ctrl-C ends it" in done.output
