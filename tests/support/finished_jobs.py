"""Running jobs given as plain values, and reading their results."""

import json
import os
import sys
from pathlib import Path

import awkward as ak
import uproot
import xxhash
from places import ROOT, SUPPORT

from hep_peaksum.config.load import parse_config
from hep_peaksum.job.run import run
from hep_peaksum.results.atomic_write import seal, unseal


def run_job(content, **keywords):
    """Run a job given as plain values."""
    return run(parse_config(content), **keywords)


def clusters_of(directory, dataset="toy"):
    """Return the events in the parts of a dataset."""
    parts = sorted((Path(directory) / dataset / "clusters.parquet").glob("part-*.parquet"))
    return ak.concatenate([ak.from_parquet(part) for part in parts])


def files_below(directory):
    """Return the paths of all files below a folder."""
    return {str(path.relative_to(directory)) for path in Path(directory).rglob("*") if path.is_file()}


def content_of(directory):
    """Return all results: clusters in every format, histograms, counts."""
    toy = Path(directory) / "toy"
    parts = sorted((toy / "clusters.parquet").glob("*.parquet"))
    with uproot.open(Path(directory) / "histograms.root") as file:
        histograms = {
            key: file[key].values(flow=True).tolist()
            for key, kind in file.classnames().items()
            if kind.startswith("TH")
        }
    assert histograms
    return {
        "parquet": ak.concatenate([ak.from_parquet(part) for part in parts]).to_list(),
        "ttree": uproot.open(toy / "clusters.root")["Events"].arrays().to_list(),
        "rntuple": uproot.open(toy / "clusters.rntuple.root")["Events"].arrays().to_list(),
        "histograms": histograms,
        "counts": json.loads((Path(directory) / "summary.json").read_text())["datasets"],
    }


def write_summary(directory, summary):
    """Write another summary into a results folder, and its checksum as if the job had written it."""
    path, text = Path(directory) / "manifest.json", json.dumps(summary)
    manifest = json.loads(unseal(path.read_bytes()))
    manifest["checksums"]["summary.json"] = xxhash.xxh3_64_hexdigest(text.encode())
    path.write_bytes(seal(json.dumps(manifest, separators=(",", ":")).encode()))
    (path.parent / "summary.json").write_text(text)


def records_of(content):
    """Return the paths of the records that a job has committed."""
    return sorted((Path(content["output"]["directory"]) / "toy/_chunks").glob("part-*.json"))


def has_no_temporary_files(directory):
    """Return whether neither temporary files nor a lock are left in a folder."""
    return not [path for path in Path(directory).rglob("*") if path.name.startswith(".")]


def command(path):
    """Return the command that runs a config file."""
    return [sys.executable, "-m", "hep_peaksum", "run", str(path)]


def environment(**fault):
    """Return the environment for a run in another process, with a fault of `faults` in it."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(SUPPORT), str(ROOT)]),
        "HEP_PEAKSUM_FAULT": json.dumps(fault),
    }
