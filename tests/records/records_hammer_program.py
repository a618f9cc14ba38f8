"""The hammer: writers that are killed, stopped and started again beside a reader that never stops.

    python records_hammer_program.py hammer STORE --processes 8 --count 200 --seed 0 [--act-every 8]
    python records_hammer_program.py write STORE --name w0 --first 0 --count 200
    python records_hammer_program.py read STORE

`hammer` runs the other two, each a process of its own, and prints one JSON line. Every few acknowledgements, at a
moment that the seed chooses, one writer gets SIGKILL (and is started again until all its runs are acknowledged; the
run that it was at is retried as the next attempt) or SIGSTOP (and SIGCONT some acknowledgements later).
"""

import argparse
import json
import os
import random
import select
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import IO

from records_world import PROJECT, commit

from seedbed.contracts import Stage
from seedbed.records import Catalog, Store, fsck, repair
from seedbed.records.log._headers import Header
from seedbed.testing import FakeClock

A_RUN_SECONDS = 0.006
MOST_STOPPED = 3


def write(options):
    """Finish runs, and say of each, once it is acknowledged, its number."""
    store = Store.open(options.store)
    for number in range(options.first, options.count):
        run_id = f"{options.name}-{number}"
        header = store.log(PROJECT).find(run_id, Stage.TRAINING)
        seq = header.seq if header else commit(store, run_id).seq
        sys.stdout.write(f"{run_id} {seq}\n")
        sys.stdout.flush()


def read(options):
    """Read all there is to read, again and again, until told to stop; the first thing that is wrong ends it."""
    reads: Counter[str] = Counter()
    known: list[Header] = []
    stop = selectors.DefaultSelector()
    stop.register(sys.stdin, selectors.EVENT_READ)
    while not stop.select(timeout=0):
        known = look_at_log(options.store, known, reads)
        look_at_views(options.store, reads)
        look_at_catalog(options.store, known, reads)
    sys.stdout.write(json.dumps(reads))


def look_at_log(path, known, reads):
    """A store opened anew shows every commit that was seen before, in its place, and no gap; the newest is whole."""
    log = Store.open(path).log(PROJECT)
    headers = list(log.headers())
    assert [header.seq for header in headers] == list(range(1, len(headers) + 1))
    assert headers[: len(known)] == known, "commits changed"
    for header in headers[len(known) :] or headers[-1:]:
        found = log.read(header.seq).snapshot
        assert found.run_id == header.run_id
        assert found.diff_prev.prev_snapshot_seq == (header.seq - 1 or None)
        reads["commits"] += 1
    reads["logs"] += 1
    return headers


def look_at_views(path, reads):
    """Every JSON file of the newest runs, and LATEST, parses; LATEST points to a commit that is there."""
    for pointer in (path / "latest").rglob("LATEST.json"):
        found = json.loads(pointer.read_bytes())
        assert (path / found["path"]).is_file(), f"LATEST dangles: {found}"
        reads["latest"] += 1
    folders = sorted((path / "runs" / PROJECT).glob("*/TRAINING"), key=lambda folder: folder.stat().st_mtime)
    for file in (file for folder in folders[-10:] for file in folder.glob("*.json")):
        json.loads(file.read_bytes())
        reads["views"] += 1


def look_at_catalog(path, known, reads):
    with Catalog.open(Store.open(path)) as catalog:
        assert len(catalog.search(project=PROJECT, limit=-1)) >= len(known)
    reads["catalogs"] += 1


def output_of(writer: subprocess.Popen[bytes]) -> IO[bytes]:
    assert writer.stdout is not None
    return writer.stdout


