import errno
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from records_points import NEVER, left_behind, opened_files, steps_of, unsealed
from records_world import draft

from seedbed.errors import Conflict, InvalidInput, StoreDamaged, StoreUnavailable
from seedbed.records import Store, _status, fsck, read_journal, read_step_events, run_events
from seedbed.records.journal import EventsLog, _tail
from seedbed.records.journal._frames import read_frames
from seedbed.records.journal._tail import read_tail, tail_path
from seedbed.testing import durable_faults, fails_with


def test_the_tail_of_a_killed_process_is_read_and_sealed_by_the_next_one(tmp_path):
    log = unsealed(tmp_path / "events.log")
    path = left_behind(tmp_path / "events.log", tmp_path / "left")
    log.close()
    assert steps_of(path) == [0, 1, 2, 3, 4]
    with EventsLog.open(path, attempt=5) as later:
        assert steps_of(path) == [0, 1, 2, 3, 4]
        later.append(5, {"loss": 0.0})
    assert [(event.attempt, event.step) for event in read_step_events(path)] == [*((4, n) for n in range(5)), (5, 5)]
    assert len(read_frames(path).entries) == 3


def test_what_a_killed_process_left_is_on_the_disk_before_anything_is_logged_after_it(tmp_path):
    log = unsealed(tmp_path / "events.log")
    path = left_behind(tmp_path / "events.log", tmp_path / "left")
    log.close()
    with durable_faults() as calls:
        later = EventsLog.open(path, commit_seconds=NEVER)
    assert calls[-2:] == ["write", "fsync"]
    later.close()


@pytest.mark.parametrize("at", ["write", "fsync"])
def test_a_log_that_cannot_be_opened_leaves_no_file_open(tmp_path, at):
    log = unsealed(tmp_path / "events.log")
    path = left_behind(tmp_path / "events.log", tmp_path / "left")
    log.close()
    with durable_faults() as calls:
        EventsLog.open(left_behind(path, tmp_path / "twin"), commit_seconds=NEVER).close()
    place = len(calls) - calls[::-1].index("write") + (at == "fsync")  # of the points that were left
    with durable_faults(place, fails_with(errno.ENOSPC)) as calls, pytest.raises(StoreUnavailable, match="No space"):
        EventsLog.open(path)
    assert [call for call in calls if call != "unlink"][-1] == at  # a finalizer of something else may delete a file
    assert opened_files(tmp_path) == []
    EventsLog.open(path).close()
    assert steps_of(path) == [0, 1, 2, 3, 4]


def test_of_a_tail_that_is_cut_or_changed_at_any_byte_nothing_or_all_is_read(tmp_path):
    log = unsealed(tmp_path / "events.log")
    path = left_behind(tmp_path / "events.log", tmp_path / "left")
    log.close()
    whole = tail_path(path).read_bytes()
    end = whole.rindex(b"\n") + 1
    lost = "what was logged after step 1 of attempt 4 is lost: the checksum of .* differs"
    for at in range(8, end):
        tail_path(path).write_bytes(whole[:at])
        with pytest.warns(StoreDamaged, match=lost):
            assert steps_of(path) == [0, 1]
        tail_path(path).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        if 24 <= at < 28:  # the attempt is no part of the checksum
            assert steps_of(path) == [0, 1, 2, 3, 4]
            continue
        with pytest.warns(StoreDamaged, match=lost):
            assert steps_of(path) == [0, 1]
    tail_path(path).write_bytes(whole[:end])
    assert steps_of(path) == [0, 1, 2, 3, 4]


def test_points_that_are_in_the_log_already_are_not_taken_from_the_tail_again(tmp_path):
    log = unsealed(tmp_path / "events.log")
    tail = tail_path(tmp_path / "events.log").read_bytes()
    log.close()
    tail_path(tmp_path / "events.log").write_bytes(tail)  # as if the process had died before it removed the tail
    assert steps_of(tmp_path / "events.log") == [0, 1, 2, 3, 4]
    with EventsLog.open(tmp_path / "events.log") as later:
        later.append(5, {"loss": 0.0})
    assert steps_of(tmp_path / "events.log") == [0, 1, 2, 3, 4, 5]


