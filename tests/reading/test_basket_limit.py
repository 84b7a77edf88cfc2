"""A basket that claims more than `run.max_basket` is refused in one line, before memory is allocated for it."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import uproot
import xxhash
import yaml
from finished_jobs import clusters_of, run_job

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.retries import ChunkError
from hep_peaksum.reading.basket_limit import LargeBasketError, LocalSource, check_clusters
from hep_peaksum.reading.blocks import read_cells

CLAIM = 0x7FFFFF00  # 2.147 GB, the largest that fits into the header of a basket
REMEDY = "more than run.max_basket (1 GB): the file is damaged, or raise run.max_basket"


def patch(path, position, content):
    with Path(path).open("r+b") as file:
        file.seek(position)
        file.write(content)


def seek_and_size(path, branch):
    """Return where the only basket of a branch begins, and its compressed size."""
    with uproot.open(path) as file:
        members = file["Events"][branch]
        return int(members.member("fBasketSeek")[0]), int(members.member("fBasketBytes")[0])


def claim_uncompressed(path, branch):
    """Let the key of a basket (fNbytes, version, fObjlen, ...) claim to hold 2 GB once it is decompressed."""
    seek, size = seek_and_size(path, branch)
    assert Path(path).read_bytes()[seek : seek + 4] == struct.pack(">i", size)
    patch(path, seek + 6, struct.pack(">i", CLAIM))


def claim_compressed(path, branch):
    """Let the tree claim that a basket is 2 GB in the file (fBasketBytes)."""
    _, size = seek_and_size(path, branch)
    whole, word = Path(path).read_bytes(), struct.pack(">i", size)
    (place,) = [i for i in range(len(whole)) if whole[i : i + 5] == b"\x01" + word]
    patch(path, place + 1, struct.pack(">i", CLAIM))


@pytest.mark.parametrize("claim", [claim_uncompressed, claim_compressed])
@pytest.mark.parametrize("branch", ["cells", "event"])  # of the grid, and read by coffea
def test_a_large_claim_is_a_loss_of_its_file_or_stops_the_job(write_events, job, claim, branch):
    good, bad = write_events("a.root", 9), write_events("b.root", 300, 2)
    claim(bad, branch)
    reason = f"{bad}: branch {branch!r}, basket 0 claims 2.147 GB, {REMEDY}"
    with pytest.raises(ChunkError) as error:
        run_job(job(good, bad))
    assert str(error.value) == reason
    result = run_job(job(good, bad, run={"on_bad_file": "skip"}))
    assert [(loss["file"], loss["n_entries"], loss["reason"]) for loss in result.losses] == [(bad, 300, reason)]
    assert len(clusters_of(result.directory)) == 9


LITTLE_MEMORY = """
import resource, sys
import hep_peaksum.job.run
from hep_peaksum.cli import main
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), now + (1 << 30)))
main.main(["run", sys.argv[1]])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc here")
def test_no_memory_is_allocated_for_a_large_claim(write_events, job, tmp_path):
    """In 1 GB of memory a claim of 2 GB costs one file, as any damage does, and not the job."""
    good, bad = write_events("a.root", 9), write_events("b.root", 300, 2)
    claim_uncompressed(bad, "cells")
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job(bad, good, run={"on_bad_file": "skip"})))
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY, str(tmp_path / "job.yaml")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (3, "")
    summary = json.loads((tmp_path / "results/summary.json").read_text())
    assert [loss["file"] for loss in summary["losses"]] == [bad]
    assert summary["datasets"]["toy"]["n_events"] == 9


def rntuple(write_root, name, n_events):
    cells = np.random.default_rng(1).integers(0, 9, (n_events, 6, 8)).astype("f4")
    words = {word: np.arange(n_events) + i for i, word in enumerate(("run", "luminosityBlock", "event"))}
    return write_root(name, {"Events": {"cells": cells, **words}}, rntuple=True)


