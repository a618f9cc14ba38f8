"""Run by the crash tests in a process of its own: dies at every durable call, in turn, and loses power after every one.

    python records_crash_program.py commit|again|repair|power|power-again|faults|events|flat-out STORE [--every 1]

After every death the store must open, hold all that was acknowledged, show no damage, and accept the next writer; what
was not acknowledged is absent or whole. `again` kills the next attempt in turn, and `power-again` cuts the power while
it goes on in what the dead one left. `faults` lets every call fail instead, and `events` cuts a log at every byte.
`flat-out` kills loops that log as fast as they can, each after a random number of points.
`--every` leaves points out, `--random` adds states that a power cut may leave.
Prints one JSON line: `points`, and in how many of them the commit `stood`; of `flat-out` the points that were logged.
"""

import argparse
import contextlib
import errno
import json
import logging
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from logging.handlers import BufferingHandler
from pathlib import Path
from unittest import mock

from records_power import Disk, Promised, states, write
from records_world import PROJECT, commit, draft

from seedbed.contracts import Stage
from seedbed.errors import NotFound, StoreUnavailable
from seedbed.records import Journal, PromotionRule, Store, _store, fsck, gc, read_journal, read_step_events, repair
from seedbed.records._status import this_process
from seedbed.records.journal import EventsLog
from seedbed.records.log import _log
from seedbed.testing import FakeClock, dies, durable_faults, fails_with

GONE = this_process().model_copy(update={"start_ticks": 1})  # who started runs before a power cut runs no more


def require(holds):
    assert holds


def finish(store, run_id, promise=lambda _: None):
    """A run that asks of a store all that a run can; `promise` is told, at each acknowledgement, how to look for it."""
    with store.start(PROJECT, run_id, Stage.TRAINING) as run:  # which also stops its log's own thread when it fails
        run._commit_seconds = 1e6  # the log's own thread would make durable calls whenever the machine is slow
        run.log(1, {"loss": 0.5})
        promise(lambda store: store.find(run_id))
        blob = run.save_blob("weights", bytes(6000) + run_id.encode())
        promise(lambda store: store.blobs.get(blob))
        place = (run.folder / "changes.log").relative_to(store.work)
        with Journal.open(run.folder / "changes.log") as journal:
            for number in range(len(journal.entries()) + 1, len(journal.entries()) + 3):
                journal.append("applied", {"value": number})
                promise(lambda store, number=number: require(len(read_journal(store.work / place)) >= number))
        better = 0.5 + store.log(PROJECT).head() / 1000
        with warnings_of("seedbed.records") as told:
            found = run.finish(draft(run_id, attempt=run.attempt, ap=better))
        promise(lambda store: require(store.log(PROJECT).read(found.seq).digest == found.digest))
        if not any("makes it a baseline" in text for text in told):  # what could not be written is told
            promise(lambda store: require(baseline(store, found).snapshot_seq >= found.seq))


@contextlib.contextmanager
def warnings_of(name):
    """The warnings that the logger `name` gives within the block."""
    handler = BufferingHandler(10_000)
    logging.getLogger(name).addHandler(handler)
    told: list[str] = []
    try:
        yield told
    finally:
        logging.getLogger(name).removeHandler(handler)
        told += [record.getMessage() for record in handler.buffer]


def baseline(store, found):
    return store.log(PROJECT).baselines.of(found.snapshot.digests["comparison_group"])


def begin(path):
    """A store whose project promotes by a rule."""
    store = Store.open(path, create=True)
    store.log(PROJECT).baselines.set_rule(PromotionRule(metric="metrics.test.ap"), "the best", store.clock.now())
    return store


def survives(action, at):
    """Run `action` in a child that dies at durable call `at`; whether it ended before that."""
    child = os.fork()
    if child == 0:
        with durable_faults(at, dies):
            action()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 137), f"the child failed by itself at call {at}"
    return status == 0


def run_ids(store):
    return [item.snapshot.run_id for item in store.log(PROJECT).commits()]


def require_undamaged(store):
    damage = [finding for finding in fsck(store) if finding.kind.is_damage]
    assert not damage, damage


def require_repairable(path):
    """After repair and gc nothing is left to say. A blob of an attempt that never committed is no commit's, so gc's."""
    repair(later(path))
    gc(later(path))
    left = fsck(later(path))
    assert left == [], left


