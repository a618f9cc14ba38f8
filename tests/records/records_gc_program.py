"""Run by the tests of garbage collection, in processes of their own.

python records_gc_program.py STORE sweep      sweep again and again until standard input ends
python records_gc_program.py STORE WRITER     finish 30 runs that all name the same few blobs, each made old first
python records_gc_program.py FOLDER die       sweep stores, dying at every durable call in turn
"""

import contextlib
import os
import select
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from records_world import PROJECT, draft

from seedbed.contracts import Stage
from seedbed.errors import NotFound
from seedbed.records import RetentionPolicy, Store, fsck, gc, repair
from seedbed.records.canonical import digest_bytes
from seedbed.testing import dies, durable_faults

OLD = (datetime.now(UTC) - timedelta(days=2)).timestamp()
HOUR = timedelta(hours=1)
KEEP_ONE = RetentionPolicy.model_validate({"rules": [{"keep_last": 1}]})


def plant(store: Store, payload: bytes) -> None:
    """An old blob, where there is none: it appears with its age, so that no writer can have relied on it."""
    name = digest_bytes(payload)
    place = store.work / "blobs/sha256" / name[:2] / name
    place.parent.mkdir(parents=True, exist_ok=True)
    planted = store.work / f"planted-{os.getpid()}"
    planted.write_bytes(payload)
    os.utime(planted, (OLD, OLD))
    with contextlib.suppress(FileExistsError):
        os.link(planted, place)
    planted.unlink()


def writes(path: Path, name: str) -> None:
    store = Store.open(path)
    for number in range(30):
        payloads = [b"payload %d" % payload for payload in range(6 * number, 6 * number + 6)]
        for payload in payloads:
            plant(store, payload)
        finish(store, f"{name}{number}", payloads)


def finish(store: Store, run_id: str, payloads: list[bytes]) -> None:
    run = store.start(PROJECT, run_id, Stage.TRAINING)
    while True:
        for payload in payloads:
            run.save_blob(payload.decode().replace(" ", "-"), payload)
        try:
            sys.stdout.write(f"{run.finish(draft(run_id)).seq}\n")
        except NotFound:  # swept by a look that was taken before it was put again; nothing was committed
            continue
        return


def sweeps(path: Path) -> None:
    store = Store.open(path)
    rounds = num_swept = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        result = gc(store, grace=HOUR)
        rounds, num_swept = rounds + 1, num_swept + len(result.swept)
        if rounds == 1:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
    sys.stdout.write(f"{rounds} {num_swept}\n")


def survives(action, at: int) -> bool:
    """Whether a child lives through `action` though it is to die at the durable call numbered `at`."""
    child = os.fork()
    if child == 0:
        with durable_faults(at, dies):
            action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def make_old(store: Store) -> None:
    for item in [*store.files.list("blobs"), *store.files.list("runs")]:
        os.utime(store.work / item.key, (OLD, OLD))


def dying(folder: Path) -> None:
    deaths = 0
    while True:
        store = Store.open(folder / f"store-{deaths}", create=True)
        named = {}
        for run_id in ("r1", "r2", "r3"):
            run = store.start(PROJECT, run_id, Stage.TRAINING)
            run.log(1, {"loss": 0.5})
            named[run_id] = run.save_blob("weights", run_id.encode() * 3000)
            run.finish(draft(run_id))
        for number in range(3):
            store.blobs.put(b"orphan %d" % number)
        make_old(store)
        ended = survives(lambda store=store: gc(store, KEEP_ONE), deaths + 1)
        again = Store.open(store.work)
        assert [item.snapshot.run_id for item in again.log(PROJECT).commits()] == ["r1", "r2", "r3"]
        assert again.blobs.get(named["r3"]) == b"r3" * 3000
        assert not [finding for finding in fsck(again) if finding.kind.is_damage], fsck(again)
        repair(again)
        make_old(again)  # what the dead sweep had set aside was put back, young
        gc(again, KEEP_ONE)
        assert fsck(again) == []
        assert len(list(again.files.list("blobs"))) == 1
        if ended:
            break
        deaths += 1
    sys.stdout.write(f"{deaths}\n")


if __name__ == "__main__":
    if sys.argv[2] == "sweep":
        sweeps(Path(sys.argv[1]))
    elif sys.argv[2] == "die":
        dying(Path(sys.argv[1]))
    else:
        writes(Path(sys.argv[1]), sys.argv[2])
