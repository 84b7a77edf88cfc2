"""On a screen of 40 columns every number that a command prints on a wide one is there, in one piece."""

import io
import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from finished_jobs import command, environment
from rich.console import Console

from hep_peaksum.cli.main import main
from hep_peaksum.terminal.tables import table

NARROW, WIDE = 40, 110
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]\d+)?%?(?![\w%])")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COMMANDS = {
    "run": ["run", "job.yaml"],
    "dry_run": ["run", "job.yaml", "--dry-run"],
    "status": ["status", "results"],
    "verify": ["status", "results", "--verify"],
    "unfinished": ["status", "unfinished"],
    "show": ["show", "job.yaml"],
    "explain": ["explain", "job.yaml", "--cell", "2", "3"],
    "ties": ["ties", "job.yaml"],
    "compare": ["compare", "job.yaml", "Jet", "Coarse"],
    "closure": ["closure", "job.yaml"],
    "inspect": ["inspect", "a.root"],
    "check": ["check", "job.yaml"],
    "presets": ["presets"],
    "preset": ["presets", "cms-l1-jet"],
}


@pytest.fixture
def printed(write_events, job, tmp_path, monkeypatch, capsys):
    """Return a function that runs a command on a screen so many columns wide, and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    reference = {"row": "row", "col": "col", "sum": "sum"}
    objects = {name: [[2.0, 3.0]] * 300 for name in reference}
    write_events("a.root", 300, 1, **objects)
    content = job("a.root", run={"chunksize": 50})
    content["output"]["directory"] = "results"
    content["clusters"]["Jet"]["reference"] = reference
    content["clusters"]["Coarse"] = {"grid": "calo", "seed_threshold": 5, "search_window": [5, 5]}
    Path("job.yaml").write_text(yaml.safe_dump(content))

    def run(width, arguments):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capsys.readouterr()
        assert (end.value.code, err) == (0, "")
        # the progress has numbers of its own for each width
        return re.sub(r".*(Preprocessing|Processing) .*", "", ESCAPES.sub("", out))

    run(WIDE, ["run", "job.yaml"])
    Path("unfinished").mkdir()
    for path in Path("results").rglob("*"):
        target = Path("unfinished", *path.parts[1:])
        target.mkdir() if path.is_dir() else target.write_bytes(path.read_bytes())
    Path("unfinished/summary.json").unlink()
    return run


@pytest.mark.slow
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_no_number_is_cut(printed, arguments):
    wide, narrow = (printed(width, arguments) for width in (WIDE, NARROW))
    assert "…" not in narrow
    expected, found = (Counter(NUMBER.findall(text)) for text in (wide, narrow))
    assert expected
    assert not expected - found


@pytest.mark.parametrize("width", range(20, 90, 3))
def test_a_table_is_folded_or_becomes_a_list(width):
    screen = io.StringIO()
    rows = table("dataset", "files", "entries", "collection", "per event")
    rows.add_row("a_data_set_with_a_long_name", "20000", "12345678901", "Cluster", "3.14159")
    rows.add_row("b", "1", "-2.5e+12", "Jet", "0.5")
    rows.caption = "and 4711 more"
    Console(file=screen, width=width, soft_wrap=True).print(rows)
    numbers = ["20000", "12345678901", "3.14159", "1", "-2.5e+12", "0.5", "4711"]
    assert sorted(NUMBER.findall(screen.getvalue())) == sorted(numbers)
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= max(width, len("dataset: a_data_set_with_a_long_name"))
    assert ("entries: 12345678901" in lines) == (width < 65)


@pytest.mark.slow
def test_a_real_terminal_of_40_columns_shows_the_numbers_of_the_progress(write_events, job, tmp_path):
    pty, termios, fcntl = (pytest.importorskip(name) for name in ("pty", "termios", "fcntl"))
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job(write_events("a.root", 200), run={"chunksize": 2})))
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, b"\x18\x00\x28\x00\x00\x00\x00\x00")  # 24 lines of 40 columns
        environ = {key: value for key, value in environment().items() if key not in ("COLUMNS", "LINES")}
        os.execve(sys.executable, command(tmp_path / "job.yaml"), {**environ, "TERM": "xterm", "CI": ""})
    screen = b""
    try:
        while block := os.read(terminal, 1 << 16):
            screen += block
    except OSError:  # the terminal is closed
        pass
    os.close(terminal)
    assert os.waitpid(process, 0)[1] == 0
    text = ESCAPES.sub("", screen.decode())
    assert "…" not in text
    assert re.search(r"Processing 100/100 chunks \(100%\), \S+ *\s+events/s, \d+ s", text)
    assert re.search(r"entries: 200\s", text)
