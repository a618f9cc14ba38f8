import contextlib
import errno
import os
import random
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from records_power import Disk, states

import seedbed
from seedbed.errors import StoreUnavailable
from seedbed.records.storage import AppendFile, _durable, create, replace
from seedbed.records.storage._durable import _may_be_new, mapped, remove, set_aside
from seedbed.testing import durable_faults, fails_with

ERRORS = [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EMFILE]


def test_create_publishes_whole_and_in_order(tmp_path):
    create(tmp_path / "warm", b"")
    with durable_faults() as calls:
        create(tmp_path / "file", b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"
    # The file's bytes are synced before it has a name, and the name before anyone is told.
    assert calls == ["open", "open", "write", "fsync", "link", "fsync"]


@pytest.fixture
def synced(monkeypatch):
    """The paths of what is synced, in order."""
    real, paths = os.fsync, []

    def fsync(descriptor):
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return paths


def test_create_makes_new_folders_durable_too(tmp_path, synced):
    create(tmp_path / "warm", b"")
    synced.clear()
    create(tmp_path / "a" / "b" / "file", b"x")
    folders = [path for path in synced if path.is_dir()]
    assert folders == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]


@pytest.mark.parametrize("publish", [create, replace, lambda path, _: AppendFile.open(path).close()])
def test_folders_whose_maker_may_have_died_are_made_durable_once(tmp_path, synced, publish):
    create(tmp_path / "warm", b"")
    (tmp_path / "a" / "b").mkdir(parents=True)  # by another process, which synced nothing
    synced.clear()
    publish(tmp_path / "a" / "b" / "file", b"x")
    assert [path for path in synced if path.is_dir()] == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    synced.clear()
    publish(tmp_path / "a" / "b" / "other", b"x")
    assert [path for path in synced if path.is_dir()] == [tmp_path / "a" / "b"]


def test_a_folder_that_was_taken_away_is_made_durable_again(tmp_path, synced):
    create(tmp_path / "a" / "file", b"x")
    (tmp_path / "a" / "file").unlink()
    (tmp_path / "a").rmdir()
    synced.clear()
    create(tmp_path / "a" / "file", b"x")
    assert tmp_path in synced


@pytest.mark.parametrize("how", ["in their place", "beside them"])  # often with the same inodes, and with others
def test_folders_that_another_process_made_again_are_made_durable_again(tmp_path, synced, how):
    create(tmp_path / "a" / "b" / "file", b"x")
    if how == "beside them":
        (tmp_path / "copy" / "b").mkdir(parents=True)
    shutil.rmtree(tmp_path / "a")
    if how == "beside them":
        (tmp_path / "copy").rename(tmp_path / "a")
    else:
        (tmp_path / "a" / "b").mkdir(parents=True)
    synced.clear()
    create(tmp_path / "a" / "b" / "file", b"x")
    assert [path for path in synced if path.is_dir()] == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]


def test_what_is_remembered_of_folders_is_bounded_and_nothing_depends_on_it(tmp_path, synced, monkeypatch):
    monkeypatch.setattr(_durable, "_MOST_REMEMBERED", 8)
    monkeypatch.setattr(_durable, "_DURABLE_FOLDERS", {})
    for number in range(20):
        create(tmp_path / str(number) / "file", b"x")
        assert len(_durable._DURABLE_FOLDERS) <= 8
    synced.clear()
    create(tmp_path / "0" / "other", b"x")
    assert tmp_path in synced  # again, since that was forgotten


@pytest.fixture
def _few_unsynced(monkeypatch):
    monkeypatch.setattr(_durable, "_MOST_REMEMBERED", 2)
    for name, kind in (("_UNSYNCED", dict), ("_UNSYNCABLE", set)):
        monkeypatch.setattr(_durable, name, kind())


def claim(folder):
    create(folder / "claim", b"whole", durable=False)


@pytest.mark.usefixtures("_few_unsynced")
def test_of_too_many_folders_with_unsynced_files_the_oldest_are_synced(tmp_path, synced):
    for number in range(4):
        claim(tmp_path / str(number))
    assert synced == [tmp_path / "0" / "claim", tmp_path / "1" / "claim"]
    assert list(_durable._UNSYNCED) == [tmp_path / "2", tmp_path / "3"]
    for number in (0, 3):
        create(tmp_path / str(number) / "durable", b"x")
    assert [path for path in synced if path.name == "claim"] == [tmp_path / name / "claim" for name in ("0", "1", "3")]
    assert list(_durable._UNSYNCED) == [tmp_path / "2"]


