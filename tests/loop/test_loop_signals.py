"""SIGTERM and a closed terminal end a run as Ctrl-C does; handlers of the process are left as they were."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from loop_world import Work

import seedbed
from seedbed.contracts import RunStatus, Stage
from seedbed.errors import StoreCorrupt
from seedbed.loop import _open_runs
from seedbed.records import Store

PROGRAM = Path(__file__).with_name("signal_program.py")
SIGNALS = [signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def unhandled():
    """The signals as a process has them from the start, whatever this one was started with."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Tracker:
    """A mirror that notes how runs finished."""

    def __init__(self, finished):
        self._finished = finished

    def begin(self, project, run_id, config):
        pass

    def log(self, step, values):
        pass

    def finish(self, commit):
        self._finished.append(commit)


@pytest.mark.slow
@pytest.mark.parametrize("block", ["block", "no block"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_run_as_interrupted_and_the_script_with_130(tmp_path, number, block):
    command = [sys.executable, str(PROGRAM), str(tmp_path / "s"), block]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        run_id = program.stdout.readline().strip()
        program.send_signal(number)
        assert program.wait(60) == 130
        assert program.stderr.read() == ""
    view = Store.open(tmp_path / "s").find(run_id, project="p", stage=Stage.TRAINING)
    assert (view.status, view.reason) == (RunStatus.INTERRUPTED, f"stopped by {number.name}")


def test_the_handlers_are_as_before_once_the_run_has_ended(tmp_path):
    work = Work()
    assert [signal.getsignal(each) for each in SIGNALS] == [signal.SIG_DFL] * 2
    with work.start(tmp_path) as run:
        run.log(x=1)
        assert signal.SIG_DFL not in [signal.getsignal(each) for each in SIGNALS]
        run.result(x=1)
    assert [signal.getsignal(each) for each in SIGNALS] == [signal.SIG_DFL] * 2


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda number, frame: None])
@pytest.mark.parametrize("during", [False, True])
def test_a_handler_of_the_process_is_left_alone(tmp_path, own, during):
    try:
        if not during:
            signal.signal(signal.SIGTERM, own)
        with Work().start(tmp_path) as run:
            run.log(x=1)
            if during:
                signal.signal(signal.SIGTERM, own)
            assert signal.getsignal(signal.SIGTERM) is own
            run.result(x=1)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_with_two_runs_the_signals_are_handled_until_the_last_one_ends(tmp_path):
    with Work().start(tmp_path) as first, Work().start(tmp_path) as second:
        for run in (first, second):
            run.log(x=1)
            run.result(x=1)
        first.finish()
        assert signal.SIG_DFL not in [signal.getsignal(each) for each in SIGNALS]
    assert [signal.getsignal(each) for each in SIGNALS] == [signal.SIG_DFL] * 2


def test_a_signal_after_a_run_that_another_thread_ended_ends_the_process(tmp_path):
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        run = Work().start(tmp_path)
        run.log(x=1)
        run.result(x=1)
        ends = threading.Thread(target=run.finish)
        ends.start()
        ends.join()
        os.write(tell, b"1")
        while True:
            signal.pause()
    assert os.read(told, 1) == b"1"
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
    os.close(told)
    os.close(tell)


@pytest.mark.slow
def test_no_signal_that_reaches_a_child_is_lost(tmp_path):
    with Work().start(tmp_path) as run:
        run.log(x=1)
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.pthread_sigmask(signal.SIG_SETMASK, signal.pthread_sigmask(signal.SIG_BLOCK, []))
                ctypes.CDLL(None).pause()  # in C: a handler of Python's would never run
            os.kill(child, signal.SIGTERM)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        run.result(x=1)


