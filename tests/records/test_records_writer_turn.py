import errno
import fcntl
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from records_world import PROJECT, commit, draft

from seedbed.errors import StoreUnavailable
from seedbed.records import Store
from seedbed.records.storage import _numbered_log as numbered_log
from seedbed.records.storage import _writer_turn as turns_module
from seedbed.records.storage._numbered_log import NumberedLog
from seedbed.records.storage._writer_turn import turn


@pytest.fixture(autouse=True)
def _queues_at_once(monkeypatch):
    monkeypatch.setattr(turns_module, "_LOOK_SECONDS", 0)


def held(folder):
    """Whether somebody holds the turn at `folder`."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_a_turn_is_held_within_the_block_and_given_back_after_an_error_too(tmp_path):
    with turn(tmp_path):
        assert held(tmp_path)
    assert not held(tmp_path)
    with pytest.raises(KeyError), turn(tmp_path):
        raise KeyError
    assert not held(tmp_path)


def test_whoever_holds_the_turn_too_long_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(turns_module, "_STILL_SECONDS", 0.01)
    with turn(tmp_path):
        began = time.monotonic()
        with turn(tmp_path):
            assert time.monotonic() - began >= 0.01


@pytest.mark.slow
def test_a_stopped_holder_keeps_nobody_from_committing(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    commit(store, "r1")
    with turn(store.work / "log" / PROJECT):
        assert commit(store, "r2").seq == 2


def test_without_a_folder_there_are_no_turns(tmp_path):
    with turn(tmp_path / "nowhere") as again, turn(tmp_path / "nowhere"):
        again()
    assert list(tmp_path.iterdir()) == []


def test_without_locks_nobody_waits(tmp_path, monkeypatch):
    asked = []

    def refuse(_, how):
        asked.append(how)
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(turns_module.fcntl, "flock", refuse)
    monkeypatch.setattr(turns_module.time, "sleep", None)  # a wait would call it
    before = num_open()
    with turn(tmp_path) as again, turn(tmp_path):
        again()
        assert left_over() == []  # nor stands anybody in a queue
    assert asked == [fcntl.LOCK_EX | fcntl.LOCK_NB] * 3 + [fcntl.LOCK_UN] * 2
    assert num_open() == before


def queue_of(folder):
    """How many wait in the kernel for the lock on `folder`."""
    place = f":{folder.stat().st_ino} "
    return sum(place in line and "->" in line for line in Path("/proc/locks").read_text().splitlines())


def num_open():
    return len(list(Path("/proc/self/fd").iterdir()))


def is_of(link, folder):
    """Whether `link`, of /proc/self/fd, is of `folder`."""
    return link.is_symlink() and link.readlink() == folder


def left_over():
    return [thread for thread in threading.enumerate() if thread.name == "seedbed-turn"]


def waits_until(holds):
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_turns_come_in_the_order_in_which_they_were_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(turns_module, "_STILL_SECONDS", 30)
    order = []

    def take(number):
        with turn(tmp_path):
            order.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
    with turn(tmp_path):
        for number, thread in enumerate(threads, 1):
            thread.start()
            waits_until(lambda number=number: queue_of(tmp_path) == number)
        assert order == []
    for thread in threads:
        thread.join(30)
    assert order == list(range(5))
    assert not held(tmp_path)


def test_a_turn_that_ends_soon_is_taken_without_a_queue(tmp_path, monkeypatch):
    monkeypatch.setattr(turns_module, "_LOOK_SECONDS", 30)
    holder = turn(tmp_path)
    holder.__enter__()
    with monkeypatch.context() as patch:
        patch.setattr(turns_module.time, "sleep", lambda _: holder.__exit__(None, None, None))
        with turn(tmp_path):
            assert held(tmp_path)
            assert left_over() == []
    assert not held(tmp_path)


def test_a_turn_is_waited_for_as_long_as_others_record(tmp_path, monkeypatch):
    monkeypatch.setattr(turns_module, "_STILL_SECONDS", 0.001)
    times = iter([1, 2, 3, 3])
    with turn(tmp_path), monkeypatch.context() as patch:
        patch.setattr(turns_module.os, "fstat", lambda _: SimpleNamespace(st_mtime_ns=next(times)))
        with turn(tmp_path):
            patch.undo()
    assert list(times) == []


def test_who_lost_a_race_without_a_turn_waits_for_it_again(tmp_path, monkeypatch):
    monkeypatch.setattr(turns_module, "_STILL_SECONDS", 0.01)
    holder = turn(tmp_path)
    again_of_holder = holder.__enter__()
    again_of_holder()  # who has it need not wait
    with turn(tmp_path) as again:
        holder.__exit__(None, None, None)
        monkeypatch.setattr(turns_module, "_STILL_SECONDS", 30)
        again()
        assert held(tmp_path)
    assert not held(tmp_path)


def test_a_turn_that_comes_when_nobody_waits_any_more_is_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(turns_module, "_STILL_SECONDS", 0.01)
    with turn(tmp_path):
        for _ in range(3):
            with turn(tmp_path):
                pass
        threads = left_over()
        assert len(threads) == 3
        assert queue_of(tmp_path) == 3
    for thread in threads:
        thread.join(30)
    assert not held(tmp_path)


def test_a_child_that_was_forked_meanwhile_does_not_keep_a_turn_that_comes_too_late(tmp_path, monkeypatch):
    monkeypatch.setattr(turns_module, "_STILL_SECONDS", 0.01)
    copies = []
    with turn(tmp_path):
        with turn(tmp_path):
            (thread,) = left_over()
            # A child has a copy of all that is open; it shares the lock, as these copies do.
            links = [link for link in sorted(Path("/proc/self/fd").iterdir()) if is_of(link, tmp_path)]
            copies = [os.dup(int(link.name)) for link in links]
            assert len(copies) == 3  # the holder's, the one that was waited with, and that in the queue
        assert thread.is_alive()
    thread.join(30)
    assert not held(tmp_path)
    for copy in copies:
        os.close(copy)


def test_a_turn_that_comes_while_its_writer_waits_is_that_writers_whatever_closes(tmp_path, monkeypatch):
    monkeypatch.setattr(turns_module, "_STILL_SECONDS", 30)
    holder, order = turn(tmp_path), []

    def take():
        with turn(tmp_path):
            order.append(held(tmp_path))

    holder.__enter__()
    thread = threading.Thread(target=take)
    thread.start()
    waits_until(lambda: queue_of(tmp_path) == 1)
    holder.__exit__(None, None, None)
    thread.join(30)
    assert order == [True]
    assert not held(tmp_path)


@pytest.mark.parametrize("fault", ["no thread", "no file", "too many"])
def test_who_cannot_wait_goes_on_and_leaves_nothing_open(tmp_path, monkeypatch, fault):
    def refuse(*_):
        raise RuntimeError("can't start new thread") if fault == "no thread" else OSError(errno.EMFILE, "too many")

    with turn(tmp_path):
        before = num_open()
        with monkeypatch.context() as patch:
            if fault == "no thread":
                patch.setattr(threading.Thread, "start", refuse)
            elif fault == "no file":
                patch.setattr(turns_module.os, "dup", refuse)
            else:
                patch.setattr(turns_module, "_queues", threading.BoundedSemaphore(1))
                assert turns_module._queues.acquire(blocking=False)
            with turn(tmp_path):
                assert num_open() == before + 1
        assert num_open() == before
        assert left_over() == []


def test_a_writer_that_loses_too_many_races_says_so(tmp_path, monkeypatch):
    store = Store.open(tmp_path / "store", create=True)
    first = commit(store, "r1")
    log = store.log(PROJECT)
    monkeypatch.setattr(numbered_log, "_MOST_LOST", 3)

    def rival(*_):
        """Another process records first, each time."""
        with monkeypatch.context() as patch:
            patch.setattr(NumberedLog, "publish", publish)
            rivals.append(commit(Store.open(store.work), f"rival{len(rivals)}").seq)
        return False

    rivals: list[int] = []
    publish = NumberedLog.publish
    run = store.start(PROJECT, "r2")
    monkeypatch.setattr(NumberedLog, "publish", rival)
    with pytest.raises(StoreUnavailable, match=f"others recorded first in log/{PROJECT}, 3 times in a row; try again"):
        run.finish(draft("r2"))
    monkeypatch.undo()
    assert rivals == [2, 3, 4]
    assert run.finish(draft("r2")).seq == 5
    assert log.read(1).digest == first.digest
