import contextlib
import errno
import math
import os
import subprocess
import sys
import threading
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records import read_step_events
from seedbed.records.journal import EventsLog
from seedbed.testing import FakeClock, durable_faults, fails_with


def test_values_come_back_with_nan_and_infinities_marked(tmp_path):
    with EventsLog.open(tmp_path / "events.log") as log:
        log.append(1, {"loss": 0.5, "events": 200})
        log.append(2, {"loss": math.nan, "up": math.inf, "down": -math.inf})
    first, second = read_step_events(tmp_path / "events.log")
    assert (first.step, first.attempt, dict(first.values)) == (1, 1, {"loss": 0.5, "events": 200})
    assert math.isnan(second.values["loss"])
    assert (second.values["up"], second.values["down"]) == (math.inf, -math.inf)
    assert b'{"$float":"NaN"}' in (tmp_path / "events.log").read_bytes()


def test_syncs_come_at_most_once_a_second_and_every_record_is_written_at_once(tmp_path):
    clock = FakeClock()
    log = EventsLog.open(tmp_path / "events.log", clock=clock)
    with durable_faults() as calls:
        for step in range(30):
            clock.advance(0.1)
            log.append(step, {"loss": 1.0})
    assert calls.count("write") == 30
    assert calls.count("fsync") in (2, 3)
    assert len(read_step_events(tmp_path / "events.log")) == 30  # a killed process would lose none
    log.close()


def test_closing_makes_the_rest_durable_once(tmp_path):
    log = EventsLog.open(tmp_path / "events.log", clock=FakeClock())
    log.append(1, {"loss": 1.0})
    with durable_faults() as calls:
        log.close()
    assert calls == ["fsync"]


class Slow(FakeClock):
    """Time passes between any two points, so that none waits for the next."""

    def monotonic(self):
        self.advance(0.05)
        return super().monotonic()


def test_points_in_a_rush_share_frames_and_come_back_as_they_were(tmp_path):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, attempt=2, clock=FakeClock())
    with durable_faults() as calls:
        for step in range(1201):
            log.append(step, {"loss": step / 7, "bad": math.inf})
    assert calls.count("write") == 3  # the first at once, then five hundred at a time
    assert len(read_step_events(path)) == 1001
    log.close()
    events = read_step_events(path)
    assert [event.step for event in events] == list(range(1201))
    assert all(event.values == {"loss": event.step / 7, "bad": math.inf} for event in events)
    assert {event.attempt for event in events} == {2}


def test_what_is_logged_last_is_durable_in_time_though_nothing_follows(tmp_path, monkeypatch):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, clock=FakeClock(), commit_seconds=0.01)
    synced = threading.Event()
    real = log._file.sync

    def sync() -> None:
        real()
        synced.set()

    monkeypatch.setattr(log._file, "sync", sync)
    log.append(1, {"loss": 1.0})
    log.append(2, {"loss": 2.0})  # pending, since no time has passed
    assert synced.wait(30)
    assert [event.step for event in read_step_events(path)] == [1, 2]
    log.close()


def wait_for_thread(log: EventsLog) -> None:
    thread = log._committer._thread
    assert thread is not None
    thread.join(30)


def test_what_the_logs_own_thread_could_not_write_is_heard_at_the_next_point(tmp_path):
    log = EventsLog.open(tmp_path / "events.log", clock=FakeClock(), commit_seconds=0.01)
    with durable_faults(1, fails_with(errno.ENOSPC)):
        log._committer.start()
        log._dirty = True
        wait_for_thread(log)
    with pytest.raises(StoreUnavailable, match="No space left"):
        log.append(1, {"loss": 1.0})


def test_what_the_logs_own_thread_could_not_write_is_heard_when_the_log_is_closed(tmp_path):
    log = EventsLog.open(tmp_path / "events.log", clock=FakeClock(), commit_seconds=0.01)
    log.append(1, {"loss": 1.0})
    with contextlib.ExitStack() as faults:
        with log._lock:  # which the log's own thread takes before it writes what is pending
            log.append(2, {"loss": 0.5})
            faults.enter_context(durable_faults(1, fails_with(errno.ENOSPC)))
        wait_for_thread(log)
    with pytest.raises(StoreUnavailable, match="No space left"):
        log.close()