def test_a_signal_after_the_commit_leaves_the_run_finished(tmp_path):
    finished: list[object] = []
    run = Work().start(tmp_path, mirror=Tracker(finished))
    run.result(x=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seedbed.loop.live._live_run.judged", lambda commit: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(SystemExit) as ended:
            run.finish()
    assert (ended.value.code, getattr(ended.value, "__notes__", [])) == (130, [])
    assert run.store.find(run.run_id).status is RunStatus.FINISHED
    assert finished == [run.commit]


def test_a_forked_child_ends_as_without_the_run(tmp_path):
    with Work().start(tmp_path) as run:
        run.log(x=1)
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(tell, b"1")
            while True:
                signal.pause()
        assert os.read(told, 1) == b"1"  # Python drops a signal that comes during the fork itself
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        assert run.is_open
        run.result(x=1)
    assert run.store.find(run.run_id).status is RunStatus.FINISHED
    os.close(told)
    os.close(tell)


def ended_in_block(run, work):
    """Send SIGTERM within the third step of a run; whether the loop was left as by Ctrl-C, and what left it."""
    cleaned = []

    def train():
        with run:
            try:
                for step, (x, y) in run.steps(work.loader):
                    work.step(x, y)
                    if step == 3:
                        signal.raise_signal(signal.SIGTERM)
            finally:
                cleaned.append(step)

    with pytest.raises(SystemExit) as ended:
        train()
    return cleaned == [3], str(ended.value)


def in_thread(do):
    thread = threading.Thread(target=do)
    thread.start()
    thread.join()


def test_a_run_is_ended_by_a_signal_before_its_first_step_and_records_nothing(tmp_path):
    with pytest.raises(SystemExit) as ended, Work().start(tmp_path) as run:
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 130
    assert not run.is_open
    assert list(run.store.runs()) == []


def test_a_helper_thread_that_logs_first_takes_neither_the_signals_nor_the_proposals_from_the_loop(tmp_path):
    work = Work()
    run = work.start(tmp_path)
    in_thread(lambda: run.log(temperature=60.0))
    assert ended_in_block(run, work) == (True, "SIGTERM")
    assert run.store.find(run.run_id).reason == "stopped by SIGTERM"


def test_a_run_that_another_thread_started_is_ended_by_a_signal_in_the_loop(tmp_path):
    work, started = Work(), []
    in_thread(lambda: started.append(work.start(tmp_path)))
    in_thread(lambda: started[0].log(temperature=60.0))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert ended_in_block(started[0], work) == (True, "SIGTERM")


def test_a_run_is_ended_by_a_signal_while_one_of_another_thread_is_open(tmp_path):
    others: list[seedbed.Run] = []

    def other():
        others.append(Work().start(tmp_path))
        others[0].log(x=1)

    in_thread(other)
    work = Work()
    assert ended_in_block(work.start(tmp_path), work) == (True, "SIGTERM")
    others[0].abandon("enough")
    assert [signal.getsignal(each) for each in SIGNALS] == [signal.SIG_DFL] * 2


@pytest.mark.parametrize("problem", [OSError("the disk is gone"), KeyboardInterrupt(), StoreCorrupt("damaged")])
def test_a_run_whose_end_fails_ends_once_and_leaves_the_next_one_its_signals(tmp_path, problem):
    told: list[object] = []

    def fails(self, status, reason):
        raise problem

    run = Work().start(tmp_path / "a", mirror=Tracker(told))
    run.log(x=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seedbed.loop._attempt.Attempt.end", fails)
        with pytest.raises(type(problem)):
            run.finish()  # without a result
    assert told == [None]
    work = Work()
    assert ended_in_block(work.start(tmp_path / "b"), work) == (True, "SIGTERM")


def test_a_signal_that_the_script_handled_is_not_why_a_later_run_was_left_open(tmp_path):
    run = Work().start(tmp_path, run="a")
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    run.abandon("handled")
    later = Work().start(tmp_path, run="b")
    later.log(x=1)
    _open_runs._abandon_all()
    assert later.store.find("b").reason == "the process ended without run.finish()"


def test_a_signal_that_the_script_handled_is_not_why_the_run_was_left_open_after_another_pass(tmp_path):
    work = Work()
    run = work.start(tmp_path, run="a")
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    for _, (x, y) in run.steps(work.loader):
        work.step(x, y)
    _open_runs._abandon_all()
    assert run.store.find("a").reason == "the process ended without run.finish()"


def test_a_signal_that_ends_the_process_is_why_a_run_was_left_open(tmp_path):
    run = Work().start(tmp_path, run="a")
    run.log(x=1)
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    _open_runs._abandon_all()
    assert run.store.find("a").reason == "stopped by SIGTERM"


@pytest.mark.parametrize("blocked", [set(), {signal.SIGTERM}, {signal.SIGTERM, signal.SIGUSR1}])
def test_a_fork_leaves_the_signals_that_the_script_holds_back_as_they_are(tmp_path, blocked):
    before = signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    try:
        run = Work().start(tmp_path)
        run.log(x=1)
        child = os.fork()
        if child == 0:
            os._exit(signal.pthread_sigmask(signal.SIG_BLOCK, []) != blocked)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == blocked
        run.abandon("enough")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
