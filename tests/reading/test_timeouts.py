"""Every command that opens a file gives up in time, with one line, when the server does not answer."""

import time

import pytest
import yaml

from hep_peaksum.cli.main import main
from hep_peaksum.reading import files

pytestmark = pytest.mark.slow  # together they take many seconds

# With a collection to compare with, for `closure`.
REFERENCE = {"row": "row", "col": "col", "sum": "sum"}
COMMANDS = {
    "run": ["run"],
    "check": ["check"],
    "show": ["show", "-o", "event.png"],
    "explain": ["explain", "--cell", "2", "3"],
    "ties": ["ties"],
    "compare": ["compare", "Jet", "Jet"],
    "closure": ["closure"],
}


@pytest.fixture
def config_file(job, tmp_path, monkeypatch):
    """Write a config that reads a URL, with a timeout of one second; return a function of the URL."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    monkeypatch.chdir(tmp_path)

    def write(url):
        content = job(url, run={"timeout": 1, "retries": 0})
        content["clusters"]["Jet"]["reference"] = REFERENCE
        (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
        return "job.yaml"

    return write


def error_of(capsys, *arguments):
    """Run a command that fails; return the one line that it prints."""
    began = time.monotonic()
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert time.monotonic() - began < 5
    assert end.value.code in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(word, marks=[pytest.mark.slow] * (word not in ("run", "show", "closure")))
        for word in COMMANDS
    ],
)
def test_a_server_that_never_answers_is_one_line_in_time(silent, config_file, capsys, command):
    url = f"http://{silent}/a.root"
    word, *options = COMMANDS[command]
    line = error_of(capsys, word, config_file(url), *options)
    place = "job.yaml:11: datasets.toy.files: " if word == "check" else ""
    assert line.startswith(f"error: {place}{url}: cannot be read (")


@pytest.mark.parametrize(
    "command",
    ["inspect", pytest.param("show", marks=pytest.mark.slow), pytest.param("init", marks=pytest.mark.slow)],
)
def test_commands_without_a_config_have_a_timeout_too(silent, tmp_path, capsys, monkeypatch, command):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    monkeypatch.chdir(tmp_path)
    assert files.TIMEOUT == 60
    monkeypatch.setattr(files, "TIMEOUT", 1)
    url = f"http://{silent}/a.root"
    line = error_of(capsys, command, *["--root"] * (command == "init"), url)
    assert line.startswith(f"error: {url}: cannot be read (")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["show", "explain", "ties", "compare", "closure"])
def test_a_server_that_falls_silent_later_is_one_line_in_time(
    served, write_events, config_file, capsys, command
):
    server, address = served
    write_events("a.root", 400, row=[[1]] * 400, col=[[1]] * 400, sum=[[1]] * 400)
    path = config_file(f"{address}/a.root")
    word, *options = COMMANDS[command]
    for _ in range(2):  # fsspec caches some answers
        server.n_prompt = 1000
        with pytest.raises(SystemExit, match=r"^0$"):
            main([word, path, *options])
    n_requests = 1000 - server.n_prompt
    assert n_requests > 2
    server.n_prompt, server.delay = n_requests - 1, 3
    capsys.readouterr()
    line = error_of(capsys, word, path, *options)
    assert line.startswith(f"error: {address}/a.root: cannot be read (")
