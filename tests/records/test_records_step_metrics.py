import contextlib
import errno
import math
import os
import subprocess
import sys
import threading
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from records_points import NEVER, left_behind, opened_files, steps_of, unsealed

from seedbed.errors import Conflict, InvalidInput, NotFound, StoreDamaged, StoreUnavailable
from seedbed.records import read_step_events
from seedbed.records.journal import EventsLog, _step_metrics
from seedbed.records.journal._frames import FrameReader, frame, read_frames
from seedbed.records.journal._step_metrics import StepReader
from seedbed.records.journal._tail import read_tail, tail_path
from seedbed.records.storage._owner import Owner
from seedbed.testing import durable_faults, fails_with


def test_values_come_back_with_nan_and_infinities_marked(tmp_path):
    with EventsLog.open(tmp_path / "events.log") as log:
        log.append(1, {"loss": 0.5, "events": 200})
        log.append(2, {"loss": math.nan, "up": math.inf, "down": -math.inf})
    first, second = read_step_events(tmp_path / "events.log")
    assert (first.step, first.attempt, dict(first.values)) == (1, 1, {"loss": 0.5, "events": 200})
    assert math.isnan(second.values["loss"])
    assert (second.values["up"], second.values["down"]) == (math.inf, -math.inf)
    assert b'{"$float":"NaN"}' in (tmp_path / "events.log").read_bytes()


def test_every_point_is_written_before_its_call_returns_and_nothing_is_synced(tmp_path):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, attempt=2, commit_seconds=NEVER)
    with durable_faults() as calls:
        for step in range(30):
            log.append(step, {"loss": step / 7})
            assert [event.step for event in read_step_events(path)] == list(range(step + 1))
    assert calls == ["open", "posix_fallocate"]
    assert {event.attempt for event in read_step_events(path)} == {2}
    log.close()


def test_closing_seals_the_rest_makes_it_durable_once_and_leaves_no_tail(tmp_path):
    log = EventsLog.open(tmp_path / "events.log", commit_seconds=NEVER)
    log.append(1, {"loss": 1.0})
    with durable_faults() as calls:
        log.close()
    assert calls[:2] == ["write", "fsync"]
    assert [path.name for path in tmp_path.iterdir()] == ["events.log"]
    assert [event.step for event in read_step_events(tmp_path / "events.log")] == [1]


def test_points_share_records_and_come_back_as_they_were(tmp_path):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, attempt=2, commit_seconds=NEVER)
    with durable_faults() as calls:
        for step in range(1201):
            log.append(step, {"loss": step / 7, "bad": math.inf, "one": 1.0, "tiny": 1e-9, "\U0001f331": 0.5})
    assert calls.count("write") == 2  # five hundred at a time
    assert len(read_frames(path).entries) == 2
    assert len(read_step_events(path)) == 1201
    log.close()
    events = read_step_events(path)
    assert [event.step for event in events] == list(range(1201))
    expected = {"bad": math.inf, "one": 1, "tiny": 1e-9, "\U0001f331": 0.5}
    assert all(event.values == {"loss": event.step / 7, **expected} for event in events)
    assert {event.attempt for event in events} == {2}


def test_a_record_of_points_is_the_one_that_the_same_payload_makes(tmp_path):
    path = tmp_path / "events.log"
    with EventsLog.open(path, attempt=3, commit_seconds=NEVER) as log:
        log.append(7, {"b": 1e-9, "a": 2.0, "\uffff": 0.1, "\U0001f331": math.nan})
    values: dict[str, Any] = {"b": 1e-9, "a": 2, "\uffff": 0.1, "\U0001f331": {"$float": "NaN"}}
    data, _ = frame((0, "0" * 64), "steps", {"attempt": 3, "points": [[7, values]]})
    assert path.read_bytes() == data


def test_what_is_logged_last_is_durable_in_time_though_nothing_follows(tmp_path, monkeypatch):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=0.01)
    synced = threading.Event()
    real = log._file.sync

    def sync() -> None:
        real()
        synced.set()

    monkeypatch.setattr(log._file, "sync", sync)
    log.append(1, {"loss": 1.0})
    assert synced.wait(30)
    assert len(read_frames(path).entries) == 1
    log.close()


