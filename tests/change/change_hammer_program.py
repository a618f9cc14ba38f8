"""Run by the crash tests: two processes add 1 to one value of one settings file, each through an engine of its own.

    python change_hammer_program.py FOLDER TIMES

Each process proposes TIMES times, at once with the other. Prints one JSON line: how many additions were `acknowledged`
as applied, the `value` that the file holds in the end, and how many proposals were `retried`.
"""

import json
import os
import sys
from pathlib import Path

from seedbed.change import Add, ChangeEngine, Delta, Kind, Parameter, Registry, SettingsFile
from seedbed.change._history import fold
from seedbed.records import Journal, read_journal, read_json_with_hash

REGISTRY = Registry([Parameter(key, "1", 0.0, 1e6) for key in ("count", "other")])


class Reader:
    """Holds what the file holds."""

    def __init__(self, path):
        self.path = path

    def reload(self):
        return REGISTRY.get_all(read_json_with_hash(self.path)[0])


def opened(folder):
    path = folder / "settings.json"
    return SettingsFile(path, REGISTRY, Reader(path))


def add(folder, name, times):
    with Journal.open(folder / f"{name}.log") as journal:
        engine = ChangeEngine(journal, opened(folder), REGISTRY)
        for step in range(times):
            engine.propose(Delta("count", Add(1.0), "one more", name), step)
        assert fold(journal.entries()) == engine.history


def begun(folder, name, times, start):
    """A process that adds as soon as `start`, a pipe's end, is let go by the parent."""
    child = os.fork()
    if child == 0:
        os.read(start, 1)
        add(folder, name, times)
        os._exit(0)
    return child


def main():
    folder, times = Path(sys.argv[1]), int(sys.argv[2])
    opened(folder).create({"count": 0.0, "other": 0.0})
    start, go = os.pipe()
    children = [begun(folder, name, times, start) for name in ("one", "two")]
    os.write(go, b"go")
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    kinds = [entry.kind for name in ("one", "two") for entry in read_journal(folder / f"{name}.log")]
    value = opened(folder).read()["count"]
    found = {"acknowledged": kinds.count(Kind.APPLIED), "value": value, "retried": kinds.count(Kind.RETRIED)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
