"""No content of a file decides what is deleted or written; hostile input ends in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hep_peaksum.config.load import load_config, parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.run import run


def run_job(content, **options):
    return run(parse_config(content), **options)


def folder(content):
    return Path(content["output"]["directory"])


@pytest.fixture
def finished(write_events, job):
    content = job(write_events("a.root", 6))
    run_job(content)
    return content


@pytest.mark.parametrize("name", ["../../victim", "/victim", "../victim", "toy/../../victim", ".."])
def test_a_manifest_cannot_have_folders_outside_removed(finished, tmp_path, name):
    victims = [tmp_path / "victim", tmp_path.parent / "victim"]
    for victim in victims:
        for sub in ("_chunks", "clusters.parquet"):
            (victim / sub).mkdir(parents=True, exist_ok=True)
            (victim / sub / "precious.txt").write_text("of the user")
        (victim / "clusters.root").write_text("of the user")
    path = folder(finished) / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["datasets"][name.replace("/victim", f"{tmp_path}/victim") if name == "/victim" else name] = {
        "number": 9,
        "files": {},
    }
    path.write_text(json.dumps(manifest))
    run_job(finished, restart=True)
    for victim in victims:
        assert len([p for p in victim.rglob("*") if p.is_file()]) == 3
        for p in sorted(victim.rglob("*"), reverse=True):
            p.unlink() if p.is_file() else p.rmdir()


def test_a_linked_dataset_folder_is_not_followed_by_restart(finished, tmp_path):
    victim = tmp_path / "victim"
    (victim / "_chunks").mkdir(parents=True)
    precious = victim / "_chunks" / "part-000001-000000000000-000000000006.json"
    precious.write_text("{}")
    (folder(finished) / "linked").symlink_to(victim)
    run_job(finished, restart=True)
    assert precious.is_file()


def test_the_lock_does_not_follow_a_link(job, write_events, tmp_path):
    content = job(write_events("a.root", 3))
    victim = tmp_path / "victim.txt"
    victim.write_text("of the user")
    folder(content).mkdir()
    (folder(content) / ".lock").symlink_to(victim)
    with pytest.raises((ConfigError, RuntimeError, OSError)):
        run_job(content)
    assert victim.read_text() == "of the user"


SECRETS = [
    "https://127.0.0.1:9/a.root?token=SECRET",
    "https://user:SECRET@127.0.0.1:9/a.root",
    "https://127.0.0.1:9/a.root?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET",
]


@pytest.mark.slow
def test_tokens_in_urls_reach_neither_disk_nor_screen(write_events, job, tmp_path):
    content = job(write_events("a.root", 3), *SECRETS, run={"on_bad_file": "skip", "timeout": 2, "retries": 0})
    config = tmp_path / "job.yaml"
    config.write_text(yaml.safe_dump(content))
    for arguments in (
        ["run", str(config)],
        ["check", str(config)],
        ["run", str(config)],
        ["status", content["output"]["directory"]],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "hep_peaksum", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert "SECRET" not in done.stdout + done.stderr, arguments
        assert "Traceback" not in done.stderr
    for path in folder(content).rglob("*"):
        assert not path.is_file() or b"SECRET" not in path.read_bytes(), path


def nested_aliases():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join([*lines, "datasets: *a8"])


HOSTILE = {
    "aliases": nested_aliases(),
    "digits": f"datasets: {'9' * 50_000}",
    "deep": "[" * 20_000,
    "flow_maps": "{a: " * 5000,
    "long_key": f"{'k' * 200_000}: 1",
}
KEYS = {
    "a_large_window": {"search_window": [100_001, 100_001]},
    "a_large_drawn_window": {"search_window": "x" * 400_000 + "o"},
    "a_long_number": {"seed_threshold": int("9" * 4000)},
    "a_deep_pileup": {"pileup": [{"kind": "donut", "depth": 10**6}]},
}
BINS = {
    "histogram": {"h": {"axes": [{"field": "Jet.pt", "bins": 10**9, "start": 0, "stop": 1}]}},
    "histogram_3d": {
        "h": {
            "axes": [{"field": f"Jet.{f}", "bins": 5000, "start": 0, "stop": 1} for f in ("pt", "eta", "phi")]
        }
    },
}
LIMITED = """
import resource, sys, time
from hep_peaksum.config.load import load_config
from hep_peaksum.config.yaml_io import ConfigError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
try:
    load_config(sys.argv[1])
except ConfigError as error:
    print(max(map(len, error.problems)), len(error.problems))
seconds = time.process_time() - start
growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(seconds, growth / 1024)
"""


def load_limited(path):
    """Load a config in its own process; return the length of the longest problem, seconds and MB."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    problems, costs = done.stdout.splitlines()
    return int(problems.split()[0]), *map(float, costs.split())


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_yaml_ends_in_one_short_line_quickly(tmp_path, text):
    (tmp_path / "job.yaml").write_text(text)
    longest, seconds, megabytes = load_limited(tmp_path / "job.yaml")
    assert longest < 500
    assert (seconds < 2, megabytes < 200) == (True, True), (seconds, megabytes)


@pytest.mark.slow
@pytest.mark.parametrize("key", [*KEYS, *BINS])
def test_hostile_settings_end_in_one_short_line_quickly(write_events, job, tmp_path, key):
    content = job(write_events("a.root", 3))
    content["clusters"]["Jet"] |= KEYS.get(key, {})
    if key in BINS:
        content["histograms"] = BINS[key]
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
    longest, seconds, megabytes = load_limited(tmp_path / "job.yaml")
    assert longest < 500
    assert (seconds < 2, megabytes < 200) == (True, True), (seconds, megabytes)


def test_a_plain_config_is_still_read(write_events, job, tmp_path):
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job(write_events("a.root", 3))))
    assert list(load_config(tmp_path / "job.yaml").clusters) == ["Jet"]