def test_points_of_the_tail_are_kept_although_a_power_cut_took_records_before_them(tmp_path):
    log = unsealed(tmp_path / "events.log")
    path = left_behind(tmp_path / "events.log", tmp_path / "left")
    log.close()
    path.write_bytes(b"")
    assert steps_of(path) == [2, 3, 4]
    EventsLog.open(path).close()
    assert steps_of(path) == [2, 3, 4]


def test_shorter_points_over_longer_ones_leave_nothing_of_those(tmp_path):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=NEVER)
    for step in range(3):
        log.append(step, {"a name that makes a long line": 1 / 3})
    log.commit()
    log.append(3, {"loss": 1.0})
    assert [line[:1] for line in read_tail(path).points] == [b"["]
    assert steps_of(path) == [0, 1, 2, 3]
    log.close()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.ENODEV])
def test_where_no_file_can_be_mapped_every_point_is_a_record(tmp_path, error):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=NEVER)
    with durable_faults(2, fails_with(error)) as calls:  # of the tail, the room
        log.append(0, {"loss": 1.0})
    assert calls == ["open", "posix_fallocate", "unlink", "write"]
    log.append(1, {"loss": 1.0})
    assert [path.name for path in tmp_path.iterdir()] == ["events.log"]
    assert steps_of(path) == [0, 1]
    assert len(read_frames(path).entries) == 2
    log.close()


def test_points_that_have_no_room_in_the_tail_are_sealed_at_once(tmp_path):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=NEVER)
    many = {f"a metric with a long name, number {number}": number / 7 for number in range(2000)}
    log.append(0, {"loss": 1.0})
    log.append(1, many)
    log.append(2, {"loss": 1.0})
    assert steps_of(path) == [0, 1, 2]
    assert [len(entry.payload["points"]) for entry in read_frames(path).entries] == [2]
    log.close()
    assert read_step_events(path)[1].values == many


def test_a_point_that_the_disk_refuses_is_not_logged_and_what_was_is_kept(tmp_path):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=NEVER)
    for step in range(500):
        log.append(step, {"loss": 1.0})
    with durable_faults(1, fails_with(errno.ENOSPC)), pytest.raises(StoreUnavailable, match="No space left"):
        log.append(500, {"loss": 1.0})
    assert steps_of(path) == list(range(500))
    with pytest.raises(StoreUnavailable):
        log.close()
    EventsLog.open(path).close()
    assert steps_of(path) == list(range(500))


def test_what_could_not_be_sealed_stays_in_the_tail(tmp_path):
    path = tmp_path / "events.log"
    log = unsealed(path)
    with durable_faults(1, fails_with(errno.ENOSPC)), pytest.raises(StoreUnavailable):
        log.close()
    assert steps_of(path) == [0, 1, 2, 3, 4]
    EventsLog.open(path).close()
    assert steps_of(path) == [0, 1, 2, 3, 4]
    assert len(read_frames(path).entries) == 2


def test_the_tail_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "events.log"
    unsealed(path).close()
    tail_path(path).write_bytes(b"SBTAIL2\n" + bytes(24))
    for use in (read_step_events, EventsLog.open):
        with pytest.raises(InvalidInput, match="was written by a later version of Seedbed; upgrade it"):
            use(path)


@pytest.mark.parametrize("content", [b"", bytes(50), bytes(2**16), b"SBTAIL1\n" + bytes(24)])
def test_a_tail_without_points_is_none(tmp_path, content):
    path = tmp_path / "events.log"
    unsealed(path).close()
    tail_path(path).write_bytes(content)
    assert steps_of(path) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("content", [b"\n", b"SBTAIL1\n", b"SBTAIL1\n" + b"\xff" * 40])
def test_what_is_no_tail_is_told_and_kept_by_whoever_opens_the_log_next(tmp_path, caplog, content):
    path = tmp_path / "events.log"
    unsealed(path).close()
    for later in (0, 1):  # the same bytes are kept once
        tail_path(path).write_bytes(content)
        with pytest.warns(StoreDamaged, match="the points that were logged last cannot be read"):
            assert steps_of(path) == [0, 1, 2, 3, 4] + [5] * later
        caplog.clear()
        with EventsLog.open(path) as log:
            log.append(5, {"loss": 0.0})
        [told] = [record.message for record in caplog.records if record.name == "seedbed.records"]
        [kept] = tmp_path.glob("events.tail*")
        assert kept.read_bytes() == content
        assert told.endswith(
            f"cannot be read: the machine stopped before they were durable, or the file was damaged "
            f"since; its bytes are kept as {kept.name}"
        )
    assert steps_of(path) == [0, 1, 2, 3, 4, 5, 5]


