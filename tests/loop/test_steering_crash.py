"""A run that is killed at any durable call between a request and its answer, and resumed, gives one true answer."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from steering_world import RUN, Training, post_of

from seedbed.contracts import RunStatus
from seedbed.errors import Conflict, SeedbedError, StoreUnavailable
from seedbed.loop import steering
from seedbed.loop.steering import AnswerState, RemoteRun
from seedbed.loop.steering._desk import Desk
from seedbed.loop.steering._post import Post
from seedbed.records import Store
from seedbed.records._status import read_status, write_status
from seedbed.testing import FakeClock

HERE = Path(__file__).parent


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


def states(store, number):
    return [(each.state.value, each.is_final, each.attempt) for each in post_of(store).answers_to(number)]


def lose(training):
    """End the attempt as a kill does: nothing more is written, and another attempt may begin."""
    training.run.interrupted("as by a kill")


@pytest.mark.slow
def test_killed_at_any_durable_call_each_request_has_one_final_answer_and_it_is_true(tmp_path):
    """Every seventh call, and a few pairs of kills; `--every 1 --twice 100` takes all of them, in minutes."""
    command = [sys.executable, HERE / "steering_crash_program.py", tmp_path, "--every", "7", "--twice", "6"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["calls"] > 150
    assert found["stories"] > 25
    assert found["stories"] > found["by_the_run"] > 20


def test_a_change_that_a_resume_loses_is_carried_out_again_and_told(store):
    training = Training(store)
    training.train(2, every=2)
    steering.propose(RUN, "lr", set=0.3, why="x", store=store)
    training.train(5)
    assert training.used == pytest.approx([0.1] * 3 + [0.3] * 2)
    lose(training)
    again = Training(store)
    assert (again.step, again.optimizer.param_groups[0]["lr"]) == (2, 0.1)
    again.train(6)
    assert again.used == pytest.approx([0.1] * 3 + [0.3] * 3)
    again.finish()
    assert states(store, 1) == [
        ("APPLIED", False, 1),
        ("EFFECTIVE", False, 1),
        ("SUPERSEDED", False, 2),
        ("APPLIED", False, 2),
        ("EFFECTIVE", False, 2),
        ("EFFECTIVE", True, 2),
    ]


def test_a_change_that_the_checkpoint_holds_is_not_carried_out_again(store):
    training = Training(store)
    training.train(2)
    steering.propose(RUN, "lr", scale=0.5, why="x", store=store)
    training.train(4, every=4)
    lose(training)
    again = Training(store)
    again.train(6)
    assert again.used == pytest.approx([0.1] * 3 + [0.05] * 3)
    assert len(again.engine.history.records) == 1
    again.finish()
    assert states(store, 1)[-1] == ("EFFECTIVE", True, 2)


def test_a_change_whose_answer_was_lost_with_the_process_is_told_by_the_journal(store):
    training = Training(store)
    training.train(2)
    steering.propose(RUN, "lr", scale=0.5, why="x", store=store)
    training.train(4, every=4)
    for item in list(store.files.list(post_of(store).answers)):
        store.files.remove(item.key)  # as if it had died between the journal and the answer
    lose(training)
    again = Training(store)
    again.train(6)
    assert states(store, 1) == [("EFFECTIVE", False, 2)]
    assert again.used[-1] == pytest.approx(0.05)


def test_a_change_that_was_withdrawn_after_it_was_made_is_not_repeated_by_a_resume(store):
    training = Training(store)
    training.train(2, every=2)
    steering.propose(RUN, "lr", set=0.9, why="it diverges", store=store)
    training.train(4)
    steering.withdraw(RUN, 1, store=store)
    training.train(5)
    assert training.used[-1] == pytest.approx(0.9)
    assert states(store, 2) == [("DONE", True, 1)]
    lose(training)
    again = Training(store)
    again.train(5)
    assert again.used == pytest.approx([0.1] * 5)
    assert states(store, 1)[-1] == ("WITHDRAWN", True, 2)


def test_a_checkpoint_that_is_loaded_within_the_process_loses_no_request(store):
    training = Training(store)
    training.train(2, every=2)
    steering.propose(RUN, "lr", set=0.3, why="x", store=store)
    training.train(5)
    training.resumed = training._resume()
    training.train(6)
    assert training.used == pytest.approx([0.1] * 3 + [0.3] * 3)
    assert [state for state, _, _ in states(store, 1)][-3:] == ["EFFECTIVE", "SUPERSEDED", "EFFECTIVE"]


def test_two_processes_that_answer_at_once_leave_one_final_answer(store):
    training = Training(store)
    training.train(1)
    steering.ask(RUN, "checkpoint", store=store)
    (asked,) = training.steering.look(1)
    post = post_of(store)
    other = Desk(post, 2, store.clock)
    other.end(1, AnswerState.UNKNOWN, "attempt 1 is gone", 1)
    training.steering.done(asked, 1, "saved")
    assert states(store, 1) == [("UNKNOWN", True, 2)]


def test_a_process_that_was_thought_dead_answers_nothing_once_another_attempt_has_begun(store):
    clock = FakeClock(datetime.now(UTC))
    store.clock = clock
    stopped = Training(store)
    stopped.train(2)
    write_status(store.files, post_of(store).folder, last_status(store).ended(RunStatus.INTERRUPTED, "", clock.now()))
    other = Training(Store.open(store.work, clock=clock))
    steering.propose(RUN, "lr", set=0.3, why="x", expires=60, store=store)
    other.train(3)
    steering.ask(RUN, "checkpoint", store=store)
    clock.advance(120)
    with pytest.raises(Conflict, match="attempt 2 of the run has begun"):
        stopped.train(5)
    assert RemoteRun.open(RUN, store).door().attempt == 2
    other.train(6)
    assert states(store, 1)[-1] == ("EFFECTIVE", False, 2)
    assert states(store, 2) == [("DONE", True, 2)]


def last_status(store):
    found = read_status(store.files, post_of(store).folder, store.clock.now())
    assert found is not None
    return found


def test_what_follows_from_the_commit_is_answered_where_a_crash_kept_the_run_from_it(store, monkeypatch):
    def refuse(*_):
        raise StoreUnavailable("read-only")

    training = Training(store)
    training.train(2)
    steering.propose(RUN, "lr", set=0.3, why="x", store=store)
    training.train(5)
    post_of(store).publish(post_of(store).read(1))
    training.commit()  # and then it dies
    assert RemoteRun.open(RUN, store).view.status is RunStatus.FINISHED
    with monkeypatch.context() as patched:  # somebody who may only read is told, too
        patched.setattr(Post, "end", refuse)
        assert [each.is_settled for each in RemoteRun.open(RUN, store).requests()] == [True, True]
    assert post_of(store).ended() == set()
    first, second = RemoteRun.open(RUN, store).requests()
    assert [each.last.state.value for each in (first, second) if each.last] == ["EFFECTIVE", "REFUSED"]
    assert states(store, 1)[-1] == ("EFFECTIVE", True, 1)
    assert states(store, 2) == [("REFUSED", True, 1)]


@pytest.mark.slow
def test_two_terminals_a_kill_between_request_and_answer_and_a_resume(tmp_path):
    """The training and each proposal are processes of their own; the training is killed and begun again."""
    where = tmp_path / "store"
    with running(where) as training:
        told = propose(where, "--set", "0.3")
        assert told.returncode == 0, told.stderr
        assert "effective" in told.stdout
        assert "used 0.3" in told.stdout
        training.send_signal(signal.SIGSTOP)
        waits = subprocess.Popen(
            command(where, "--set", "0.2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert waits.stderr
        assert waits.stderr.readline().startswith("request 2 to r1")
        training.kill()
        out, err = waits.communicate(timeout=60)
    assert (waits.returncode, out) == (3, "")
    assert "the request stands, and the next attempt" in err
    refused = propose(where, "--set", "0.25")
    assert refused.returncode == 2
    assert "it is CRASHED; resume it" in refused.stderr
    with running(where) as training:
        until(lambda: len(post_of(Store.open(where)).answers_to(2)) >= 2)
        assert (
            subprocess.run(seedbed("runs", "ask", RUN, "stop", "--wait", "--store", where), check=False).returncode == 0
        )
        training.wait(60)
    store = Store.open(where)
    for number, value in ((1, 0.3), (2, 0.2)):
        last = post_of(store).answers_to(number)[-1]
        assert (last.state.value, last.is_final, last.attempt, last.after) == ("EFFECTIVE", True, 2, value)
    with pytest.raises(Conflict, match="has finished"):
        steering.ask(RUN, "stop", store=store)


@pytest.mark.slow
def test_two_proposers_at_once_are_both_answered_and_one_of_them_moves_the_setting(tmp_path):
    where = tmp_path / "store"
    with running(where) as training:
        against = RemoteRun.open(RUN, Store.open(where)).door().state
        both = [
            subprocess.Popen(command(where, "--set", value, "--against", against), stdout=subprocess.PIPE, text=True)
            for value in ("0.2", "0.3")
        ]
        told = [each.communicate(timeout=60)[0] for each in both]
        training.kill()
    assert sorted(each.returncode for each in both) == [0, 1]
    assert sorted(each.split()[0] for each in told) == ["applied", "refused"]


def seedbed(*arguments):
    return [sys.executable, "-m", "seedbed", *map(str, arguments)]


def command(where, *arguments):
    return seedbed("changes", "propose", RUN, "lr", *arguments, "--why", "x", "--wait", "--store", where)


def propose(where, *arguments):
    return subprocess.run(command(where, *arguments), capture_output=True, text=True, check=False, timeout=120)


class running:
    """A training in a process of its own, which has opened its door; killed when the block is left."""

    def __init__(self, where):
        self._process = subprocess.Popen([sys.executable, HERE / "steering_terminal_program.py", where])
        until(lambda: self._is_open(where))

    def _is_open(self, where):
        assert self._process.poll() is None, "the training ended"
        try:
            return RemoteRun.open(RUN, Store.open(where)).door().step >= 1
        except SeedbedError:
            return False

    def __enter__(self):
        return self._process

    def __exit__(self, *_):
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