@pytest.mark.usefixtures("_few_unsynced")
def test_of_too_many_folders_one_that_is_gone_is_forgotten(tmp_path, synced):
    claim(tmp_path / "0")
    shutil.rmtree(tmp_path / "0")
    for number in (1, 2):
        claim(tmp_path / str(number))
    assert synced == []
    assert list(_durable._UNSYNCED) == [tmp_path / "1", tmp_path / "2"]


@pytest.mark.usefixtures("_few_unsynced")
@pytest.mark.parametrize("at", ["open", "fsync"])
def test_of_too_many_folders_one_that_cannot_be_synced_is_told_where_it_matters(tmp_path, at):
    for number in range(2):
        claim(tmp_path / str(number))
    with durable_faults() as calls:
        claim(tmp_path / "2")
    assert calls[-3:] == ["open", "open", "fsync"]  # of the folder, the oldest claim, and its bytes
    place = len(calls) - 2 * (at == "open")
    with durable_faults(place, fails_with(errno.EIO)) as calls:
        claim(tmp_path / "3")  # nothing is wrong with this one
    assert calls[-1] == at
    if at == "fsync":
        with pytest.raises(StoreUnavailable, match="an earlier sync of a file in its folder failed"):
            create(tmp_path / "1" / "durable", b"x")
    else:
        assert tmp_path / "1" in _durable._UNSYNCED
        create(tmp_path / "1" / "durable", b"x")
    assert tmp_path / "1" not in _durable._UNSYNCED


def test_a_folder_that_could_not_be_made_durable_is_not_taken_for_durable(tmp_path, synced):
    create(tmp_path / "warm", b"")
    (tmp_path / "a").mkdir()
    with durable_faults(3, fails_with(errno.EIO)) as calls, pytest.raises(StoreUnavailable):
        create(tmp_path / "a" / "file", b"x")
    assert calls == ["open", "open", "fsync"]
    synced.clear()
    create(tmp_path / "a" / "file", b"x")
    assert synced[0] == tmp_path


def test_folders_that_no_writer_could_have_made_are_left_alone(tmp_path, synced, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path.parent)
    (tmp_path / "a").mkdir()
    create(tmp_path / "a" / "file", b"x")
    assert [path for path in synced if path.is_dir()] == [tmp_path, tmp_path / "a"]


def test_a_mounts_own_folder_is_no_name_in_what_it_is_mounted_on():
    assert not _may_be_new(Path("/proc"))
    assert not _may_be_new(Path("/"))


def test_create_never_overwrites(tmp_path):
    create(tmp_path / "file", b"first")
    with pytest.raises(FileExistsError):
        create(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"


def test_a_taken_name_is_durable_before_the_caller_builds_on_it(tmp_path):
    create(tmp_path / "file", b"first")
    with durable_faults() as calls, pytest.raises(FileExistsError):
        create(tmp_path / "file", b"second")
    assert calls[-2:] == ["link", "fsync"]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("at", range(1, 7))
def test_a_create_that_fails_says_so_and_leaves_nothing_or_the_whole(tmp_path, at, error):
    create(tmp_path / "warm", b"")
    says = re.escape(f"cannot create {tmp_path / 'file'}: {os.strerror(error)}; nothing was acknowledged")
    with durable_faults(at, fails_with(error)), pytest.raises(StoreUnavailable, match=says):
        create(tmp_path / "file", b"whole")
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert left in ({"warm": b""}, {"warm": b"", "file": b"whole"})


def test_without_unnamed_files_create_is_still_create_only(tmp_path):
    create(tmp_path / "a", b"")
    (tmp_path / "a").unlink()
    with durable_faults(2, fails_with(errno.EOPNOTSUPP)) as calls:
        create(tmp_path / "a", b"whole")
    assert calls[1:] == ["open", "open", "write", "fsync", "link", "unlink", "fsync"]
    with durable_faults(2, fails_with(errno.EOPNOTSUPP)), pytest.raises(FileExistsError):
        create(tmp_path / "a", b"other")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"whole")]