def test_a_tail_that_is_read_while_a_process_writes_over_it_is_not_torn(tmp_path, monkeypatch):
    path = tmp_path / "events.log"
    log = unsealed(path)
    real = _tail.read_regular(tail_path(path))
    mixed = real[:32] + bytes(40) + real[72:]  # the word of before, and a part of the points of after
    reads = iter([mixed, mixed[:-1] + b"?", real])
    monkeypatch.setattr(_tail, "read_regular", lambda _: next(reads))
    assert [point[:2] for point in read_tail(path).points] == [b"[2", b"[3", b"[4"]
    reads = iter([mixed, mixed])
    assert read_tail(path).is_torn
    monkeypatch.undo()
    log.close()


def interrupts(log: EventsLog, monkeypatch: pytest.MonkeyPatch, *, written: float) -> None:
    """Ctrl-C comes at the next write of a record, when so much of it is written: none, a part or all."""
    file, real = log._file._file, log._file._file.append

    def append(data: bytes) -> None:
        monkeypatch.setattr(file, "append", real)
        if written:
            real(data[: int(len(data) * written)])
        raise KeyboardInterrupt

    monkeypatch.setattr(file, "append", append)


@pytest.mark.parametrize("written", [0, 0.5, 1])
@pytest.mark.parametrize("at", ["the next point", "a commit", "the end"])
def test_an_interrupt_while_points_are_sealed_loses_none_and_writes_none_twice(tmp_path, monkeypatch, written, at):
    path = tmp_path / "events.log"
    log = EventsLog.open(path, commit_seconds=NEVER)
    for step in range(500):
        log.append(step, {"loss": 1.0})
    interrupts(log, monkeypatch, written=written)
    seal = {"the next point": lambda: log.append(500, {"loss": 1.0}), "a commit": log.commit, "the end": log.close}[at]
    with pytest.raises(KeyboardInterrupt):
        seal()
    if at == "the end":
        log = EventsLog.open(path, commit_seconds=NEVER)
    for step in range(500, 503):
        log.append(step, {"loss": 1.0})
        assert steps_of(path) == list(range(step + 1))  # what a kill would leave
    log.close()
    assert steps_of(path) == list(range(503))
    assert [len(entry.payload["points"]) for entry in read_frames(path).entries] == [500, 3]


def test_an_interrupt_between_the_record_and_the_tail_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "events.log"
    log = unsealed(path)

    def restart(after: int) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(log._tail, "restart", restart)
    with pytest.raises(KeyboardInterrupt):
        log.commit()
    log.append(5, {"loss": 1.0})
    assert steps_of(path) == [0, 1, 2, 3, 4, 5]
    with durable_faults() as calls:
        log.close()
    assert calls[:2] == ["write", "fsync"]
    assert steps_of(path) == [0, 1, 2, 3, 4, 5]


def test_what_was_sealed_before_an_interrupt_is_made_durable_by_the_next_commit(tmp_path, monkeypatch):
    log = unsealed(tmp_path / "events.log")
    interrupts(log, monkeypatch, written=1)
    with pytest.raises(KeyboardInterrupt):
        log.commit()
    with durable_faults() as calls:
        log.commit()
    assert calls == ["fsync"]
    log.close()


def logged(log: EventsLog, num: int) -> None:
    for step in range(num):
        log.append(step, {"loss": 1.0})


def test_a_log_belongs_to_who_opened_it_last(tmp_path):
    path = tmp_path / "events.log"
    first = EventsLog.open(path, attempt=1, commit_seconds=NEVER)
    first.append(0, {"loss": 1.0})
    second = EventsLog.open(path, attempt=2, commit_seconds=NEVER)
    second.append(1, {"loss": 1.0})
    first.append(2, {"loss": 1.0})  # into a tail that has no name any more
    assert steps_of(path) == [0, 1]
    for use in (first.commit, lambda: logged(first, 500), first.close):
        with pytest.raises(Conflict, match="another process has opened, written to or deleted it since: it is another"):
            use()
    assert steps_of(path) == [0, 1]
    second.append(3, {"loss": 1.0})
    second.close()
    assert [(event.attempt, event.step) for event in read_step_events(path)] == [(1, 0), (2, 1), (2, 3)]
    assert [path.name for path in tmp_path.iterdir()] == ["events.log"]
    assert opened_files(tmp_path) == []