def wait_for_thread(log: EventsLog) -> None:
    thread = log._committer._thread
    assert thread is not None
    thread.join(30)


def test_what_the_logs_own_thread_could_not_write_is_heard_at_the_next_point(tmp_path):
    log = EventsLog.open(tmp_path / "events.log", commit_seconds=0.01)
    log._file.append("histogram", {"step": 1})
    with durable_faults(1, fails_with(errno.ENOSPC)) as calls:
        log._committer.start()
        wait_for_thread(log)
    assert calls == ["fsync"]
    with pytest.raises(StoreUnavailable, match="No space left"):
        log.append(1, {"loss": 1.0})


def test_what_the_logs_own_thread_could_not_write_is_heard_between_points_and_when_the_log_is_closed(tmp_path):
    log = EventsLog.open(tmp_path / "events.log", commit_seconds=0.01)
    log.append(1, {"loss": 1.0})
    with contextlib.ExitStack() as faults:
        with log._lock:  # which the log's own thread takes before it writes what is pending
            log.append(2, {"loss": 0.5})
            faults.enter_context(durable_faults(1, fails_with(errno.ENOSPC)))
        wait_for_thread(log)
    for use in (lambda: log.append(3, {"loss": 0.5}), log.close):
        with pytest.raises(StoreUnavailable, match="No space left"):
            use()


@pytest.mark.parametrize(
    "value", ["0.5", b"1", True, None, [1], np.bool_(True), torch.tensor(False), np.ones(2), 10**400, 1j]
)
def test_what_is_no_number_is_refused_with_its_name_and_nothing_is_logged(tmp_path, value):
    with EventsLog.open(tmp_path / "events.log") as log, pytest.raises(InvalidInput, match="the metric 'loss' is"):
        log.append(1, {"ok": 1.0, "loss": value})
    assert read_step_events(tmp_path / "events.log") == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (10**400, "an integer of 1329 bits"),
        (10**5000, "an integer of 16610 bits"),
        ([10**5000], "[an integer of 16610 bits]"),
        ("x" * 900, f"'{'x' * 27}...{'x' * 28}'"),
        (2**64 - 1 + 1j, "(1.8446744073709552e+19+1j)"),
    ],
    ids=["integer", "that has no text", "within", "text", "complex"],
)
def test_what_is_no_number_is_named_in_a_few_words_however_long_it_is(tmp_path, value, said):
    with EventsLog.open(tmp_path / "events.log") as log, pytest.raises(InvalidInput) as refusal:
        log.append(1, {"loss": value})
    assert str(refusal.value) == f"the metric 'loss' is {said}, expected a number; nothing was logged"


@pytest.mark.parametrize(
    ("step", "said"),
    [(2**53, "9007199254740992"), (-(2**53), "-9007199254740992"), (10**400, "an integer of 1329 bits")],
)
def test_a_step_that_is_too_large_is_named_with_the_largest_and_what_to_do(tmp_path, step, said):
    with EventsLog.open(tmp_path / "events.log") as log, pytest.raises(InvalidInput) as refusal:
        log.append(step, {"loss": 1.0})
    expected = rf"^the step is {said}, expected at most 2\^53 - 1 .*; log a smaller count, such as batches; nothing"
    refusal.match(expected)


@pytest.mark.parametrize("step", [2**53 - 1, 1 - 2**53, np.int64(2**53 - 1)])
def test_the_largest_steps_are_kept_exactly(tmp_path, step):
    with EventsLog.open(tmp_path / "events.log") as log:
        log.append(step, {"loss": 1.0})
    assert steps_of(tmp_path / "events.log") == [int(step)]


class Metric(StrEnum):
    LOSS = "loss"


@pytest.mark.parametrize("name", [Metric.LOSS, np.str_("loss")])
def test_a_text_of_another_type_is_the_name_that_it_says(tmp_path, name):
    with EventsLog.open(tmp_path / "events.log") as log:
        for step, given in enumerate((name, "loss", name)):  # before and after the name is known
            log.append(step, {given: 0.5})
    assert [dict(event.values) for event in read_step_events(tmp_path / "events.log")] == [{"loss": 0.5}] * 3


