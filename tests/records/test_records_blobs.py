import os

import pytest
import zstandard

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records import Blobs, digest_bytes
from seedbed.records import _blobs as blobs_module
from seedbed.records._local import LocalFiles


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


@pytest.mark.parametrize("data", [b"small", b"same" * 4096])
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
    with pytest.raises(InvalidInput, match="64 hexadecimal"):
        blobs.get("../../etc/passwd")