def test_who_lost_a_log_and_has_nothing_to_write_leaves_the_tail_of_its_writer(tmp_path):
    path = tmp_path / "events.log"
    first = EventsLog.open(path, commit_seconds=NEVER)
    second = EventsLog.open(path, commit_seconds=NEVER)
    second.append(1, {"loss": 1.0})
    with pytest.raises(Conflict, match="another process has opened"):
        first.close()
    assert steps_of(path) == [1]
    second.close()


@pytest.mark.parametrize("written", [0, 0.5, 1])
def test_who_was_interrupted_in_a_record_and_lost_the_log_cuts_nothing_off(tmp_path, monkeypatch, written):
    path = tmp_path / "events.log"
    first = EventsLog.open(path, attempt=1, commit_seconds=NEVER)
    first.append(0, {"loss": 1.0})
    interrupts(first, monkeypatch, written=written)
    with pytest.raises(KeyboardInterrupt):
        first.commit()
    second = EventsLog.open(path, attempt=2, commit_seconds=NEVER)
    second.append(1, {"loss": 1.0})
    second.commit()
    for use in (lambda: logged(first, 501), first.commit, first.close):
        with pytest.raises(Conflict, match="another process has opened"):
            use()
    second.close()
    assert [(event.attempt, event.step) for event in read_step_events(path)] == [(1, 0), (2, 1)]


def test_a_tail_that_two_make_at_one_moment_is_of_one_of_them(tmp_path):
    path = tmp_path / "events.log"
    tail_path(path).write_bytes(b"")
    log = EventsLog.open(path, commit_seconds=NEVER)
    with durable_faults(4, fails_with(errno.EEXIST)) as calls:
        log.append(0, {"loss": 1.0})
    assert calls == ["open", "open", "unlink", "open", "write"]
    assert steps_of(path) == [0]
    log.close()


STOPPED = """
import sys
from seedbed.errors import Conflict
from seedbed.records import Store, _status
from records_world import PROJECT, draft
_status._place = lambda: "another container"
run = Store.open(sys.argv[1]).start(PROJECT, "r1")
notes = run.journal("notes")
notes.append("noted", {"attempt": 1})
run.log(1, {"loss": 1.0})
run.log(2, {"loss": 0.5})
print("logged", flush=True)
sys.stdin.readline()
run._events._committer._thread.join(60)  # which has points to seal
for use in (
    lambda: run.log(9, {"loss": 0.1}),
    lambda: notes.append("noted", {"attempt": 1}),
    lambda: run.journal("others"),
    lambda: run.finish(draft("r1")),
):
    try:
        use()
    except Conflict:
        print("Conflict", flush=True)
"""


@pytest.mark.slow
def test_a_process_that_is_continued_writes_nothing_into_the_logs_of_the_attempt_that_replaced_it(
    tmp_path, monkeypatch
):
    store = Store.open(tmp_path / "store", create=True)
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED, store.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    ) as stopped:
        assert stopped.stdout is not None
        assert stopped.stdout.readline() == "logged\n"
        stopped.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(_status, "STALE_AFTER", timedelta(0))  # rather than to wait a minute
        run = store.start("flights", "r1")
        notes = run.journal("notes")
        notes.append("noted", {"attempt": 2})
        run.log(3, {"loss": 0.25})
        stopped.send_signal(signal.SIGCONT)
        told = stopped.communicate("go on\n", timeout=120)[0]
    assert told.split() == ["Conflict"] * 4
    run.log(4, {"loss": 0.125})
    notes.append("noted", {"attempt": 2})
    run.finish(draft("r1", attempt=2))
    events = run_events(store, store.find("r1"))
    assert [(event.attempt, event.step) for event in events] == [(1, 1), (1, 2), (2, 3), (2, 4)]
    assert [entry.payload["attempt"] for entry in read_journal(run.folder / "notes.log")] == [1, 2, 2]
    assert fsck(store) == []
    assert not (run.folder / "others.log").exists()


def test_a_log_that_took_no_point_is_closed_without_a_tail(tmp_path):
    log = EventsLog.open(tmp_path / "events.log", commit_seconds=NEVER)
    log.abandon()
    assert opened_files(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["events.log"]
