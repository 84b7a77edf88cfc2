"""Parts and records that were damaged after they were finished: noticed, told, and made anew."""

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from plain_count import count, written

from hep_peaksum.cli.main import cli
from hep_peaksum.config.load import parse_config
from hep_peaksum.job.run import run
from hep_peaksum.results.atomic_write import seal

pytestmark = pytest.mark.slow  # together they take many seconds


def run_job(content, **options):
    return run(parse_config(content), **options)


def folder(content):
    return Path(content["output"]["directory"])


@pytest.fixture
def finished(write_events, job):
    files = [write_events("a.root", 12, 1), write_events("b.root", 8, 2)]
    content = job(*files, run={"chunksize": 4})
    run_job(content)
    return content


def files_of(content):
    return list(content["datasets"]["toy"]["files"])


def parts_of(content):
    return sorted((folder(content) / "toy/clusters.parquet").glob("part-*.parquet"))


def records_of(content):
    return sorted((folder(content) / "toy/_chunks").glob("part-*.json"))


def zeroed(parts):
    parts[1].write_bytes(bytes(parts[1].stat().st_size))


def swapped(parts):
    first, second = parts[0].read_bytes(), parts[1].read_bytes()
    parts[0].write_bytes(second)
    parts[1].write_bytes(first)


def flipped(parts):
    data = bytearray(parts[2].read_bytes())
    data[random.Random(1).randrange(len(data))] ^= 4
    parts[2].write_bytes(bytes(data))


def flipped_in_the_footer(parts):
    data = bytearray(parts[2].read_bytes())
    data[-40] ^= 1
    parts[2].write_bytes(bytes(data))


def cut_short(parts):
    parts[0].write_bytes(parts[0].read_bytes()[:-7])


def removed(parts):
    parts[3].unlink()


DAMAGES = {f.__name__: (f, n) for f, n in ((zeroed, 1), (swapped, 2), (flipped, 1), (flipped_in_the_footer, 1), (cut_short, 1), (removed, 1))}  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(("damage", "n_damaged"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_part_is_found_and_made_anew(finished, damage, n_damaged):
    damage(parts_of(finished))
    result = run_job(finished)
    assert result.summary["n_chunks"] == {"total": 5, "reused": 5 - n_damaged}
    assert written(folder(finished)) == count(*files_of(finished))


@pytest.mark.parametrize(("damage", "n_damaged"), DAMAGES.values(), ids=DAMAGES)
def test_status_verify_names_the_damaged_parts(finished, damage, n_damaged):
    healthy = CliRunner().invoke(cli, ["status", "--verify", str(folder(finished))])
    assert (healthy.exit_code, "5 chunks" in healthy.output) == (0, True)
    damage(parts_of(finished))
    found = CliRunner().invoke(cli, ["status", "--verify", str(folder(finished))], standalone_mode=False)
    assert found.return_value == 1 or found.exit_code == 1
    assert found.output.count("damaged") + found.output.count("missing") >= n_damaged


BROKEN_RECORDS = {
    "empty": b"",
    "binary": bytes(range(256)),
    "truncated": b'{"file": "a.root", "finge',
    "a_list": b"[]",
    "null": b"null",
    "no_keys": b"{}",
    "of_another_shape": seal(b'{"fingerprint": 3, "part_bytes": "many"}'),
    "of_no_shape": seal(b'{"chunk": "toy/part-000001-000000000004-000000000008"}'),
    "wrong_types": b'{"fingerprint": 3, "part_bytes": "many", "histograms": [], "n_events": null}',
}


@pytest.mark.parametrize("broken", BROKEN_RECORDS.values(), ids=BROKEN_RECORDS)
def test_a_broken_record_is_redone_and_never_a_traceback(finished, broken):
    records_of(finished)[1].write_bytes(broken)
    status = CliRunner().invoke(cli, ["status", str(folder(finished))])
    assert status.exit_code == 0, status.output
    result = run_job(finished)
    assert result.summary["n_chunks"]["reused"] == 4
    assert written(folder(finished)) == count(*files_of(finished))


def test_a_record_with_other_counts_is_not_believed(finished):
    record = records_of(finished)[0]
    record.write_text(record.read_text().replace('"n_events":4', '"n_events":3'))
    assert run_job(finished).summary["n_chunks"]["reused"] == 4
    assert written(folder(finished)) == count(*files_of(finished))


def test_status_says_what_is_there_and_not_what_the_names_say(finished):
    (folder(finished) / "summary.json").unlink()
    for record in records_of(finished)[:2]:
        record.write_bytes(b"")
    found = CliRunner().invoke(cli, ["status", str(folder(finished))])
    assert found.exit_code == 0
    (line,) = (line for line in found.output.splitlines() if line.strip().startswith("toy"))
    assert line.split()[1:4] == ["2", "3", "12"]


@pytest.mark.parametrize("manifest", ["", "[]", '{"datasets": 3}', '{"datasets": {"toy": []}}'])
def test_status_of_a_folder_with_a_broken_manifest_is_one_line(finished, manifest):
    (folder(finished) / "summary.json").unlink()
    (folder(finished) / "manifest.json").write_text(manifest)
    found = CliRunner().invoke(cli, ["status", str(folder(finished))])
    assert found.exit_code != 0
    assert isinstance(found.exception, (ValueError, SystemExit)), found.exception
    assert "manifest.json" in str(found.exception)


def test_parquet_pages_carry_checksums_for_other_readers(finished):
    import pyarrow.parquet as pq

    part = parts_of(finished)[0]
    pq.ParquetFile(part, page_checksum_verification=True).read()
    data = bytearray(part.read_bytes())
    column = pq.ParquetFile(part).metadata.row_group(0).column(4)
    start = column.dictionary_page_offset or column.data_page_offset
    data[start + column.total_compressed_size - 1] ^= 0xFF
    part.write_bytes(bytes(data))
    with pytest.raises(OSError, match=r"(?i)crc|checksum"):
        pq.ParquetFile(part, page_checksum_verification=True).read()


def test_the_manifest_is_still_readable_json(finished):
    assert json.loads((folder(finished) / "manifest.json").read_text())["datasets"]["toy"]["number"] == 1
