"""Run by the crash tests in a process of its own: it dies at every durable call of one proposal of three deltas.

    python change_crash_program.py kill|refused FOLDER

`kill` lets the process die, `refused` lets the call fail with EIO. The consumer is in turn `honest`, `silent` (it never
answers) and `clamps` (so that the proposal is undone). A third of the deaths is looked at again after a rival put a
value of its own into the file. Prints one JSON line: by consumer the number of points, and how often the changes were
found applied, failed and superseded.
"""

import errno
import json
import os
import shutil
import sys
from collections import Counter
from itertools import count
from pathlib import Path

from seedbed.change import ChangeEngine, ChangeRecord, Delta, Kind, Parameter, Registry, Set, SettingsFile
from seedbed.change._history import fold
from seedbed.contracts import Outcome
from seedbed.errors import StoreUnavailable
from seedbed.records import Journal, atomic_write_json, read_journal, read_json_with_hash
from seedbed.testing import dies, durable_faults, fails_with

REGISTRY = Registry([Parameter(key, "1", 0.0, 100.0, path=("s", key)) for key in "abc"])
BEFORE, AFTER = dict.fromkeys("abc", 10.0), {"a": 20.0, "b": 30.0, "c": 40.0}
THIRD = 77.0


class Reader:
    """Holds what the file holds, as far as its kind allows."""

    def __init__(self, path, kind):
        self.path, self.kind, self.values = path, kind, BEFORE

    def reload(self):
        self.values = REGISTRY.get_all(read_json_with_hash(self.path)[0])
        if self.kind == "clamps":
            self.values = {key: min(value, 25.0) for key, value in self.values.items()}
        return None if self.kind == "silent" else self.values


class World:
    """One process's view: the journal and the file in a folder, a reader, an engine."""

    def __init__(self, folder, kind):
        self.path = folder / "settings.json"
        self.reader = Reader(self.path, kind)
        self.file = SettingsFile(self.path, REGISTRY, self.reader)
        if not self.path.exists():
            self.file.create(BEFORE)
        self.reader.reload()
        self.journal = Journal.open(folder / "changes.log")
        self.engine = ChangeEngine(self.journal, self.file, REGISTRY)

    def propose(self):
        return self.engine.propose_all([Delta(key, Set(value), "r", "me") for key, value in AFTER.items()], 1)


def survives(action, at):
    child = os.fork()
    if child == 0:
        with durable_faults(at, dies):
            action()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 137), f"the child failed by itself at call {at}"
    return status == 0


def kill(root, kind):
    found: Counter[str] = Counter()
    for at in count(1):
        folder = root / f"at-{at}"
        World(folder, kind)
        ended = survives(lambda folder=folder: World(folder, kind).propose(), at)
        if at % 3 == 0:
            shutil.copytree(folder, root / "rival")
            look_after_a_rival(root / "rival", kind)
            shutil.rmtree(root / "rival")
        world = World(folder, kind)
        world.engine.recover(1)
        found[look_after(world, kind)] += 1
        found["points"] += not ended
        if ended:
            break
    return found


def refused(root, kind):
    found: Counter[str] = Counter()
    for at in count(1):
        folder = root / f"at-{at}"
        world = World(folder, kind)
        acknowledged: tuple[ChangeRecord, ...] = ()
        with durable_faults(at, fails_with(errno.EIO)) as calls:
            try:
                acknowledged = world.propose()
            except StoreUnavailable:
                assert len(calls) >= at
        for record in acknowledged:
            assert record.phase in {Kind.APPLIED, Kind.ROLLED_BACK}
        again = World(folder, kind)
        again.engine.recover(1)
        found[look_after(again, kind)] += 1
        if len(calls) < at:
            break
        found["points"] += 1
    return found


def look_after(world, kind):
    """The changes are all applied or all not, as the file has it, and the engine goes on; which of the two."""
    history, values = world.engine.history, world.file.read()
    assert fold(read_journal(world.journal.path)) == history
    assert values in (BEFORE, AFTER), values
    phases = {record.phase for record in history.records}
    # That the former value came back may be said of some only: it did for all, as the file tells.
    assert len(phases) <= 1 or phases == {Kind.FAILED, Kind.ROLLED_BACK}, phases
    word = min((phase.value for phase in phases), default="superseded")
    if word == "applied":
        assert values == AFTER
        assert kind != "clamps"
    else:
        assert word in {"superseded", "failed", "rolled_back"}, word
        assert values == BEFORE
        assert kind == "silent" or world.reader.values == BEFORE
    if word == "superseded":
        world.propose()
    world.reader.reload()
    world.file.note_use(world.reader.values)
    expected = Outcome.FAILED if kind == "clamps" else Outcome.EFFECTIVE
    assert [record.outcome for record in history.records] == [expected] * 3, history.records
    return word


def look_after_a_rival(folder, kind):
    """A value that is neither the old nor the new one: whether it replaced the new one nobody can say."""
    was = [entry.kind for entry in read_journal(folder / "changes.log")]
    document = REGISTRY.document({**REGISTRY.get_all(read_json_with_hash(folder / "settings.json")[0]), "b": THIRD})
    atomic_write_json(folder / "settings.json", document)
    world = World(folder, kind)
    world.engine.recover(1)
    history, values = world.engine.history, world.file.read()
    assert values["b"] == THIRD
    phases = {record.delta.parameter: record.phase for record in history.records}
    if was.count("intent") < 3:
        assert not phases
    elif "applied" not in was and "failed" not in was:
        assert phases["b"] is Kind.UNKNOWN
        assert {phases["a"], phases["c"]} <= {Kind.FAILED, Kind.ROLLED_BACK}
        assert (values["a"], values["c"]) == (BEFORE["a"], BEFORE["c"])
    assert Kind.APPLIED not in phases.values() or kind != "clamps"


def main():
    program, folder = sys.argv[1:]
    tried = {"kill": kill, "refused": refused}[program]
    found = {kind: tried(Path(folder) / kind, kind) for kind in ("honest", "silent", "clamps")}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
