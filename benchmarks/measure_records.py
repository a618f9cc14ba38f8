"""Seedbed's records on one disk: the counterpart of peers/mlflow_store.py, one measurement to a process.

    python measure_records.py finalise STORE --count 200
    python measure_records.py whole STORE --count 200
    python measure_records.py points STORE --count 100000
    python measure_records.py grow STORE --to 1000
    python measure_records.py open STORE
    python measure_records.py query STORE --count 200
    python measure_records.py list STORE --count 5

`records.py` runs it and measure_writers.py; each command prints one JSON line. Times are wall seconds.

To finalise means to build a draft of 30 settings, 20 metrics, metadata and fingerprints and to `finish` it: redacted,
checked, compared with its predecessor, committed durably, its documents and LATEST written. `start` comes before it,
once in a run, and is measured separately. `finalise` alternates with the floor: a durable `create` of a new file of a
commit's size. `whole` is a run from its start: it alternates with one bare JSON file of the same numbers, synced, and
with another whose folder is synced too, so that its name lasts. `points` alternates, in blocks, with a bare framed
append of the same record. `grow` makes real commits, by the log's own code, on files that are not synced, since only
later measurements need them.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, final

from peers.load import summary, timed
from records_work import (
    NUM_METRICS,
    NUM_POINTS,
    NUM_SETTINGS,
    PROJECT,
    Found,
    draft,
    finish_drafted,
    main,
    require,
    require_chained,
    whole_run,
)
from seedbed.contracts import Stage
from seedbed.records import Catalog, Commit, CommitLog, FindingKind, LocalFiles, Store, fsck, parse_query
from seedbed.records.journal._journal import FramedFile
from seedbed.records.storage import StoredFile, create

QUERY = "stage=TRAINING and params.setting0<0.0005 and params.setting1=relu and metrics.m0>0.2"
LATEST = 20
BLOCK_POINTS = 10_000


def finalise(options: argparse.Namespace) -> Found:
    """Runs one after another, each next to one durable create of a file of the same size."""
    store = Store.open(options.store, create=True)
    floor = options.store.with_name(f"{options.store.name}-floor")
    spent: dict[str, list[float]] = {"floor": [], "start": [], "finalise": []}
    seqs = [_finish(store, f"warm-{number}", number).seq for number in range(5)]
    data = os.urandom(len(store.files.read(store.log(PROJECT).key(seqs[-1]))))
    create(floor / "warm", data)
    for number in range(options.count):
        run_id = f"r{number}"
        _, seconds = timed(partial(create, floor / str(number), data))
        spent["floor"].append(seconds)
        run, seconds = timed(partial(store.start, PROJECT, run_id, Stage.TRAINING))
        spent["start"].append(seconds)
        commit, seconds = timed(partial(finish_drafted, run, len(seqs) + number))
        spent["finalise"].append(seconds)
        seqs.append(commit.seq)
    require_chained(store, len(seqs))
    spent["start_and_finalise"] = [sum(both) for both in zip(spent["start"], spent["finalise"], strict=True)]
    sizes = [item.size_bytes for item in store.files.list("")]
    return {
        **{name: summary(times) for name, times in spent.items()},
        "commit_bytes": len(data),
        "store_bytes_per_run": sum(sizes) / len(seqs),
        "store_files_per_run": len(sizes) / len(seqs),
    }


def whole(options: argparse.Namespace) -> Found:
    """Whole runs one after the other, each beside one bare file, and one whose name is durable too."""
    store = Store.open(options.store, create=True)
    folder = options.store.with_name(f"{options.store.name}-bare")
    folder.mkdir(parents=True)
    spent: dict[str, list[float]] = {"bare": [], "named": [], "whole": []}
    processor: list[float] = []
    for number in range(-5, options.count):  # the first five warm up
        _, bare = timed(partial(_bare_file, folder / f"bare-{number}", number, names_last=False))
        _, named = timed(partial(_bare_file, folder / f"named-{number}", number, names_last=True))
        began = time.process_time()
        _, ours = timed(partial(whole_run, store, f"r{number}", number + 5))
        processor.append(time.process_time() - began)
        for name, seconds in (("bare", bare), ("named", named), ("whole", ours)):
            spent[name].append(seconds)
    require_chained(store, options.count + 5)
    sizes = [item.size_bytes for item in store.files.list("")]
    return {
        **{name: summary(times[5:]) for name, times in spent.items()},
        "cpu_ms": median(processor[5:]) * 1e3,
        "store_bytes_per_run": sum(sizes) / (options.count + 5),
    }


def _bare_file(path: Path, number: int, *, names_last: bool) -> None:
    """The numbers of a run in one JSON file: what a script does that records by itself."""
    record = {
        "run_id": path.name,
        "config": {f"setting{at}": (number * 7919 + at) % 1000 / 1e6 for at in range(NUM_SETTINGS)},
        "metrics": {f"m{at}": (number * 104_729 + at * 31) % 10_007 / 10_007 for at in range(NUM_METRICS)},
        "points": [{"step": step, "loss": 1 / (1 + step)} for step in range(NUM_POINTS)],
    }
    with path.open("xb", buffering=0) as file:
        file.write(json.dumps(record).encode())
        os.fsync(file.fileno())
    if names_last:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(descriptor)
        os.close(descriptor)


def points(options: argparse.Namespace) -> Found:
    """Metric points, one call each, in turns with sealed records of the same, and with one bare write for each."""
    store = Store.open(options.store, create=True)
    run = store.start(PROJECT, "points", Stage.TRAINING)
    bare, _ = FramedFile.open(options.store.with_name(f"{options.store.name}-bare.log"))
    written = (options.store.with_name(f"{options.store.name}-written.jsonl")).open("ab", buffering=0)
    spent: dict[str, list[float]] = {"log": [], "bare": [], "written": []}

    def append(step: int) -> None:
        bare.append("step", {"attempt": 1, "step": step, "values": {"loss": 1 / (1 + step)}})

    ways: dict[str, Callable[[int], object]] = {
        "log": lambda step: run.log(step, {"loss": 1 / (1 + step)}),
        "bare": append,
        "written": lambda step: written.write(b'{"loss":%r,"step":%d}\n' % (1 / (1 + step), step)),
    }
    for start in range(0, options.count, BLOCK_POINTS):
        for name, way in ways.items():
            began = time.perf_counter()
            for step in range(start, min(start + BLOCK_POINTS, options.count)):
                way(step)
            spent[name].append(time.perf_counter() - began)
    run.interrupted("all points are logged")
    written.close()
    return {f"{name}_per_second": options.count / sum(times) for name, times in spent.items()}


@final
class Unsynced:
    """`Files` that writes without any sync: fast, and only for a store that will be deleted."""

    def __init__(self, root: Path) -> None:
        self._files = LocalFiles(root)

    def create(self, key: str, data: bytes, *, durable: bool = True) -> None:  # noqa: ARG002
        """As `Files.create`, not durable."""
        path = self._files.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)

    def replace(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """As `Files.replace`, never durable."""
        self._files.replace(key, data, durable=durable and False)

    def read(self, key: str) -> bytes:
        """As `Files.read`."""
        return self._files.read(key)

    def list(self, prefix: str, *, after: str = "", deep: bool = True) -> Iterator[StoredFile]:
        """As `Files.list`."""
        return self._files.list(prefix, after=after, deep=deep)

    def remove(self, key: str, *, unless_since: datetime | None = None) -> bool:
        """As `Files.remove`."""
        return self._files.remove(key, unless_since=unless_since)


def grow(options: argparse.Namespace) -> Found:
    """Commit until the log has `to` commits; `fsck` checks the first 1,000 of them, and the later ones are sampled."""
    Store.open(options.store, create=True)
    log = CommitLog(Unsynced(options.store), PROJECT)
    began, head = time.perf_counter(), log.head()
    for number in range(head, options.to):
        log.append(draft(f"r{number}", number), {}, datetime.now(UTC))
    seconds = time.perf_counter() - began
    store = Store.open(options.store)
    if options.to <= 1000:
        damage = [
            finding for finding in fsck(store) if finding.kind.is_damage and finding.kind is not FindingKind.LOG_TORN
        ]
        require(not damage, f"fsck found {damage}")
    for seq in range(1, options.to + 1, max(1, options.to // 200)):
        require(store.log(PROJECT).read(seq).seq == seq, f"commit {seq} is another")
    return {"commits": options.to, "seconds": seconds}


def open_(options: argparse.Namespace) -> Found:
    """The time to open a log so that every commit in it can be found."""
    num_commits, seconds = timed(lambda: Store.open(options.store).log(PROJECT).head())
    return {"commits": num_commits, "seconds": seconds}


def query(options: argparse.Namespace) -> Found:
    """The latest 20 commits that match four conditions, from the catalog; and the same with reading the commits."""
    store = Store.open(options.store)
    began = time.process_time()
    catalog, opening = timed(lambda: Catalog.open(store))
    processor = time.process_time() - began
    _, again = timed(lambda: Catalog.open(Store.open(options.store)).close())
    found: dict[str, list[float]] = {"search": [], "search_and_read": []}
    wanted = parse_query(QUERY)
    for _ in range(options.count):
        hits, searching = timed(lambda: catalog.search(wanted, project=PROJECT, limit=LATEST))
        _, reading = timed(partial(_read_all, store, [(hit.project, hit.seq) for hit in hits]))
        require(len(hits) == LATEST, f"{len(hits)} commits fulfil {QUERY}")
        found["search"].append(searching)
        found["search_and_read"].append(searching + reading)
    times = {name: summary(seconds) for name, seconds in found.items()}
    matching = catalog.count(wanted)
    making = {"making_seconds": opening, "making_cpu_seconds": processor}
    return {**times, **making, "opening_seconds": again, "matching": matching}


def list_(options: argparse.Namespace) -> Found:
    """The CPU time of the whole commands `seedbed runs list` and `seedbed runs list --sort`, in turns."""
    for header in Store.open(options.store).log(PROJECT).headers():
        (options.store / "runs" / PROJECT / header.run_id / header.stage.value).mkdir(parents=True, exist_ok=True)
    spent: dict[str, list[float]] = {"list": [], "sorted": []}
    for _ in range(options.count + 1):  # the first makes the catalog
        for name, more in (("list", []), ("sorted", ["--sort", "metrics.m0"])):
            spent[name].append(_command_cpu(["runs", "list", *more, "--store", str(options.store)]))
    return {f"{name}_cpu_ms": median(seconds[1:]) * 1e3 for name, seconds in spent.items()}


def _command_cpu(arguments: list[str]) -> float:
    """The CPU seconds of one `seedbed` command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([Path(sys.executable).with_name("seedbed"), *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _read_all(store: Store, places: Iterable[tuple[str, int]]) -> list[Commit]:
    return [store.log(project).read(seq) for project, seq in places]


def _finish(store: Store, run_id: str, number: int) -> Any:
    return store.start(PROJECT, run_id, Stage.TRAINING).finish(draft(run_id, number))


if __name__ == "__main__":
    main(
        {
            "finalise": finalise,
            "whole": whole,
            "points": points,
            "grow": grow,
            "open": open_,
            "query": query,
            "list": list_,
        },
        "Measure Seedbed's records",
    )
