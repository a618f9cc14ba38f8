"""One contract for whatever holds a store, run over all there is."""

import errno
import itertools
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from records_lossy_server import hangs_up, refuses

from seedbed.errors import InvalidInput, StoreCorrupt, StoreUnavailable
from seedbed.records import Journal, LocalFiles, read_journal, read_json_with_hash
from seedbed.records.journal._tail import read_tail
from seedbed.records.storage import _local
from seedbed.records.storage._cloud import CloudFiles, open_cloud
from seedbed.records.storage._files import Unreadable
from seedbed.testing import FilesContract

if TYPE_CHECKING:
    from obstore.store import RetryConfig


class TestLocalFiles(FilesContract):
    @pytest.fixture
    def files(self, tmp_path):
        return LocalFiles(tmp_path)

    @pytest.fixture
    def again(self, tmp_path):
        return LocalFiles(tmp_path)


class TestLocalFilesAsOverNfs(FilesContract):
    """No unnamed files, and every other reply to `link` lost, so that it is sent again and finds what it made."""

    @pytest.fixture
    def files(self, tmp_path, monkeypatch):
        real_open, real_link, calls = os.open, os.link, itertools.count()

        def open_(path, flags, *arguments, **options):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            return real_open(path, flags, *arguments, **options)

        def link(*arguments, **options):
            real_link(*arguments, **options)
            if next(calls) % 2:
                raise FileExistsError(errno.EEXIST, "File exists")

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(os, "link", link)
        return LocalFiles(tmp_path)

    @pytest.fixture
    def again(self, tmp_path):
        return LocalFiles(tmp_path)


class TestCloudFiles(FilesContract):
    @pytest.fixture
    def files(self, bucket):
        return open_cloud(bucket)

    @pytest.fixture
    def again(self, bucket, files):
        return open_cloud(bucket)


class TestCloudFilesInMemory(FilesContract):
    @pytest.fixture
    def files(self):
        from obstore.store import MemoryStore

        return CloudFiles(MemoryStore(), "memory://")

    @pytest.fixture
    def again(self, files):
        return files


def test_what_cannot_be_read_is_no_missing_file(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("folder", "loop"):
        with pytest.raises(Unreadable, match="move away what stands in its place"):
            LocalFiles(tmp_path).read(name)


class FaultyEntry:
    """An entry of a folder that the disk no longer gives."""

    name = "commit.json"

    def is_dir(self):
        raise OSError(errno.EIO, "Input/output error")

    stat = is_dir


def test_a_file_that_cannot_be_looked_at_is_listed_as_new_and_hides_nothing(tmp_path, monkeypatch):
    entry: Any = FaultyEntry()
    with pytest.raises(OSError, match="Input/output error"):
        _local._is_folder(entry)
    before = datetime.now(UTC)
    [found] = _local._stored("commit.json", entry)
    assert found.modified >= before, "nobody knows its age, so no sweep may take it"
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x")
    look, broken = _local._looked_at, entry

    def faulty(entry: Any):
        return look(broken if entry.name == "b" else entry)

    monkeypatch.setattr(_local, "_looked_at", faulty)
    monkeypatch.setattr(FaultyEntry, "is_symlink", lambda self: False, raising=False)
    assert [(item.key, item.size_bytes) for item in LocalFiles(tmp_path).list("")] == [("a", 1), ("b", 0), ("c", 1)]


def test_what_cannot_be_listed_is_no_empty_folder(tmp_path, monkeypatch):
    def scanned(folder):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(_local.os, "scandir", scanned)
    with pytest.raises(StoreUnavailable, match=r"cannot list .*: Input/output error; repair the mount"):
        list(LocalFiles(tmp_path).list("runs"))


def test_a_link_to_itself_or_a_pipe_is_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    files = LocalFiles(tmp_path)
    assert [item.key for item in files.list("")] == ["loop", "pipe"]
    assert [list(files.list(name)) for name in ("loop", "pipe")] == [[], []]
    with pytest.raises(Unreadable, match="it is no regular file; move away what stands in its place"):
        files.read("pipe")


@pytest.mark.parametrize(
    ("fault", "is_whole"), [(name, name != "ELOOP") for name in ("EACCES", "EIO", "EBADMSG", "EUCLEAN", "ELOOP")]
)
def test_after_any_fault_but_a_link_to_itself_the_bytes_may_be_whole(tmp_path, monkeypatch, fault, is_whole):
    def failed(path):
        raise OSError(getattr(errno, fault), fault)

    monkeypatch.setattr(_local, "_read", failed)
    with pytest.raises(Unreadable, match=fault) as refused:
        LocalFiles(tmp_path).read("commit.json")
    assert refused.value.is_whole is is_whole


@pytest.mark.parametrize("kind", ["a named pipe", "a folder", "a link to itself"])
def test_what_is_no_file_is_the_damage_of_that_file_alone_and_nobody_waits_for_it(tmp_path, kind):
    path = tmp_path / "events.log"
    make = {
        "a named pipe": lambda: os.mkfifo(path),
        "a folder": path.mkdir,
        "a link to itself": lambda: path.symlink_to(path.name),
    }
    make[kind]()
    reads = {
        "a file of a store": lambda: LocalFiles(tmp_path).read("events.log"),
        "a journal": lambda: read_journal(path),
        "a document": lambda: read_json_with_hash(path),
        "a tail": lambda: read_tail(tmp_path / "x.log"),
    }
    (tmp_path / "x.tail").symlink_to("events.log")
    for read in reads.values():
        with pytest.raises(StoreCorrupt, match=r"cannot read .*; move away what stands in its place"):
            read()
    with pytest.raises((StoreCorrupt, StoreUnavailable), match=r"events\.log"):
        Journal.open(path)


def test_a_file_that_another_machine_replaced_while_it_was_read_is_read_again(tmp_path, monkeypatch):
    (tmp_path / "view").write_bytes(b"new")
    stale = [OSError(errno.ESTALE, "Stale file handle")]

    read_once = _local._read_once

    def read_stale(path):
        if stale:
            raise stale.pop()
        return read_once(path)

    monkeypatch.setattr(_local, "_read_once", read_stale)
    assert LocalFiles(tmp_path).read("view") == b"new"
    stale += [OSError(errno.ESTALE, "Stale file handle")] * 8
    assert LocalFiles(tmp_path).read("view") == b"new"
    stale += [OSError(errno.ESTALE, "Stale file handle")] * 9
    with pytest.raises(StoreUnavailable, match="Stale file handle"):
        LocalFiles(tmp_path).read("view")


def test_a_file_that_vanishes_while_it_is_listed_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "gone").write_bytes(b"x")
    (tmp_path / "here").write_bytes(b"x")
    real = _local._children

    def children(folder):
        found = real(folder)
        (tmp_path / "gone").unlink()
        return found

    monkeypatch.setattr(_local, "_children", children)
    assert [item.key for item in LocalFiles(tmp_path).list("")] == ["here"]