@pytest.mark.parametrize("error", [errno.EEXIST, errno.EIO, errno.ETIMEDOUT])
def test_a_link_whose_reply_was_lost_is_seen_to_have_been_made(tmp_path, monkeypatch, error):
    create(tmp_path / "warm", b"")
    real = os.link

    def link(*args, **options):
        real(*args, **options)
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "link", link)
    with durable_faults(2, fails_with(errno.EOPNOTSUPP)) as calls:
        create(tmp_path / "file", b"whole")
    assert calls[-2:] == ["unlink", "fsync"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"warm": b"", "file": b"whole"}


def test_a_file_system_without_hard_links_is_named_as_such(tmp_path, monkeypatch):
    create(tmp_path / "warm", b"")
    monkeypatch.setattr(os, "link", lambda *_, **__: fails_with(errno.EPERM)())
    with (
        durable_faults(2, fails_with(errno.EOPNOTSUPP)),
        pytest.raises(StoreUnavailable, match="has no hard links"),
    ):
        create(tmp_path / "file", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["warm"]


def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    create(tmp_path / "file", b"a longer text")
    assert (tmp_path / "file").read_bytes() == b"a longer text"
    file = AppendFile.open(tmp_path / "log")
    file.append(b"a longer record")
    file.close()
    assert (tmp_path / "log").read_bytes() == b"a longer record"


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("at", range(1, 7))
def test_a_replace_that_fails_leaves_the_old_or_the_new_whole(tmp_path, at, error):
    replace(tmp_path / "file", b"old")
    with durable_faults(at, fails_with(error)) as calls, pytest.raises(StoreUnavailable):
        replace(tmp_path / "file", b"new")
    assert calls[:at] == ["open", "open", "write", "fsync", "replace", "fsync"][:at]
    assert (tmp_path / "file").read_bytes() == (b"new" if at == 6 else b"old")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_view_is_replaced_without_waiting_for_the_disk(tmp_path):
    for name, expected in (("view", []), ("a/b/view", ["open", "mkdir", "mkdir", "mkdir"])):
        with durable_faults() as calls:
            replace(tmp_path / name, b"x", durable=False)
        assert calls == [*expected, "open", "write", "replace"]
    # What is durable in a folder that a view made does not trust the folder.
    with durable_faults() as calls:
        create(tmp_path / "a" / "b" / "file", b"x")
    assert calls.count("fsync") >= 4


@pytest.mark.parametrize("at", range(1, 4))
def test_a_view_that_cannot_be_replaced_stays_as_it_was(tmp_path, at):
    replace(tmp_path / "view", b"old", durable=False)
    with durable_faults(at, fails_with(errno.ENOSPC)), pytest.raises(StoreUnavailable, match="cannot replace"):
        replace(tmp_path / "view", b"new", durable=False)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("view", b"old")]


@pytest.mark.parametrize("kind", ["a folder", "a file above it", "a link to itself above it", "a named pipe"])
def test_what_stands_in_the_place_of_a_file_is_to_be_moved_away(tmp_path, kind):
    path = tmp_path / "log" if kind in ("a folder", "a named pipe") else tmp_path / "above" / "log"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a file above it":
        path.parent.write_bytes(b"")
    elif kind == "a link to itself above it":
        path.parent.symlink_to("above")
    else:
        os.mkfifo(path)
    write = AppendFile.open if kind == "a named pipe" else lambda at: replace(at, b"view", durable=False)
    with pytest.raises(StoreUnavailable, match="move away what stands in its place"):
        write(path)