def commits(path, _):
    """Killed at every call of a run; the next attempt goes on in what the dead one left."""
    begin(path)
    acknowledged: list[str] = []
    deaths, standing = 0, 0
    while True:
        run_id = f"r{deaths}"
        if survives(lambda run_id=run_id: finish(Store.open(path), run_id), deaths + 1):
            break
        deaths += 1
        store = Store.open(path)
        found = run_ids(store)
        assert found in (acknowledged, [*acknowledged, run_id]), found
        require_undamaged(store)
        if found == acknowledged:
            finish(store, run_id)
        else:
            standing += 1
        acknowledged.append(run_id)
    assert run_ids(Store.open(path)) == [*acknowledged, run_id]
    require_repairable(path)
    return deaths, standing


def again(path, options):
    """Killed at a call of a run, and then at a call of the attempt that follows it, and then one ends it."""
    deaths, standing, first = 0, 0, 1
    while True:
        left = path.with_name(f"left-{first}")
        begin(left)
        if survives(lambda left=left: finish(Store.open(left), "r1"), first):
            return deaths, standing
        for second in range(first % options.every + 1, 1000, options.every):
            store = path.with_name("again")
            shutil.copytree(left, store)
            ended = survives(lambda store=store: go_on(Store.open(store)), second)
            standing += run_ids(Store.open(store)) == ["r1"]
            go_on(Store.open(store))
            assert run_ids(Store.open(store)) == ["r1"]
            require_undamaged(Store.open(store))
            shutil.rmtree(store)
            if ended:
                break
            deaths += 1
        first += options.every


def go_on(store, promise=lambda _: None):
    """Make sure that r1 is committed, as whoever starts a pipeline again does."""
    if run_ids(store) == ["r1"]:
        return
    finish(store, "r1", promise)


def repairs(path, _):
    """Killed at every call of a repair; the next repair ends it."""
    store = Store.open(path, create=True)
    for run_id in ("r1", "r2"):
        commit(store, run_id)
    folder = store.find("r1").folder
    (folder / "snapshot.json").unlink()
    (folder / "audit_run.json").write_bytes(b"")
    (folder / "events.log").write_bytes((folder / "events.log").read_bytes() + b'{"body"')
    (folder / ".tmp-left").write_bytes(b"half")
    os.utime(folder / ".tmp-left", (0, 0))
    next((store.work / "latest").rglob("LATEST.json")).unlink()
    deaths = 0
    while True:
        broken = path.with_name(f"broken-{deaths}")
        shutil.copytree(path, broken)
        if survives(lambda broken=broken: repair(Store.open(broken)), deaths + 1):
            return deaths, 0
        deaths += 1
        require_undamaged(Store.open(broken))
        require_repairable(broken)


def power(path, options):
    """Power lost after every call of two runs in a store that the first of them makes."""
    path.mkdir()
    disk = Disk(path)
    with disk.recording(), gone():
        begin(path / "store")
        disk.promise(lambda _: None)
        for run_id in ("r1", "r2"):
            finish(Store.open(path / "store"), run_id, disk.promise)
        store = Store.open(path / "store")
        quiet = store.start(PROJECT, "r3", Stage.TRAINING).finish(draft("r3"))
        disk.promise(lambda store: require(store.log(PROJECT).read(quiet.seq).digest == quiet.digest))
    return cut(disk, range(0, len(disk.calls) + 1, options.every), options)


def power_again(path, options):
    """Power lost in the attempt that follows one which was killed at a call of its own, wherever that was."""
    points, stood, first = 0, 0, 1
    while True:
        root = path.with_name(f"after-{first}")
        root.mkdir()
        begin(root / "store")
        disk = Disk(root)
        with disk.recording(first), gone():
            finish(Store.open(root / "store"), "r1")
        killed = disk.died
        with disk.recording(), gone():
            go_on(Store.open(root / "store"), disk.promise)
            finish(Store.open(root / "store"), "r2", disk.promise)
        promises = [at + 1 for at, call in enumerate(disk.calls) if isinstance(call, Promised)]
        more = cut(disk, promises, options)
        points, stood = points + more[0], stood + more[1]
        shutil.rmtree(root)
        if not killed:
            return points, stood
        first += options.every


def faults(path, _):
    """Every call of a run fails, with each error in turn; what was acknowledged before is there, the next goes on."""
    points, stood = 0, 0
    for error in (errno.EIO, errno.ENOSPC, errno.EROFS, errno.EMFILE):
        store = path.with_name(errno.errorcode[error])
        begin(store)
        for at in count(1):
            run_id = f"r{at}"
            promises: list[Callable[[Store], None]] = []
            with durable_faults(at, fails_with(error)) as calls, contextlib.suppress(StoreUnavailable):
                finish(Store.open(store), run_id, promises.append)
            for promise in promises:
                promise(Store.open(store))
            committed = run_ids(Store.open(store)).count(run_id)
            assert committed <= 1
            if len(calls) < at:
                break
            points, stood = points + 1, stood + committed
        assert committed == 1
        require_undamaged(Store.open(store))
    return points, stood