def test_a_link_that_leads_nowhere_takes_its_name_and_is_listed(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    assert [item.key for item in LocalFiles(tmp_path).list("")] == ["link"]


@pytest.mark.parametrize("url", ["gs://bucket/x", "s3://", "s3://key:secret@bucket/x", "s3://bucket/x?token=secret"])
def test_a_url_of_another_form_is_refused_without_repeating_a_secret(url):
    with pytest.raises(InvalidInput, match="s3://bucket/prefix") as refused:
        open_cloud(url)
    assert "secret@" not in str(refused.value)
    assert "token" not in str(refused.value)


def test_a_put_that_finds_its_own_bytes_was_the_one_that_put_them(bucket):
    files = open_cloud(bucket)
    files.create("commit", b"attempt 1 of r1")  # the answer to which was lost, so that the client sent it again
    files.create("commit", b"attempt 1 of r1")
    with pytest.raises(FileExistsError):
        files.create("commit", b"attempt 2 of r1")
    large = os.urandom(2**20 + 1)
    files.create("blob", large)
    with pytest.raises(FileExistsError):
        files.create("blob", large)


@pytest.mark.slow
@pytest.mark.parametrize("answer", [refuses, hangs_up])
def test_a_put_whose_answer_is_lost_is_found_to_have_been_made(bucket, lossy, answer):
    files = open_cloud(bucket)
    files.create("first", b"")  # before which the process tries whether the service knows conditions
    lossy.lose(1, answer)
    files.create("commit", b"attempt 1 of r1")
    assert lossy.puts == 2  # the client sent it again, and was told that the key is taken: by itself
    assert files.read("commit") == b"attempt 1 of r1"


@pytest.mark.slow
@pytest.mark.parametrize("answer", [refuses, hangs_up])
def test_a_put_whose_answer_is_lost_does_not_win_over_who_was_first(bucket, lossy, answer):
    files = open_cloud(bucket)
    files.create("commit", b"attempt 2 of r1")
    lossy.lose(1, answer)
    with pytest.raises(FileExistsError):
        files.create("commit", b"attempt 1 of r1")
    assert files.read("commit") == b"attempt 2 of r1"


def test_a_service_that_is_not_there_is_unavailable_and_says_what_to_look_at(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    from obstore.store import S3Store

    at_once: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(seconds=1)}
    files = CloudFiles(S3Store.from_url(bucket, client_options={"allow_http": True}, retry_config=at_once), bucket)
    for call in (
        lambda: files.read("k"),
        lambda: files.create("k", b""),
        lambda: files.replace("k", b""),
        lambda: files.remove("k"),
        lambda: list(files.list("")),
    ):
        with pytest.raises(StoreUnavailable, match="check the service"):
            call()


@pytest.mark.parametrize(("url", "checksum"), [("s3://bucket/x", "sha0"), ("s3://buck et/x", "sha256")])
def test_settings_that_the_client_refuses_are_named(monkeypatch, url, checksum):
    monkeypatch.setenv("AWS_CHECKSUM_ALGORITHM", checksum)
    with pytest.raises(InvalidInput, match=r"cannot be opened: .*(checksum|invalid domain)"):
        open_cloud(url)


def test_plain_http_is_for_this_machine_only(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://storage.example")
    with pytest.raises((StoreUnavailable, InvalidInput), match=r"(?i)http"):
        open_cloud(bucket).read("k")