@pytest.mark.parametrize(("name", "said"), [(1, "1"), (None, "None"), (b"loss", "b'loss'"), (10**400, "an integer of")])
def test_what_is_no_text_names_no_metric(tmp_path, name, said):
    with EventsLog.open(tmp_path / "events.log") as log:
        with pytest.raises(InvalidInput, match=f"the name of a metric is {said}.*expected a text; nothing was logged"):
            log.append(1, {"ok": 1.0, name: 0.5})
        log.append(2, {"ok": 1.0})
    assert steps_of(tmp_path / "events.log") == [2]


@pytest.mark.parametrize("step", [np.int64(2), np.uint8(2), np.array(2), torch.tensor(2), 2])
def test_a_step_is_any_kind_of_integer(tmp_path, step):
    with EventsLog.open(tmp_path / "events.log") as log:
        log.append(step, {"loss": 1.0})
    assert [event.step for event in read_step_events(tmp_path / "events.log")] == [2]


@pytest.mark.parametrize("step", ["2", None, True, np.bool_(True), 1.5, 2.0, math.nan, torch.tensor(2.0), 2**53])
def test_a_step_that_is_no_integer_is_refused_at_its_call_and_loses_nothing(tmp_path, step):
    path = tmp_path / "events.log"
    with EventsLog.open(path) as log:
        for number in range(600):
            if number == 2:
                with pytest.raises(InvalidInput, match=r"the step is .*; nothing was logged"):
                    log.append(step, {"loss": 1.0})
            log.append(number, {"loss": 1.0})
    assert [event.step for event in read_step_events(path)] == list(range(600))


def test_numbers_of_other_libraries_are_numbers(tmp_path):
    with EventsLog.open(tmp_path / "events.log") as log:
        numbers: dict[str, Any] = {"a": np.float32(0.5), "b": np.int64(3), "c": 2**60, "d": Fraction(1, 4)}
        numbers |= {"e": Decimal("0.1"), "f": torch.tensor(0.25), "g": torch.tensor([7])[0], "h": np.array(0.5)}
        log.append(1, numbers)
    expected = {"a": 0.5, "b": 3, "c": 2.0**60, "d": 0.25, "e": 0.1, "f": 0.25, "g": 7, "h": 0.5}
    assert read_step_events(tmp_path / "events.log")[0].values == expected


def test_a_kind_of_record_that_is_not_known_yet_is_passed_over(tmp_path):
    with EventsLog.open(tmp_path / "events.log") as log:
        log._file.append("histogram", {"step": 1})
        log.append(2, {"loss": 1.0})
    assert [event.step for event in read_step_events(tmp_path / "events.log")] == [2]


def test_a_point_that_a_former_version_wrote_alone_is_read(tmp_path):
    path = tmp_path / "events.log"
    data, _ = frame((0, "0" * 64), "step", {"attempt": 1, "step": 7, "values": {"loss": 0.5}})
    path.write_bytes(data)
    with EventsLog.open(path, attempt=2) as log:
        log.append(8, {"loss": 0.25})
    found = [(event.step, event.attempt, dict(event.values)) for event in read_step_events(path)]
    assert found == [(7, 1, {"loss": 0.5}), (8, 2, {"loss": 0.25})]


def test_a_later_attempt_appends_to_the_same_log(tmp_path):
    for attempt in (1, 2):
        with EventsLog.open(tmp_path / "events.log", attempt=attempt) as log:
            log.append(7, {"loss": attempt})
    assert [(event.attempt, event.step) for event in read_step_events(tmp_path / "events.log")] == [(1, 7), (2, 7)]


