"""Run by the crash tests in a process of its own: forks children that die at every durable call, in turn.

    python records_crash_program.py STORE commit|repair

After every death the store must open, hold every acknowledged commit, show no damage, and accept the next writer; what
was not acknowledged is absent or whole. Prints how many deaths there were, and in how many the commit stood.
"""

import os
import shutil
import sys
from pathlib import Path

from records_world import PROJECT, commit, draft

from seedbed.contracts import Stage
from seedbed.records import Journal, Store, fsck, repair
from seedbed.testing import FakeClock, dies, durable_faults


def finish(store: Store, run_id: str, attempt: int = 1) -> None:
    run = store.start(PROJECT, run_id, Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    run.save_blob("weights", bytes(6000))
    with Journal.open(run.path("changes.log")) as journal:
        journal.append("applied", {"value": 1})
    run.finish(draft(run_id, attempt=run.attempt))


def survives(action, at: int) -> bool:
    """Run `action` in a child that dies at durable call `at`; whether it ended before that."""
    child = os.fork()
    if child == 0:
        with durable_faults(at, dies):
            action()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 137), f"the child failed by itself at call {at}"
    return status == 0


def commits(path: Path) -> None:
    acknowledged, deaths, standing = ["first"], 0, 0
    commit(Store.open(path, create=True), "first")
    while True:
        run_id = f"r{deaths}"
        if survives(lambda run_id=run_id: finish(Store.open(path), run_id), deaths + 1):
            break
        deaths += 1
        store = Store.open(path)
        found = [item.snapshot.run_id for item in store.log(PROJECT).commits()]
        assert found in (acknowledged, [*acknowledged, run_id]), found
        assert not [finding for finding in fsck(store) if finding.kind.is_damage], fsck(store)
        if found == acknowledged:
            finish(store, run_id)  # the next attempt goes on in what the dead one left
        else:
            standing += 1
        acknowledged.append(run_id)
    store = Store.open(path)
    assert [item.snapshot.run_id for item in store.log(PROJECT).commits()] == [*acknowledged, run_id]
    repair(later(path))
    assert fsck(later(path)) == []
    sys.stdout.write(f"{deaths} {standing}\n")


def repairs(path: Path) -> None:
    store = Store.open(path, create=True)
    for run_id in ("r1", "r2"):
        commit(store, run_id)
    folder = store.find("r1").folder
    (folder / "metrics.json").unlink()
    (folder / "events.log").write_bytes((folder / "events.log").read_bytes() + b'{"body"')
    (folder / ".tmp-left").write_bytes(b"half")
    os.utime(folder / ".tmp-left", (0, 0))
    next((store.work / "latest").rglob("LATEST.json")).unlink()
    deaths = 0
    while True:
        broken = path.with_name(f"broken-{deaths}")
        shutil.copytree(path, broken)
        if survives(lambda broken=broken: repair(Store.open(broken)), deaths + 1):
            break
        deaths += 1
        assert not [finding for finding in fsck(Store.open(broken)) if finding.kind.is_damage]
        repair(later(broken))
        assert fsck(later(broken)) == []
    sys.stdout.write(f"{deaths} 0\n")


def later(path: Path) -> Store:
    """The store as it is found hours after, when what a dead process left is old."""
    clock = FakeClock()
    clock.advance(3600 * 24 * 365 * 30)
    return Store.open(path, clock=clock)


if __name__ == "__main__":
    {"commit": commits, "repair": repairs}[sys.argv[2]](Path(sys.argv[1]))
