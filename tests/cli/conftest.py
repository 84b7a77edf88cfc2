"""Fixtures to run commands in an empty folder."""

import pytest
import yaml
from cli_output import without_notices

from hep_peaksum.cli.main import main
from hep_peaksum.processing import progress


@pytest.fixture
def cli(tmp_path, monkeypatch, capfd):
    """Run a command in an empty folder, on a wide terminal; return exit status, stdout and stderr."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 3600)  # no line on a busy machine either

    def command(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return end.value.code, printed.out, without_notices(printed.err)

    return command


@pytest.fixture
def write_config(tmp_path):
    """Write a config and return its path."""

    def write(content, name="job.yaml"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return path

    return write


@pytest.fixture
def good(write_events, job, write_config):
    """Return a config that runs, over two files."""
    return write_config(job(write_events("a.root", 13, 1), write_events("b.root", 8, 2)))