def events(path, _):
    """A log of step metrics cut at every byte: every whole record is read, and the next one is appended behind them."""
    with EventsLog.open(path) as log:
        for step in range(20):
            log.append(step, {"loss": 1 / (step + 1), "odd": float("nan") if step % 3 else float("inf")})
            log.commit()
    data, cut = path.read_bytes(), path.with_name("cut.log")
    whole = 0
    for upto in range(len(data) + 1):
        cut.write_bytes(data[:upto])
        steps = [event.step for event in read_step_events(cut)]
        assert steps == list(range(data[:upto].count(b"\n"))), upto
        with EventsLog.open(cut) as log:
            log.append(99, {"loss": 0.0})
        assert [event.step for event in read_step_events(cut)] == [*steps, 99], upto
        whole += len(steps) == 20
    return len(data) + 1, whole


def flat_out(path, options):
    """A loop that logs as fast as it can is killed wherever it is then: each point that `log` took is there, once."""
    rng, num_points = random.Random(options.seed), 0
    for kill in range(options.kills):
        log, taken = path.with_name(f"{kill}.log"), path.with_name(f"{kill}.taken")
        least = rng.randrange(2501, 20_000)
        with subprocess.Popen([sys.executable, "-c", LOGS, log, taken, str(least)], stdout=subprocess.PIPE) as logging:
            assert logging.stdout
            logging.stdout.readline()  # it has taken so many, and goes on
            logging.kill()
        acknowledged = int.from_bytes(taken.read_bytes(), sys.byteorder)
        assert acknowledged >= least, kill
        steps = [event.step for event in read_step_events(log)]
        assert steps == list(range(len(steps))), kill
        assert len(steps) >= acknowledged, (kill, len(steps), acknowledged)
        EventsLog.open(log).close()
        assert [event.step for event in read_step_events(log)] == steps, kill
        num_points += acknowledged
    return num_points, options.kills


# Counts the points that `log` has taken in a mapped file of its own, which a kill leaves as it is.
LOGS = """
import mmap, sys
from pathlib import Path
from seedbed.records.journal import EventsLog
Path(sys.argv[2]).write_bytes(bytes(8))
with open(sys.argv[2], "r+b") as file:
    taken = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
log, least = EventsLog.open(Path(sys.argv[1])), int(sys.argv[3])
while True:
    log.append(taken[0], {"loss": 1 / (taken[0] + 1), "ap": 0.5})
    taken[0] += 1
    if taken[0] == least:
        print(flush=True)
"""


@contextlib.contextmanager
def gone():
    with mock.patch.object(_store, "this_process", return_value=GONE):
        yield


def cut(disk, points, options):
    """Look at what a power cut may leave at each of `points` of what `disk` recorded."""
    rng, seen, stood = random.Random(0), set(), 0
    for upto in points:
        promises = [call.check for call in disk.calls[:upto] if isinstance(call, Promised)]
        for tree in states(disk, upto, rng, options.random):
            key = hash((frozenset(tree.items()), len(promises)))
            if key in seen:
                continue
            seen.add(key)
            root = disk.root.with_name("cut")
            write(tree, root)
            try:
                stood += look_after(root / "store", promises)
            except BaseException:
                sys.stderr.write(f"power lost after call {upto} of {len(disk.calls)}: {sorted(tree)}\n")
                raise
            shutil.rmtree(root)
    return len(seen), stood


def look_after(path, promises):
    """All that was promised is there, nothing is damaged, and the next writer goes on."""
    try:
        store = Store.open(path)
    except NotFound:
        assert not promises
        store = begin(path)
    for promise in promises:
        promise(store)
    found = run_ids(store)
    runs = ["r1", "r2", "r3", "r4"]
    assert found == runs[: len(found)], found
    require_undamaged(store)
    finish(store, runs[len(found)])
    assert run_ids(Store.open(path)) == runs[: len(found) + 1]
    require_repairable(path)
    return bool(found)


def later(path):
    """The store as it is found long after, when what a dead process left is old."""
    clock = FakeClock()
    clock.advance(3600 * 24 * 365 * 30)
    return Store.open(path, clock=clock)


def main():
    programs = {"commit": commits, "again": again, "repair": repairs, "power": power, "power-again": power_again}
    programs |= {"faults": faults, "events": events, "flat-out": flat_out}
    parser = argparse.ArgumentParser()
    parser.add_argument("program", choices=programs)
    parser.add_argument("store", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--random", type=int, default=2)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    _log.CHECKPOINT_EVERY = 1
    points, stood = programs[options.program](options.store, options)
    sys.stdout.write(json.dumps({"points": points, "stood": stood}))


if __name__ == "__main__":
    main()