def claim_elements(path, field):
    """Let a page of an RNTuple claim two thousand million elements; the list of pages is signed anew."""
    with uproot.open(path) as file:
        ntuple = file["Events"].ntuple
        locator = ntuple.footer.cluster_group_records[0].page_list_link.locator
        names, columns = [record.field_name for record in ntuple.field_records], ntuple.column_records
        innermost = names.index("_0") + 1 if field == "cells" else names.index(field)
        column = [record.field_id for record in columns].index(innermost)
        page = ntuple.page_link_list[0][column].pages[0]
    whole = bytearray(Path(path).read_bytes())
    start, stop = locator.offset, locator.offset + locator.num_bytes
    envelope = whole[start : stop - 8]
    place = envelope.index(struct.pack("<iq", page.locator.num_bytes, page.locator.offset)) - 4
    count = struct.unpack_from("<i", envelope, place)[0]
    assert abs(count) == page.num_elements
    struct.pack_into("<i", envelope, place, CLAIM if count > 0 else -CLAIM)
    whole[start:stop] = envelope + struct.pack("<Q", xxhash.xxh3_64_intdigest(bytes(envelope)))
    Path(path).write_bytes(whole)


@pytest.mark.parametrize("field", ["event", "cells"])
def test_a_cluster_of_an_rntuple_with_a_large_claim_is_named(write_root, job, field):
    good, bad = rntuple(write_root, "a.root", 9), rntuple(write_root, "b.root", 30)
    claim_elements(bad, field)
    result = run_job(job(good, bad, run={"on_bad_file": "skip"}))
    (loss,) = result.losses
    size = {"event": "17.18", "cells": "8.59"}[field]
    assert loss["reason"] == f"{bad}: field {field!r}, cluster 0 claims {size} GB, {REMEDY}"


def test_only_clusters_that_hold_entries_asked_for_are_checked(tmp_path):
    """The clusters begin at entries 0, 30 and 32: 30 events of 48 cells of 4 bytes are 5.76 kB."""
    with uproot.recreate(tmp_path / "a.root") as file:
        ntuple = file.mkrntuple("Events", {"cells": np.ones((30, 6, 8), "f4")})
        for n_events in (2, 30):
            ntuple.extend({"cells": np.ones((n_events, 6, 8), "f4")})
    with uproot.open(tmp_path / "a.root", handler=LocalSource) as file:
        tree = file["Events"]
        tree.file.source.max_basket = 1000
        check_clusters(tree, 30, 32)
        for start, stop, cluster in ((0, 1, 0), (29, 32, 0), (30, 33, 2), (32, 62, 2), (61, 62, 2)):
            with pytest.raises(LargeBasketError, match=rf"field 'cells', cluster {cluster} claims 5\.76 kB"):
                check_clusters(tree, start, stop)
        tree.file.source.max_basket = 5760
        check_clusters(tree, 0, 62)


def test_the_limit_is_that_of_the_config(write_events, job):
    file = write_events("a.root", 300)
    assert 10_000 < seek_and_size(file, "cells")[1] < 100_000
    claim = r"branch 'cells', basket 0 claims 1\d\.\d+ kB, more than run.max_basket \(10 kB\): the file is"
    with pytest.raises(ChunkError, match=claim):
        run_job(job(file, run={"max_basket": "10 kB"}))
    with pytest.raises(OSError, match=claim):
        list(read_cells(parse_config(job(file, run={"max_basket": 10_000})), "calo", max_events=5))
    assert run_job(job(file, run={"max_basket": "0.1 MB"})).summary["datasets"]["toy"]["n_events"] == 300


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "1 TB", "GB", "1e9", "9" * 400, "-1 GB"])
def test_what_is_no_size_is_an_error(job, size):
    with pytest.raises(
        ConfigError, match=r"^run\.max_basket: .* is not a size: write a number of bytes"
    ) as error:
        parse_config(job("a.root", run={"max_basket": size}))
    assert "\n" not in str(error.value)


def test_a_tree_with_a_large_claim_is_one_line(write_events, job):
    """Its key (fNbytes, version, fObjlen, ...) says how much is read at once."""
    file = write_events("a.root", 5)
    with uproot.open(file) as root:
        key = root.key("Events")
        position, size = key.fSeekKey, key.fNbytes
    whole = bytearray(Path(file).read_bytes())
    header = struct.pack(">i", size)
    places = [i for i in range(len(whole)) if whole[i : i + 4] == header]
    assert position in places
    for place in places:  # the key itself and its copy in the directory
        struct.pack_into(">i", whole, place, CLAIM)
        struct.pack_into(">i", whole, place + 6, CLAIM - key.fKeylen)
    Path(file).write_bytes(whole)
    claim = r"a\.root: what begins at byte \d+ claims 2\.147 GB, more than run.max_basket \(1 GB\): "
    with pytest.raises(ChunkError, match=claim):
        run_job(job(file))