@pytest.mark.slow
def test_a_process_killed_in_a_rush_loses_no_more_than_the_stated_second(tmp_path):
    code = (
        "import os, sys, time; from seedbed.records.journal import EventsLog; from pathlib import Path\n"
        "log = EventsLog.open(Path(sys.argv[1])); began = time.monotonic(); step = 0\n"
        "while time.monotonic() - began < 2.5: log.append(step, {'at': time.monotonic() - began}); step += 1\n"
        "print(time.monotonic() - began, flush=True); os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "events.log"
    killed = subprocess.run([sys.executable, "-c", code, path], check=False, capture_output=True, text=True)
    assert killed.returncode == -9
    events = read_step_events(path)
    assert [event.step for event in events] == list(range(len(events)))
    assert float(killed.stdout) - events[-1].values["at"] < 1.0


@pytest.mark.parametrize("value", ["0.5", b"1", True, None, [1]])
def test_what_is_no_number_is_refused_with_its_name_and_nothing_is_logged(tmp_path, value):
    with EventsLog.open(tmp_path / "events.log") as log, pytest.raises(InvalidInput, match="the metric 'loss' is"):
        log.append(1, {"ok": 1.0, "loss": value})
    assert read_step_events(tmp_path / "events.log") == []


def test_numbers_of_other_libraries_are_numbers(tmp_path):
    with EventsLog.open(tmp_path / "events.log") as log:
        numbers: dict[str, Any] = {"a": np.float32(0.5), "b": np.int64(3), "c": 2**60, "d": Fraction(1, 4)}
        log.append(1, numbers)
    assert read_step_events(tmp_path / "events.log")[0].values == {"a": 0.5, "b": 3, "c": 2.0**60, "d": 0.25}


def test_a_kind_of_record_that_is_not_known_yet_is_passed_over(tmp_path):
    with EventsLog.open(tmp_path / "events.log") as log:
        log._file.append("histogram", {"step": 1})
        log.append(2, {"loss": 1.0})
    assert [event.step for event in read_step_events(tmp_path / "events.log")] == [2]


def test_a_later_attempt_appends_to_the_same_log(tmp_path):
    for attempt in (1, 2):
        with EventsLog.open(tmp_path / "events.log", attempt=attempt) as log:
            log.append(7, {"loss": attempt})
    assert [(event.attempt, event.step) for event in read_step_events(tmp_path / "events.log")] == [(1, 7), (2, 7)]


@pytest.mark.slow
def test_cut_at_every_byte_the_whole_records_remain_and_it_still_appends(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the bytes decide here, not the disk
    path = tmp_path / "events.log"
    with EventsLog.open(path, clock=Slow()) as log:
        for step in range(4):
            log.append(step, {"loss": step / 7})
    data = path.read_bytes()
    for length in range(len(data)):
        path = tmp_path / f"{length}.log"
        path.write_bytes(data[:length])
        whole = data[:length].count(b"\n")
        assert [event.step for event in read_step_events(path)] == list(range(whole))
        with EventsLog.open(path) as log:
            assert log.torn_bytes == length - (data[:length].rfind(b"\n") + 1)
            log.append(99, {"loss": 0.0})
        assert [event.step for event in read_step_events(path)] == [*range(whole), 99]


def test_a_flipped_byte_in_the_middle_is_an_error_with_its_offset(tmp_path):
    path = tmp_path / "events.log"
    with EventsLog.open(path, clock=Slow()) as log:
        for step in range(3):
            log.append(step, {"loss": 1.0})
    data = bytearray(path.read_bytes())
    second = data.index(b"\n") + 1
    data[second + 30] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt, match=f"at byte {second}:"):
        read_step_events(path)
    with pytest.raises(NotFound):
        read_step_events(tmp_path / "none.log")
