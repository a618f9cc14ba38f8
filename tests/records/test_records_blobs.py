import os
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
import zstandard

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records import Blobs
from seedbed.records.canonical import digest_bytes
from seedbed.records.storage import _blobs as blobs_module
from seedbed.records.storage._local import LocalFiles

SMALL, EVEN = b"small", b"same" * 4096


@pytest.fixture
def files(tmp_path):
    return LocalFiles(tmp_path)


@pytest.fixture
def blobs(files):
    return Blobs(files)


@pytest.fixture
def path_of(files, blobs):
    return lambda digest: files.path(blobs.key(digest))


@pytest.mark.parametrize(
    "data", [b"", b"small", b"same" * 4096, os.urandom(8192)], ids=["empty", "small", "even", "noise"]
)
def test_what_is_put_comes_back_under_its_digest(blobs, data):
    digest = blobs.put(data)
    assert digest == digest_bytes(data)
    assert blobs.put(data) == digest
    assert blobs.get(digest) == data


def test_only_what_gets_smaller_is_compressed(blobs, path_of):
    assert path_of(blobs.put(b"same" * 4096)).suffix == ".zst"
    assert path_of(blobs.put(b"same" * 4096)).stat().st_size < 100
    assert path_of(blobs.put(os.urandom(8192))).suffix == ""
    assert path_of(blobs.put(b"small")).suffix == ""


def test_compression_begins_above_four_kibibytes(blobs, path_of):
    assert path_of(blobs.put(bytes(4096))).suffix == ""
    assert path_of(blobs.put(bytes(4097))).suffix == ".zst"


def test_a_large_payload_is_never_there_three_times(blobs):
    data = os.urandom(8 << 20)
    tracemalloc.start()
    try:
        blobs.put(data)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 1.1 * len(data)  # beside `data` itself: what compressing it gave, until that was let go


def aged(path, **age):
    when = (datetime.now(UTC) - timedelta(**age)).timestamp()
    os.utime(path, (when, when))
    return path


def age_of(path):
    return datetime.now(UTC) - datetime.fromtimestamp(path.stat().st_mtime, UTC)


@pytest.mark.parametrize("data", [SMALL, EVEN], ids=["plain", "packed"])
@pytest.mark.parametrize(
    "again", [lambda blobs, data: blobs.put(data), lambda blobs, data: blobs.keep(digest_bytes(data))]
)
def test_a_blob_that_is_about_to_be_named_is_made_young(blobs, path_of, data, again):
    path = aged(path_of(blobs.put(data)), minutes=31)
    again(blobs, data)
    assert age_of(path) < timedelta(minutes=1)
    assert blobs.get(digest_bytes(data)) == data
    assert len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("again", [lambda blobs: blobs.put(EVEN), lambda blobs: blobs.keep(digest_bytes(EVEN))])
def test_a_young_blob_stays_as_it_is(blobs, path_of, again):
    path = aged(path_of(blobs.put(EVEN)), minutes=29)
    again(blobs)
    assert age_of(path) > timedelta(minutes=28)


def test_an_old_blob_that_is_damaged_is_repaired_by_its_bytes_and_not_kept_without(blobs, path_of):
    path = path_of(blobs.put(EVEN))
    path.write_bytes(b"other bytes")
    aged(path, hours=1)
    with pytest.raises(StoreCorrupt, match="does not unpack"):
        blobs.keep(digest_bytes(EVEN))
    blobs.put(EVEN)
    assert blobs.get(digest_bytes(EVEN)) == EVEN


@pytest.mark.parametrize("data", [SMALL, EVEN])
def test_a_flipped_byte_is_found(blobs, path_of, data):
    path = path_of(blobs.put(data))
    stored = bytearray(path.read_bytes())
    stored[-1] ^= 1
    path.write_bytes(stored)
    with pytest.raises(StoreCorrupt, match="restore it"):
        blobs.get(digest_bytes(data))


def test_a_blob_that_claims_to_be_huge_is_not_unpacked(blobs, path_of, monkeypatch):
    digest = blobs.put(b"same" * 4096)
    monkeypatch.setattr(blobs_module, "_LARGEST_BYTES", 1000)
    with pytest.raises(StoreCorrupt, match="claims to hold 16384 bytes"):
        blobs.get(digest)
    path_of(digest).write_bytes(zstandard.ZstdCompressor(write_content_size=False).compress(b"same" * 4096))
    with pytest.raises(StoreCorrupt, match="claims"):
        blobs.get(digest)


def test_what_is_not_there_or_no_digest_is_said_to_be_so(blobs):
    with pytest.raises(NotFound, match="there is no blob"):
        blobs.get("0" * 64)
    with pytest.raises(NotFound, match="there is no blob"):
        blobs.keep("0" * 64)
    with pytest.raises(InvalidInput, match="64 hexadecimal"):
        blobs.get("../../etc/passwd")


def test_a_blob_is_found_among_others_of_its_folder(blobs, files):
    digest = blobs.put(SMALL)
    for neighbour in (f"{digest[:-1]}!", f"{digest}!", f"{digest}.zst!", f"{digest[:2]}{'f' * 63}"):
        files.replace(f"blobs/sha256/{digest[:2]}/{neighbour}", b"a neighbour")
    assert blobs.get(digest) == SMALL
    with pytest.raises(NotFound):
        blobs.get(digest[:2] + "0" * 62)
