"""A file that ends too early is refused, wherever it was cut; and a packed file is unpacked once."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import zstandard

from seedbed.errors import InvalidInput
from seedbed.temporal import FileFormat, StreamSchema, propose, read_events

NUM_EVENTS = 20_000
_RNG = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "src": _RNG.integers(0, 500, NUM_EVENTS),
        "dst": _RNG.integers(0, 500, NUM_EVENTS),
        "t": 10_000 + _RNG.permutation(NUM_EVENTS),
    }
)
TEXT = FRAME.write_csv().encode()
HALF = TEXT.index(b"\n", len(TEXT) // 2) + 1  # the end of a line
PARTS = (TEXT[:HALF], TEXT[HALF:])
SKIPPED = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"  # a frame of zstd that holds no data


def flushed_at_a_line_end() -> tuple[bytes, int]:
    """One frame of zstd, and the length after which all that was packed so far ends with a whole line."""
    packer = zstandard.ZstdCompressor().compressobj()
    first = packer.compress(PARTS[0]) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return first + packer.compress(PARTS[1]) + packer.flush(), len(first)


WHOLE = {
    "one.csv.zst": zstandard.compress(TEXT),
    "flushed.csv.zst": flushed_at_a_line_end()[0],
    "frames.csv.zst": zstandard.compress(PARTS[0]) + SKIPPED + zstandard.compress(PARTS[1]),
    "one.csv.gz": gzip.compress(TEXT, mtime=0),
    "members.csv.gz": b"".join(gzip.compress(part, mtime=0) for part in PARTS),
}


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", WHOLE)
def test_a_packed_file_of_one_or_more_parts_is_read_to_its_end(tmp_path, name):
    stream = read_events(write(tmp_path, name, WHOLE[name]), StreamSchema(), sort=True)
    assert stream.t.tolist() == sorted(FRAME["t"])


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("name", WHOLE)
def test_a_packed_file_cut_at_any_tenth_is_refused(tmp_path, name, tenth):
    path = write(tmp_path, name, WHOLE[name][: len(WHOLE[name]) * tenth // 10])
    with pytest.raises(InvalidInput, match="torn, or not packed as its suffix says"):
        read_events(path, StreamSchema(), sort=True)


@pytest.mark.parametrize("missing", [1, 4])
@pytest.mark.parametrize("name", WHOLE)
def test_a_packed_file_without_its_last_bytes_is_refused(tmp_path, name, missing):
    with pytest.raises(InvalidInput, match="torn, or not packed as its suffix says"):
        read_events(write(tmp_path, name, WHOLE[name][:-missing]), StreamSchema(), sort=True)


def test_a_frame_cut_where_a_line_ends_is_refused(tmp_path):
    packed, length = flushed_at_a_line_end()
    assert zstandard.ZstdDecompressor().stream_reader(packed[:length]).read() == PARTS[0]  # a reader sees whole lines
    with pytest.raises(InvalidInput, match="it ends within a frame"):
        read_events(write(tmp_path, "e.csv.zst", packed[:length]), StreamSchema(), sort=True)


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("name", ["e.parquet", "e.arrow"])
def test_a_file_with_an_index_at_its_end_is_refused_when_cut(tmp_path, name, tenth):
    path = tmp_path / name
    FRAME.write_parquet(path) if name == "e.parquet" else FRAME.write_ipc(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * tenth // 10])
    with pytest.raises(InvalidInput, match="torn, or not what its suffix says"):
        read_events(path, StreamSchema(), sort=True)


@pytest.mark.parametrize("look", [propose, lambda path: read_events(path, StreamSchema())])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((f"e.{kind}", b"") for kind in ("csv", "tsv", "jsonl", "parquet", "arrow")),
        *((f"e.{kind}", b"\n \r\n\n") for kind in ("csv", "jsonl")),
        ("e.csv", b"\xef\xbb\xbf"),
        ("e.csv.gz", gzip.compress(b"", mtime=0)),
    ],
)
def test_an_empty_file_is_said_to_be_empty_and_not_to_be_torn(tmp_path, look, name, content):
    with pytest.raises(InvalidInput, match=r"expected at least 1 event, found (an empty file|none); check what wrote"):
        look(write(tmp_path, name, content))


def test_a_packed_file_is_unpacked_once_by_a_read_and_once_by_a_proposal(tmp_path, monkeypatch):
    unpacked = []

    def counted(content, real=gzip.decompress):
        unpacked.append(len(content))
        return real(content)

    monkeypatch.setattr(gzip, "decompress", counted)
    path = write(tmp_path, "e.csv.gz", gzip.compress("größe,src,dst,t\n1,2,3,4\n".encode("latin-1"), mtime=0))
    read_events(path, StreamSchema(features=("größe",)), file=FileFormat(encoding="latin-1"))
    assert len(unpacked) == 1
    assert propose(path).file.encoding == "cp1252"
    assert len(unpacked) == 2


def _zipped(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("events.csv", content)
    return packed.getvalue()


def _written(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (gzip.compress(b"src,dst,t\n1,2,3\n", mtime=0), r"packed by gzip, though its suffix says text; add \.gz"),
        (zstandard.compress(b"src,dst,t\n1,2,3\n"), r"packed by zstd, though its suffix says text; add \.zst"),
        (_zipped("src,dst,t\n1,2,3\n"), "a ZIP file"),
        (_written(FRAME.write_parquet), "Parquet"),
        (_written(FRAME.write_ipc), "Arrow"),
    ],
)
@pytest.mark.parametrize("name", ["e.csv", "e.jsonl", "e.tsv.gz"])
def test_a_file_that_is_no_text_is_told_what_it_is_whatever_its_encoding_is_said_to_be(tmp_path, content, kind, name):
    path = write(tmp_path, name, gzip.compress(content) if name.endswith(".gz") else content)
    for encoding in (None, "latin-1"):
        with pytest.raises(InvalidInput, match=f"it is {kind}"):
            read_events(path, StreamSchema(), file=FileFormat(encoding=encoding))
    with pytest.raises(InvalidInput, match=f"it is {kind}"):
        propose(path)
