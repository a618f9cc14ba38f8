"""Files by content: remembered while they cannot have changed, read again when they can, and never believed blindly."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from seedbed.loop.provenance import _paths, _slow, fingerprint_data
from seedbed.loop.provenance._paths import PathDigests
from seedbed.loop.provenance._slow import Slow
from seedbed.records import UNKNOWN, digest

HOUR = 3600


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "digests"


@pytest.fixture
def later(monkeypatch):
    """An hour later: what is written in a test was written long before."""
    monkeypatch.setattr(_paths.time, "time_ns", lambda now=time.time_ns: now() + HOUR * 10**9)


def reading(path, cache):
    paths = PathDigests(cache)
    return paths.of(path, Slow()).digest, paths.num_read


def test_a_file_is_the_digest_of_its_bytes(tmp_path, cache):
    (tmp_path / "x.bin").write_bytes(b"content")
    found = fingerprint_data(tmp_path / "x.bin", cache=cache)
    assert found.digest == hashlib.sha256(b"content").hexdigest()
    assert (found.source, found.facts) == ("the bytes of a file", {"bytes": 7})
    assert fingerprint_data(str(tmp_path / "x.bin"), cache=cache) == found


def test_a_folder_is_the_digest_of_the_names_and_bytes_of_all_files_below(tmp_path, cache):
    folder = tmp_path / "data"
    for name, text in (("a.txt", "a"), ("sub/b.txt", "b"), ("sub/deep/c", "c")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "link").symlink_to("a.txt")
    (folder / "again").symlink_to("sub")
    names = {"a.txt": "a", "link": "a", **{f"{at}/b.txt": "b" for at in ("sub", "again")}}
    names |= {f"{at}/deep/c": "c" for at in ("sub", "again")}
    found = fingerprint_data(folder, cache=cache)
    assert found.digest == digest({name: hashlib.sha256(text.encode()).hexdigest() for name, text in names.items()})
    assert found.facts == {"files": 6}
    moved = folder.rename(tmp_path / "elsewhere")
    assert fingerprint_data(moved, cache=cache).digest == found.digest
    (moved / "a.txt").rename(moved / "z.txt")
    (moved / "link").unlink()
    assert fingerprint_data(moved, cache=cache).digest != found.digest


@pytest.mark.usefixtures("later")
def test_a_file_that_did_not_change_is_read_once(tmp_path, cache):
    (tmp_path / "x").write_bytes(b"1")
    first = reading(tmp_path / "x", cache)
    assert first == (hashlib.sha256(b"1").hexdigest(), 1)
    assert reading(tmp_path / "x", cache) == (first[0], 0)
    (tmp_path / "x").rename(tmp_path / "y")
    assert reading(tmp_path / "y", cache)[0] == first[0]


def test_a_file_that_was_written_within_the_minute_is_not_remembered(tmp_path, cache):
    (tmp_path / "x").write_bytes(b"1")
    assert reading(tmp_path / "x", cache)[1] == 1
    assert reading(tmp_path / "x", cache)[1] == 1
    assert not cache.exists()


@pytest.mark.usefixtures("later")
def test_the_same_size_and_a_time_that_was_set_back_hide_no_change(tmp_path, cache):
    path = tmp_path / "x"
    path.write_bytes(b"1")
    before = path.stat()
    reading(path, cache)
    path.write_bytes(b"2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_size == before.st_size
    assert reading(path, cache) == (hashlib.sha256(b"2").hexdigest(), 1)


@pytest.mark.usefixtures("later")
def test_another_file_in_its_place_is_read(tmp_path, cache):
    path = tmp_path / "x"
    path.write_bytes(b"1")
    reading(path, cache)
    (tmp_path / "y").write_bytes(b"2")
    (tmp_path / "y").replace(path)
    assert reading(path, cache) == (hashlib.sha256(b"2").hexdigest(), 1)


@pytest.mark.usefixtures("later")
def test_a_torn_or_foreign_line_of_the_cache_counts_for_nothing(tmp_path, cache):
    path = tmp_path / "x"
    path.write_bytes(b"1")
    found = reading(path, cache)[0]
    line = cache.read_text()
    for damaged in (line[:-9], "nonsense\n", f"{line.split()[0]} {'z' * 64}\n"):
        cache.write_text(damaged)
        assert reading(path, cache) == (found, 1)
        cache.unlink()
    cache.write_bytes(b"\xff\xfe")
    assert reading(path, cache)[0] == found


@pytest.mark.usefixtures("later")
def test_the_cache_holds_no_names_is_its_owners_alone_and_begins_anew_when_it_is_large(tmp_path, cache, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        reading(tmp_path / name, cache)
    assert "one" not in cache.read_text()
    assert cache.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(_paths, "_LARGEST_CACHE", 10)
    assert reading(tmp_path / "one", cache)[1] == 1
    assert len(cache.read_text().splitlines()) == 1


@pytest.mark.usefixtures("later")
def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "file").write_text("")
    assert reading(tmp_path / "x", tmp_path / "file" / "cache")[1] == 1


def test_the_default_cache_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _paths._default_cache() == tmp_path / "seedbed" / "file-digests"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert _paths._default_cache() == Path.home() / ".cache" / "seedbed" / "file-digests"


def test_a_file_that_changes_while_it_is_read_is_unknown(tmp_path, cache, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"1")

    def read_and_write(each, slow, content=_paths._content):
        found = content(each, slow)
        each.write_bytes(b"22")
        return found

    monkeypatch.setattr(_paths, "_content", read_and_write)
    found = fingerprint_data(path, cache=cache)
    assert (found.digest, found.source) == (
        UNKNOWN,
        "a file changed while it was read, so its content is not known",
    )


def test_what_is_no_file_and_what_leads_in_a_circle_is_unknown(tmp_path, cache):
    folder = tmp_path / "data"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    assert "neither a file nor a folder" in fingerprint_data(folder, cache=cache).source
    assert "neither a file nor a folder" in fingerprint_data(folder / "pipe", cache=cache).source
    (folder / "pipe").unlink()
    (folder / "up").symlink_to(folder)
    assert "leads back to a folder above it" in fingerprint_data(folder, cache=cache).source
    (folder / "up").unlink()
    (folder / "dangling").symlink_to("nowhere")
    found = fingerprint_data(folder, cache=cache)
    assert (found.digest, found.source) == (UNKNOWN, "a file could not be read (FileNotFoundError)")


def test_only_a_slow_reading_is_told_about(tmp_path, cache, monkeypatch, capsys):
    (tmp_path / "x").write_bytes(b"1" * 3_000_000)
    told: list[str] = []
    fingerprint_data(tmp_path / "x", cache=cache, say=told.append)
    assert told == []
    monkeypatch.setattr(_slow, "_SECONDS", 0.0)
    monkeypatch.setattr(_paths, "_CHUNK", 1_000_000)
    fingerprint_data(tmp_path / "x", cache=cache, say=told.append)
    assert len(told) == 3
    assert told[-1] == "reading the data for its fingerprint: 0.0 GB so far"
    fingerprint_data(tmp_path / "x", cache=cache)
    assert "seedbed: reading the data" in capsys.readouterr().err
