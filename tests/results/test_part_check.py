"""A part is compared with its record: by size alone, or by size and checksum."""

import pytest
import xxhash

from hep_peaksum.results.checkpoints import DamagedError, Record, check_part

CONTENT = b"clusters"


@pytest.fixture
def record():
    return Record(
        fingerprint="", uuid="", numbers=(0, 0), n_events=0, n_written=0, n_clusters={}, n_outside={},
        histograms={},         part_bytes=len(CONTENT), part_xxh3=xxhash.xxh3_64_hexdigest(CONTENT),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "by_size", "by_checksum"),
    [
        pytest.param(CONTENT, True, True, id="as-written"),
        pytest.param(b"cluSters", True, False, id="another-byte"),
        pytest.param(b"cluster", False, False, id="shorter"),
        pytest.param(None, False, False, id="missing"),
    ],
)
def test_a_part_is_what_its_record_says(tmp_path, record, content, by_size, by_checksum):
    part = tmp_path / "part.parquet"
    if content is not None:
        part.write_bytes(content)
    assert is_sound(part, record, verify=False) == by_size
    assert is_sound(part, record, verify=True) == is_sound(part, record) == by_checksum


def is_sound(part, record, **options):
    try:
        check_part(part, record, **options)
    except DamagedError:
        return False
    return True