@pytest.mark.parametrize("write", [AppendFile.open, lambda path: mapped(path, 8)])
def test_a_named_pipe_that_somebody_reads_is_neither_written_to_nor_deleted(tmp_path, write):
    path = tmp_path / "log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(StoreUnavailable, match="it is no regular file; nothing was acknowledged; move away what stand"):
        write(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.close(reader)
    assert path.is_fifo()


def test_a_removal_spares_what_was_written_since_however_late(tmp_path, monkeypatch):
    path = tmp_path / "blob"
    path.write_bytes(b"old")
    old, after = datetime.fromtimestamp(1000, UTC), datetime.fromtimestamp(2000, UTC)
    os.utime(path, (1000, 1000))
    real = os.replace
    written_meanwhile = [b"anew"]

    def write_first(*args, **options):
        if written_meanwhile:
            path.write_bytes(written_meanwhile.pop())  # between the look at its time and the taking away
        real(*args, **options)

    monkeypatch.setattr(os, "replace", write_first)
    assert not remove(path, unless_since=after)
    assert path.read_bytes() == b"anew"
    with durable_faults() as calls:
        assert not remove(path, unless_since=old)
    assert calls == ["open"]  # what is young is not even taken away for a moment
    os.utime(path, (1000, 1000))
    assert remove(path, unless_since=after)
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_at_the_very_moment_was_written_since(tmp_path, monkeypatch):
    path = tmp_path / "blob"
    path.write_bytes(b"new")
    os.utime(path, (1000, 1000))
    with durable_faults() as calls:
        assert not remove(path, unless_since=datetime.fromtimestamp(1000, UTC))
    assert calls == ["open"]
    looks = iter([999, 1000])
    monkeypatch.setattr(os, "stat", lambda *_, **__: os.stat_result([0] * 8 + [next(looks), 0]))
    assert not remove(path, unless_since=datetime.fromtimestamp(1000, UTC))
    monkeypatch.undo()
    assert path.read_bytes() == b"new"


def test_a_removal_leaves_what_came_in_place_of_what_it_took_away(tmp_path, monkeypatch):
    path = tmp_path / "blob"
    path.write_bytes(b"new")
    real = os.stat
    seen = []

    def stat(name, **options):
        seen.append(name)
        if len(seen) == 1:  # it looks old, until it is looked at under a name of its own
            return os.stat_result([0] * 10)
        path.write_bytes(b"newest")
        return real(name, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert not remove(path, unless_since=datetime.fromtimestamp(1000, UTC))
    monkeypatch.undo()
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("blob", b"newest")]


def test_a_temporary_name_that_is_taken_is_never_written_to(tmp_path, monkeypatch):
    create(tmp_path / "warm", b"")
    (tmp_path / ".tmp-same").write_bytes(b"another writer's")
    monkeypatch.setattr("secrets.token_hex", lambda _: "same")
    with pytest.raises(FileExistsError):
        replace(tmp_path / "file", b"x")
    assert (tmp_path / ".tmp-same").read_bytes() == b"another writer's"


@pytest.mark.parametrize("refused", [0, 2])
def test_nothing_is_left_open(tmp_path, refused):
    create(tmp_path / "warm", b"")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(2):
        with durable_faults(refused, fails_with(errno.EOPNOTSUPP)), contextlib.suppress(FileExistsError):
            create(tmp_path / "file", b"x")
    replace(tmp_path / "view", b"x", durable=False)
    AppendFile.open(tmp_path / "log").close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_cut_is_durable_before_anything_is_appended(tmp_path, synced):
    file = AppendFile.open(tmp_path / "log")
    file.append(b"whole, torn")
    synced.clear()
    file.cut(5)
    file.close()
    assert synced == [tmp_path / "log"]


def test_an_append_file_is_born_durable_and_grows(tmp_path):
    with durable_faults() as calls:
        file = AppendFile.open(tmp_path / "log")
    assert calls[-2:] == ["open", "fsync"]
    file.append(b"one")
    file.append(b"two")
    file.sync()
    file.cut(4)
    file.append(b"!")
    file.close()
    assert (tmp_path / "log").read_bytes() == b"onet!"


@pytest.mark.parametrize("doing", ["append", "sync"])
def test_a_failed_call_on_an_append_file_is_final(tmp_path, doing):
    file = AppendFile.open(tmp_path / "log")
    with durable_faults(1, fails_with(errno.EIO)), pytest.raises(StoreUnavailable):
        file.append(b"x") if doing == "append" else file.sync()
    with durable_faults() as calls, pytest.raises(StoreUnavailable, match="earlier durable call"):
        file.sync()
    assert calls == []  # never tried again: the kernel may claim success for pages it dropped
    file.close()


@pytest.mark.parametrize("call", [AppendFile.sync, lambda file: file.append(b"y"), lambda file: file.cut(0)])
def test_an_interrupt_does_not_make_an_error_of_the_disk_forgotten(tmp_path, monkeypatch, call):
    file = AppendFile.open(tmp_path / "log")
    file.append(b"x")

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, durable_faults(1, fails_with(errno.EIO)):
        patched.setattr(_durable, "_unavailable", interrupted)  # while the error of the disk is put into words
        with pytest.raises(KeyboardInterrupt):
            call(file)
    with pytest.raises(StoreUnavailable, match="earlier durable call"):
        file.sync()


@pytest.mark.parametrize("handled", [None, FileNotFoundError(errno.ENOENT, "a file of the caller's")])
@pytest.mark.parametrize("call", [AppendFile.sync, lambda file: file.append(b"y"), lambda file: file.cut(0)])
def test_an_interrupt_alone_is_no_error_of_the_disk(tmp_path, call, handled):
    file = AppendFile.open(tmp_path / "log")

    def interrupted(*_):
        raise KeyboardInterrupt

    def called():
        try:
            if handled:
                raise handled
            call(file)
        except FileNotFoundError:
            call(file)

    with durable_faults(1, interrupted), pytest.raises(KeyboardInterrupt):
        called()
    file.append(b"x")
    file.sync()
    assert (tmp_path / "log").read_bytes() == b"x"


def test_a_closed_append_file_refuses(tmp_path):
    file = AppendFile.open(tmp_path / "log")
    file.close()
    file.close()
    with pytest.raises(StoreUnavailable, match="it is closed"):
        file.append(b"x")


@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_append_file_that_cannot_be_born_leaves_no_descriptor(tmp_path, at):
    create(tmp_path / "warm", b"")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with durable_faults(at, fails_with(errno.EMFILE)), pytest.raises(StoreUnavailable):
        AppendFile.open(tmp_path / "log")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("fault", [None, fails_with(errno.EOPNOTSUPP)], ids=["unnamed", "named"])
def test_files_are_readable_by_all_and_writable_by_their_owner(tmp_path, fault):
    create(tmp_path / "warm", b"")
    with durable_faults(2 if fault else 0, fault or fails_with(0)):
        create(tmp_path / "created", b"")
    replace(tmp_path / "replaced", b"")
    AppendFile.open(tmp_path / "appended").close()
    umask = os.umask(0)
    os.umask(umask)
    for name in ("created", "replaced", "appended"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o644 & ~umask


def test_the_name_that_a_removal_set_aside_is_known_again():
    assert set_aside(".tmp-0123456789abcdef-name") == "name"
    assert set_aside(".tmp-0123456789abcdef") is None


def test_only_one_file_makes_bytes_durable():
    calls = re.compile(r"\bos\.(fsync|fdatasync|link|replace|rename|renames|truncate|ftruncate)\b|\.rename\(")
    root = Path(seedbed.__file__).parent
    found = {path.name for path in root.rglob("*.py") if calls.search(path.read_text())}
    assert found == {"_durable.py"}


def test_what_was_created_without_a_sync_is_durable_with_the_first_durable_file_beside_it(tmp_path):
    disk = Disk(tmp_path)
    with disk.recording():
        create(tmp_path / "f" / "claim", b"whole", durable=False)
        begun = len(disk.calls)
        create(tmp_path / "g" / "elsewhere", b"")
        elsewhere = len(disk.calls)
        create(tmp_path / "f" / "beside", b"")
    for upto in (begun, elsewhere):
        left = {tree.get("f/claim", b"gone") for tree in states(disk, upto, random.Random(0), 0)}
        assert left == {b"gone", b"", b"wh", bytes(5), b"whole"}
    for upto in range(elsewhere, len(disk.calls) + 1):
        for tree in states(disk, upto, random.Random(0), 4):
            assert "f/beside" not in tree or tree.get("f/claim", b"whole") == b"whole"
    for tree in states(disk, len(disk.calls), random.Random(0), 4):
        assert (tree["f/claim"], tree["f/beside"]) == (b"whole", b"")


def test_what_could_not_be_synced_later_is_never_taken_for_durable(tmp_path):
    create(tmp_path / "f" / "before", b"")
    create(tmp_path / "f" / "claim", b"whole", durable=False)
    with durable_faults() as calls:
        create(tmp_path / "f" / "gone", b"whole", durable=False)
    assert "fsync" not in calls
    (tmp_path / "f" / "gone").unlink()  # which hinders nothing
    with durable_faults(3, fails_with(errno.EIO)) as calls, pytest.raises(StoreUnavailable):
        create(tmp_path / "f" / "first", b"")
    assert calls == ["open", "open", "fsync"]  # of the folder, whose name is durable already, and of the claim
    with pytest.raises(StoreUnavailable, match="an earlier sync of a file in its folder failed"):
        create(tmp_path / "f" / "second", b"")
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == ["before", "claim"]