class Hammer:
    """The writers, the commits that they acknowledged, and the signals that they were sent."""

    def __init__(self, options):
        self.options = options
        self.rng = random.Random(options.seed)
        self.acknowledged: dict[str, int] = {}
        self.acknowledged_twice = []
        self.done: Counter[str] = Counter()
        self.stopped: dict[str, int] = {}
        self.writers: dict[str, subprocess.Popen[bytes]] = {}
        self.heard: dict[str, bytes] = {}
        self.working: set[str] = set()
        self.selector = selectors.DefaultSelector()
        self.next_act = self.rng.randint(1, options.act_every)

    def run(self):
        for at in range(self.options.processes):
            self.start(f"w{at}", 0)
        while self.writers:
            for key, _ in self.selector.select(timeout=1):
                self.hear(key.data)
            if len(self.acknowledged) >= self.next_act or len(self.stopped) == len(self.writers):
                self.next_act = len(self.acknowledged) + self.rng.randint(1, 2 * self.options.act_every)
                self.act()

    def start(self, name, first):
        arguments = ["--name", name, "--first", str(first), "--count", str(self.options.count)]
        command = [sys.executable, __file__, "write", str(self.options.store), *arguments]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.writers[name] = writer
        self.heard[name] = b""
        self.selector.register(output_of(writer), selectors.EVENT_READ, name)

    def hear(self, name):
        found = os.read(output_of(self.writers[name]).fileno(), 65536)
        if not found:
            self.ended(name)
            return
        *lines, self.heard[name] = (self.heard[name] + found).split(b"\n")
        for line in lines:
            run_id, seq = line.decode().split()
            if run_id in self.acknowledged:
                self.acknowledged_twice.append(run_id)
            self.acknowledged[run_id] = int(seq)
            self.working.add(name)

    def ended(self, name):
        writer = self.writers.pop(name)
        self.selector.unregister(output_of(writer))
        output_of(writer).close()
        self.stopped.pop(name, None)
        self.working.discard(name)
        code = writer.wait()
        assert code in (0, -signal.SIGKILL), f"writer {name} exited {code}"
        first = sum(run_id.startswith(f"{name}-") for run_id in self.acknowledged)
        if first < self.options.count:
            self.start(name, first)

    def act(self):
        for name, until in list(self.stopped.items()):
            if len(self.acknowledged) >= until or len(self.stopped) == len(self.writers):
                self.signal(name, signal.SIGCONT)
                del self.stopped[name]
        running = sorted(set(self.writers) - set(self.stopped))
        if not running:
            return
        # One that is at its runs rather than at its imports, where there is one; and at any moment of a run.
        name = self.rng.choice(sorted(self.working.intersection(running)) or running)
        select.select([], [], [], self.rng.uniform(0, A_RUN_SECONDS))
        if self.rng.random() < 0.5 or len(self.stopped) >= min(MOST_STOPPED, len(self.writers) - 1):
            self.signal(name, signal.SIGKILL)
        else:
            self.signal(name, signal.SIGSTOP)
            self.stopped[name] = len(self.acknowledged) + self.rng.randint(5, 30)

    def signal(self, name, number):
        if self.writers[name].poll() is None:
            self.writers[name].send_signal(number)
            self.done[number.name] += 1


def hammer(options):
    Store.open(options.store, create=True)
    command = [sys.executable, __file__, "read", str(options.store)]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    began = time.monotonic()
    work = Hammer(options)
    work.run()
    wall = time.monotonic() - began
    reads, wrong = reader.communicate()
    found = judged(options, work)
    found |= {"seconds": wall, "reads": json.loads(reads or "{}"), "invalid_reads": int(reader.returncode != 0)}
    sys.stdout.write(json.dumps(found | {"first_invalid_read": wrong[-1500:]}))


def judged(options, work):
    """What is there, against what was acknowledged."""
    store = Store.open(options.store)
    log = store.log(PROJECT)
    commits = list(log.commits())
    there = {item.snapshot.run_id: item.seq for item in commits}
    expected = options.processes * options.count
    damage = [str(finding) for finding in fsck(store) if finding.kind.is_damage]
    clock = FakeClock()
    clock.advance(3600 * 24 * 365 * 30)  # what a dead process left is old by then
    later = Store.open(options.store, clock=clock)
    repaired = len(repair(later))
    return {
        "acknowledged": len(work.acknowledged),
        "lost": expected - sum(there.get(run_id) == seq for run_id, seq in work.acknowledged.items()),
        "duplicated": len(commits) - len(there) + len(work.acknowledged_twice),
        "gaps": sum(found != number for number, found in enumerate(log._records.numbers(), 1)),
        "wrong_predecessors": sum(
            item.snapshot.diff_prev.prev_snapshot_seq != (item.seq - 1 or None) for item in commits
        ),
        "signals": dict(work.done),
        "retried": sum(item.snapshot.attempt_id > 1 for item in commits),
        "damage": damage,
        "repaired": repaired,
        "findings_after_repair": [str(finding) for finding in fsck(later)],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["hammer", "write", "read"])
    parser.add_argument("store", type=Path)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--act-every", type=int, default=8)
    parser.add_argument("--name", default="w0")
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    {"hammer": hammer, "write": write, "read": read}[options.command](options)


if __name__ == "__main__":
    main()
