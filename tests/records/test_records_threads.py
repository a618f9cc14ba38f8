"""Threads of one process share a log; and a child that is forked meanwhile has it as it is."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from records_world import PROJECT, again, commit, draft, store_of_three

from seedbed.contracts import Stage
from seedbed.records import Baselines, Commit, Store, fsck
from seedbed.records.journal import EventsLog
from seedbed.records.log import CommitLog
from seedbed.records.storage._owner import OwnLock

AT = datetime(2026, 1, 1, tzinfo=UTC)
LONG = 30  # seconds, of which nothing here takes one
LOOKS: dict[str, Callable[[CommitLog], object]] = {
    "head": lambda log: log.head(),
    "headers": lambda log: [header.run_id for header in log.headers()],
    "header": lambda log: log.header(2).run_id,
    "lost": lambda log: log.lost(),
    "readable": lambda log: log.readable(2),
    "commits": lambda log: [found.seq for found in log.commits()],
    "newest_commit": lambda log: log.newest_commit(),
    "find": lambda log: log.find("r3", Stage.TRAINING),
    "without_commit": lambda log: log.without_commit([("r3", Stage.TRAINING), ("r4", Stage.TRAINING)]),
    "run_ids": lambda log: log.run_ids(),
    "newest": lambda log: log.newest("2013", Stage.TRAINING),
    "in_group": lambda log: log.in_group(log.header(1).group),
    "same": lambda log: log.same(log.read(2)),
    "diff": lambda log: log.diff(log.read(2), log.read(3)),
    "replicate_of": lambda log: log.replicate_of(log.read(3)),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of_three(tmp_path / "store")


@contextlib.contextmanager
def thread(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """A thread that does `work` while the block runs, and ends it after."""
    found = threading.Thread(target=work, daemon=True)
    found.start()
    yield found
    found.join(LONG)
    assert not found.is_alive()


def child(work: Callable[[], bool]) -> bool:
    """Whether `work` holds in a forked child; one that waits for ever is ended."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(LONG)
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_threads_that_share_a_store_leave_no_hole_in_the_log(store: Store) -> None:
    def work(name: int) -> None:
        for at in range(6):
            commit(store, f"t{name}-{at}")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.log(PROJECT).head() == 39
    assert sorted(path.name for path in (store.work / "log" / PROJECT).iterdir()) == [
        f"{seq:020d}.json" for seq in range(1, 40)
    ]
    assert not [found for found in fsck(again(store)) if found.kind.is_damage]


@pytest.mark.parametrize("look", LOOKS)
def test_who_looks_at_the_log_has_it_alone(store: Store, monkeypatch: pytest.MonkeyPatch, look: str) -> None:
    log = again(store).log(PROJECT)
    real, looked = log._current_headers, []

    def other() -> None:
        looked.append(log._lock._lock.acquire(blocking=False))
        if looked[-1]:
            log._lock._lock.release()

    def watched() -> object:
        with thread(other):
            pass
        return real()

    expected = LOOKS[look](again(store).log(PROJECT))
    monkeypatch.setattr(log, "_current_headers", watched)
    assert LOOKS[look](log) == expected
    assert looked
    assert not any(looked), "another thread could change it meanwhile"


def test_what_was_found_stays_as_it_was_while_others_record(store: Store) -> None:
    log = store.log(PROJECT)
    headers, group, runs, lost = log.headers(), log.in_group(log.header(1).group), log.run_ids(), log.lost()
    first = next(headers)
    commit(store, "r4")
    assert [first.run_id, *(header.run_id for header in headers)] == ["r1", "r2", "r3"]
    assert (list(group), runs, lost) == ([1, 2, 3], {"r1", "r2", "r3"}, [])


def test_a_reader_does_not_wait_while_a_writer_waits_for_its_turn(store: Store) -> None:
    found: list[object] = []

    @contextlib.contextmanager
    def turn() -> Iterator[Callable[[], None]]:
        with thread(lambda: found.extend([log.head(), store.find("r1").run_id])) as reader:
            reader.join(LONG)
            assert not reader.is_alive(), "the turn has not come, and nobody may wait for it but the writer"
        yield lambda: None

    log = store.log(PROJECT)
    log._turn = turn
    assert log.append(draft("r4"), {}, AT).seq == 4
    assert found == [3, "r1"]


def test_threads_that_append_take_turns_one_at_a_time(store: Store) -> None:
    within: list[str] = []

    @contextlib.contextmanager
    def turn() -> Iterator[Callable[[], None]]:
        assert within == []
        within.append("a turn")
        yield lambda: None
        within.pop()

    log = store.log(PROJECT)
    log._turn = turn
    with contextlib.ExitStack() as until_ended:
        for name in ("a", "b", "c", "d"):
            until_ended.enter_context(thread(partial(log.append, draft(name), {}, AT)))
    assert {header.run_id for header in log.headers()} == {"r1", "r2", "r3", "a", "b", "c", "d"}