@pytest.mark.slow
def test_cut_at_every_byte_the_whole_records_remain_and_it_still_appends(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the bytes decide here, not the disk
    path = tmp_path / "events.log"
    with EventsLog.open(path) as log:
        for step in range(4):
            log.append(step, {"loss": step / 7})
            log.commit()
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
    with EventsLog.open(path) as log:
        for step in range(3):
            log.append(step, {"loss": 1.0})
            log.commit()
    data = bytearray(path.read_bytes())
    second = data.index(b"\n") + 1
    data[second + 30] ^= 1
    path.write_bytes(data)
    with pytest.warns(StoreDamaged, match=f"after step 0 of attempt 1 is lost: .* at byte {second}:"):
        assert [event.step for event in read_step_events(path)] == [0]
    with pytest.raises(NotFound):
        read_step_events(tmp_path / "none.log")


def test_a_handler_of_signals_cannot_log_in_the_middle_of_a_record(tmp_path, monkeypatch):
    log = unsealed(tmp_path / "events.log")
    real = log._file._file.append

    def append(data: bytes) -> None:
        monkeypatch.undo()
        with pytest.raises(StoreUnavailable, match="was interrupted"):
            log.append(5, {"loss": 1.0})
        real(data)

    monkeypatch.setattr(log._file._file, "append", append)
    log.commit()
    log.append(6, {"loss": 1.0})
    assert steps_of(tmp_path / "events.log") == [0, 1, 2, 3, 4, 6]
    log.close()


def test_a_closed_log_takes_no_point_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "events.log"
    log = unsealed(path)
    log.close()
    with pytest.raises(Conflict, match=r"events\.log is closed and takes no more points; log them before, or open"):
        log.append(5, {"loss": 1.0})
    assert [path.name for path in tmp_path.iterdir()] == ["events.log"]
    later = unsealed(path)
    log.close()  # again: the tail beside it is the later one's
    log.commit()
    assert steps_of(path) == [0, 1, 2, 3, 4] * 2
    later.close()


def test_a_log_that_is_left_to_another_process_is_not_written_any_more(tmp_path):
    log = unsealed(tmp_path / "events.log")
    before = left_behind(tmp_path / "events.log", tmp_path / "left")
    log.abandon()
    log.commit()  # as the log's own thread may yet ask
    log.close()
    after = left_behind(tmp_path / "events.log", tmp_path / "after")
    assert [path.read_bytes() for path in (after, tail_path(after))] == [
        path.read_bytes() for path in (before, tail_path(before))
    ]
    assert log._committer._stopped.is_set()
    assert opened_files(tmp_path) == []


def followed(path: Path) -> StepReader:
    return StepReader(FrameReader(lambda: path.open("rb"), path), path)


def more(reader: StepReader) -> list[int]:
    return [event.step for event in reader.more()]


def test_a_reader_gives_each_point_once_wherever_it_is_by_then(tmp_path):
    path = tmp_path / "events.log"
    log, steps = EventsLog.open(path, commit_seconds=NEVER), iter(range(100))

    def append(points: int) -> list[int]:
        made = [next(steps) for _ in range(points)]
        for step in made:
            log.append(step, {"loss": 1.0})
        return made

    reader = followed(path)
    assert append(3) == more(reader)
    one = append(1)
    log.commit()  # of the four points in this record three were given
    three = append(3)
    log.commit()  # of the three in this one, none
    assert more(reader) == one + three
    assert append(2) == more(reader)
    log.commit()
    assert append(4) == more(reader)  # none of this tail was given, though two of the former one were
    assert append(1) == more(reader)
    log.close()
    assert more(reader) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reader_passes_over_no_point_that_is_sealed_while_it_reads(tmp_path, monkeypatch, when):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=NEVER)
    for step in range(3):
        log.append(step, {"loss": 1.0})

    def go_on() -> None:
        log.commit()
        log.append(3, {"loss": 1.0})

    def read(at: Path) -> Any:
        monkeypatch.undo()
        if when == "before":
            go_on()
        found = read_tail(at)
        if when == "after":
            go_on()
        return found

    monkeypatch.setattr(_step_metrics, "read_tail", read)
    reader = followed(path)
    assert more(reader) + more(reader) == [0, 1, 2, 3]
    log.close()


