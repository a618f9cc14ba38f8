import errno
import fcntl
import os
import time

import pytest
from records_world import PROJECT, commit

from seedbed.records import Store
from seedbed.records.storage import _writer_turn as turns_module
from seedbed.records.storage._writer_turn import turn


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
    monkeypatch.setattr(turns_module, "_MAX_WAIT_SECONDS", 0.01)
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


def test_without_a_folder_or_without_locks_there_are_no_turns(tmp_path, monkeypatch):
    with turn(tmp_path / "nowhere"):
        pass

    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(turns_module.fcntl, "flock", refuse)
    with turn(tmp_path):
        pass