def test_a_commit_that_a_reader_of_this_process_read_first_is_there_once(store: Store) -> None:
    log = store.log(PROJECT)
    real, seen = log._take_own, []

    def overtaken(made: Commit) -> None:
        seen.append(log.head())
        real(made)

    log._take_own = overtaken  # type: ignore[method-assign, assignment]
    assert log.append(draft("r4"), {}, AT).seq == 4
    assert [header.seq for header in log.headers()] == [1, 2, 3, 4]
    assert log.append(draft("r5"), {}, AT).snapshot.diff_prev.prev_run_id == "r4"
    assert seen == [4, 5]


def test_two_threads_that_ask_for_a_log_first_have_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[CommitLog] = []
    real = CommitLog.__init__

    def overtaken(log: CommitLog, *given: object) -> None:
        if not found:
            monkeypatch.undo()
            with thread(lambda: found.append(store.log("other"))):
                pass
        real(log, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(CommitLog, "__init__", overtaken)
    assert [store.log("other")] == found


def test_a_child_that_is_forked_while_a_thread_records_reads_on(store: Store) -> None:
    log = store.log(PROJECT)
    with log._lock:
        child = os.fork()
        if child == 0:
            os._exit(log.head())  # with the lock of its parent it would wait for ever
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_that_is_forked_while_a_thread_takes_up_a_commit_reads_anew(store: Store) -> None:
    log, there, ends = store.log(PROJECT), threading.Event(), threading.Event()
    commit(again(store), "r4", ap=0.8)
    assert log.head() == 4
    commit(again(store), "r5")
    headers = log._headers
    assert headers is not None
    append = headers._cohorts.append

    def stopped(text: str) -> None:
        there.set()
        assert ends.wait(LONG)
        append(text)

    headers._cohorts.append = stopped  # type: ignore[method-assign]
    with thread(log.head):
        assert there.wait(LONG)

        def holds() -> bool:
            found = [header.run_id for header in log.headers()] == ["r1", "r2", "r3", "r4", "r5"]
            made = log.append(draft("r6"), {}, AT)
            return found and (made.seq, made.snapshot.diff_prev.prev_run_id) == (6, "r5")

        assert child(holds)
        ends.set()
    assert log.append(draft("r7"), {}, AT).seq == 7
    assert not [found for found in fsck(again(store)) if found.kind.is_damage]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_that_is_forked_while_a_thread_promotes_reads_the_baselines_anew(store: Store) -> None:
    log, there, ends = store.log(PROJECT), threading.Event(), threading.Event()
    first = log.read(1)
    group = first.snapshot.digests["comparison_group"]
    ours = log.baselines
    apply = ours._apply

    def stopped(record: object) -> None:
        ours._num_read += 1  # half of it
        there.set()
        assert ends.wait(LONG)
        ours._num_read -= 1
        apply(record)  # type: ignore[arg-type]

    ours._apply = stopped  # type: ignore[method-assign]
    with thread(lambda: ours.promote(first, "the release", AT)):
        assert there.wait(LONG)

        def holds() -> bool:
            ours._apply = apply  # type: ignore[method-assign]
            found = ours.of(group)
            return found is not None and found.run_id == "r1"

        assert child(holds)
        ends.set()
    assert [item.run_id for item in Baselines(store.files, PROJECT).current()] == ["r1"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_lock_that_a_thread_held_when_a_child_was_forked_is_another_one_there() -> None:
    forgotten: list[str] = []
    held, free = OwnLock(lambda: forgotten.append("held")), OwnLock(lambda: forgotten.append("free"))
    plain, there, ends = OwnLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with held, plain:
            there.set()
            assert ends.wait(LONG)

    def holds() -> bool:
        with held, free, plain:
            return forgotten == ["held"]

    with thread(hold), free:  # which the thread that forks has, and ends in the child too
        assert there.wait(LONG)
        assert child(holds)
        ends.set()
    assert forgotten == []


def test_only_what_a_thread_had_is_forgotten_in_a_child() -> None:
    """As in a child, which is told so when it is forked."""
    forgotten: list[str] = []
    held, free = OwnLock(lambda: forgotten.append("held")), OwnLock(lambda: forgotten.append("free"))
    plain, there, ends = OwnLock(), threading.Event(), threading.Event()
    before = held._lock, plain._lock

    def hold() -> None:
        with before[0], before[1]:
            there.set()
            assert ends.wait(LONG)

    with thread(hold):
        assert there.wait(LONG)
        OwnLock._forked()
        with held, free, plain:
            assert forgotten == ["held"]
        ends.set()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_log_that_a_child_drops_does_not_wait_for_its_parents_thread(tmp_path: Path) -> None:
    logs = [EventsLog.open(tmp_path / "events.log")]
    held, ends, stopped = threading.Event(), threading.Event(), logs[0]._committer._stopped

    def hold() -> None:
        with stopped._cond:  # type: ignore[attr-defined]
            held.set()
            assert ends.wait(LONG)

    with thread(hold):
        assert held.wait(LONG)

        def drops() -> bool:
            logs.clear()
            return True

        assert child(drops)
        ends.set()
    logs[0].close()