@pytest.mark.slow
def test_a_forked_child_is_refused_and_its_parent_goes_on(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from seedbed.errors import Conflict\n"
        "from seedbed.records.journal import EventsLog, Journal\n"
        "log, journal = EventsLog.open(Path(sys.argv[1])), Journal.open(Path(sys.argv[1] + 'j'))\n"
        "log.append(0, {'a': 1.0}); child = os.fork(); refused = 0\n"
        "for write in (lambda: log.append(1, {'b': 1.0}), lambda: journal.append('x', {}), log.close):\n"
        "    try:\n"
        "        if not child: write()\n"
        "    except Conflict as problem: refused += 'was forked from process' in str(problem)\n"
        "if not child: os._exit(refused)\n"
        "status = os.waitpid(child, 0)[1]; log.append(2, {'a': 1.0}); log.close()\n"
        "print(os.waitstatus_to_exitcode(status))"
    )
    path = tmp_path / "events.log"
    found = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["3"]
    assert steps_of(path) == [0, 2]


def test_what_belongs_to_another_process_is_not_written(tmp_path):
    with EventsLog.open(tmp_path / "events.log") as log:
        log.append(1, {"loss": 1.0})
        log._owner.pid += 1  # as a child that was forked would see it
        for write in (lambda: log.append(2, {"loss": 1.0}), log.close):
            with pytest.raises(Conflict, match=r"was forked from process .*, to which this log belongs"):
                write()
        log._owner.pid -= 1
    assert steps_of(tmp_path / "events.log") == [1]


def test_a_child_learns_its_number_when_it_is_forked(monkeypatch):
    owner = Owner()
    monkeypatch.setattr(Owner, "_this_pid", owner.pid)  # put back at the end
    monkeypatch.setattr(os, "getpid", lambda: owner.pid + 1)
    Owner._forked()
    assert not owner.is_here
    assert Owner().is_here


def test_points_are_logged_while_the_disk_takes_its_time_with_what_was_before(tmp_path, monkeypatch):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=0.001)
    syncing, synced = threading.Event(), threading.Event()
    real = log._file.sync

    def sync() -> None:
        syncing.set()
        assert synced.wait(60)
        real()

    monkeypatch.setattr(log._file, "sync", sync)
    log.append(0, {"loss": 1.0})
    assert syncing.wait(30)
    for step in range(1, 1201):  # some of them seal those before
        log.append(step, {"loss": 1.0})
    assert steps_of(path) == list(range(1201))
    assert not synced.is_set()
    closing = threading.Thread(target=log.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()  # until all is durable
    synced.set()
    closing.join(30)
    assert steps_of(path) == list(range(1201))
    assert opened_files(tmp_path) == []


def test_a_sync_that_fails_beside_points_is_heard_at_the_next_one_and_is_final(tmp_path, monkeypatch):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=0.001)
    syncing, logged = threading.Event(), threading.Event()
    real = log._file.sync

    def sync() -> None:
        syncing.set()
        assert logged.wait(60)
        with durable_faults(1, fails_with(errno.EIO)):
            real()

    monkeypatch.setattr(log._file, "sync", sync)
    log.append(0, {"loss": 1.0})
    assert syncing.wait(30)
    log.append(1, {"loss": 1.0})
    logged.set()
    wait_for_thread(log)
    monkeypatch.undo()
    for use in (lambda: log.append(2, {"loss": 1.0}), log.close):
        with pytest.raises(StoreUnavailable, match="Input/output error"):
            use()
    assert steps_of(path) == [0, 1]


def test_a_log_that_is_dropped_ends_its_thread_and_closes_its_files_and_its_points_stay(tmp_path):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=NEVER)
    log.append(0, {"loss": 1.0})
    thread = log._committer._thread
    assert thread is not None
    assert opened_files(tmp_path) != []
    del log
    thread.join(30)
    assert not thread.is_alive()
    assert opened_files(tmp_path) == []
    assert (read_frames(path).entries, steps_of(path)) == ((), [0])


def test_a_log_that_is_dropped_while_its_thread_commits_ends_it_too(tmp_path, monkeypatch):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=0.001)
    syncing, dropped = threading.Event(), threading.Event()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        syncing.set()
        assert dropped.wait(60)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    log.append(0, {"loss": 1.0})
    thread = log._committer._thread
    assert thread is not None
    assert syncing.wait(30)
    del log
    dropped.set()
    thread.join(30)
    assert not thread.is_alive()
    assert opened_files(tmp_path) == []
    assert steps_of(path) == [0]
