"""Seedbed's records on one disk: the counterpart of peers/mlflow_store.py, one measurement to a process.

    python measure_records.py finalise STORE --count 200
    python measure_records.py writers STORE --processes 8 --count 60
    python measure_records.py points STORE --count 100000
    python measure_records.py grow STORE --to 1000
    python measure_records.py open STORE
    python measure_records.py query STORE --count 200

`records.py` runs it; each command prints one JSON line. Times are wall seconds.

To finalise means to build a draft of 30 settings, 20 metrics, metadata and fingerprints and to `finish` it: redacted,
checked, compared with its predecessor, committed durably, its documents and LATEST written. `start` comes before it,
once in a run, and is measured separately. `finalise` alternates with the floor: a durable `create` of a new file of a
commit's size. `points` alternates, in blocks, with a bare framed append of the same record. `grow` makes real commits,
by the log's own code, on files that are not synced, since only later measurements need them.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, final

from seedbed.contracts import Stage
from seedbed.records import (
    ActiveRun,
    Catalog,
    Commit,
    CommitLog,
    FindingKind,
    LocalFiles,
    SnapshotDraft,
    Store,
    digest,
    fsck,
    parse_query,
)
from seedbed.records.journal._journal import FramedFile
from seedbed.records.storage import StoredFile, create

PROJECT = "bench"
NUM_SETTINGS, NUM_METRICS = 30, 20
QUERY = "stage=TRAINING and params.setting0<0.0005 and params.setting1=relu and metrics.m0>0.2"
LATEST = 20
BLOCK_POINTS = 10_000

Found = dict[str, Any]
FINGERPRINTS = {name: digest(name) for name in ("data", "split", "feature", "target")}


def draft(run_id: str, number: int) -> SnapshotDraft:
    """One of a family of runs: the same comparison group; a third of the settings and all metrics differ."""
    settings: Found = {f"setting{at}": (number * 7919 + at) % 1000 / 1e6 for at in range(0, NUM_SETTINGS, 3)}
    settings |= {f"setting{at}": "relu" for at in range(1, NUM_SETTINGS, 3)}
    settings |= {f"setting{at}": at for at in range(2, NUM_SETTINGS, 3)}
    return SnapshotDraft(
        project=PROJECT,
        run_id=run_id,
        stage=Stage.TRAINING,
        attempt=1,
        metadata={
            "stage": Stage.TRAINING,
            "run_id": run_id,
            "cohort_id": "2013",
            "date_start": "2013-01-01",
            "date_end": "2013-03-01",
            "n_symbols": 4147,
            "n_effective": 4000,
            "target": "destination",
            "view": "departures",
            "min_cs": 5,
            "max_cs_samples": 100,
            "model_family": "TGAT",
        },
        metrics={f"m{at}": (number * 104_729 + at * 31) % 10_007 / 10_007 for at in range(NUM_METRICS)},
        fingerprints=FINGERPRINTS,
        config=settings,
        factors={"seed": number, "threads": 2},
        timing={"wall_seconds": 12.5},
    )


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
        _, seconds = _timed(partial(create, floor / str(number), data))
        spent["floor"].append(seconds)
        run, seconds = _timed(partial(store.start, PROJECT, run_id, Stage.TRAINING))
        spent["start"].append(seconds)
        commit, seconds = _timed(partial(_finish_drafted, run, len(seqs) + number))
        spent["finalise"].append(seconds)
        seqs.append(commit.seq)
    _require_chained(store, len(seqs))
    spent["start_and_finalise"] = [sum(both) for both in zip(spent["start"], spent["finalise"], strict=True)]
    sizes = [item.size_bytes for item in store.files.list("")]
    return {
        **{name: summary(times) for name, times in spent.items()},
        "commit_bytes": len(data),
        "store_bytes_per_run": sum(sizes) / len(seqs),
        "store_files_per_run": len(sizes) / len(seqs),
    }


def writers(options: argparse.Namespace) -> Found:
    """Several processes write to one project at once; afterwards every acknowledged commit is looked for."""
    Store.open(options.store, create=True)
    command = [sys.executable, __file__, "writer", options.store, "--count", str(options.count)]
    piped = partial(subprocess.Popen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started = [piped([*command, "--name", f"w{at}"]) for at in range(options.processes)]
    for writer in started:
        assert writer.stdout is not None
        writer.stdout.readline()  # it is ready
    for writer in started:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = [json.loads(writer.communicate()[0]) for writer in started]
    acknowledged = {run_id: seq for one in told for run_id, seq in one["acknowledged"].items()}
    log = Store.open(options.store).log(PROJECT)
    there = {header.run_id: header.seq for header in log.headers()}
    _require_chained(Store.open(options.store), len(there))
    wall = max(one["ended"] for one in told) - min(one["began"] for one in told)
    times = [seconds for one in told for seconds in one["seconds"]]
    expected = options.processes * options.count
    return {
        **summary(times),
        "per_second": expected / wall,
        "lost": expected - sum(there.get(run_id) == seq for run_id, seq in acknowledged.items()),
    }


def writer(options: argparse.Namespace) -> Found:
    """One of `writers`: it has started its runs before it says that it is ready."""
    store = Store.open(options.store)
    runs = [store.start(PROJECT, f"{options.name}-{at}", Stage.TRAINING) for at in range(options.count)]
    store.log(PROJECT).head()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    acknowledged, seconds = {}, []
    began = time.monotonic()
    for at, run in enumerate(runs):
        number = int(options.name[1:]) * options.count + at
        commit, spent = _timed(partial(_finish_drafted, run, number))
        acknowledged[run.run_id] = commit.seq
        seconds.append(spent)
    return {"began": began, "ended": time.monotonic(), "seconds": seconds, "acknowledged": acknowledged}


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
        _require(not damage, f"fsck found {damage}")
    for seq in range(1, options.to + 1, max(1, options.to // 200)):
        _require(store.log(PROJECT).read(seq).seq == seq, f"commit {seq} is another")
    return {"commits": options.to, "seconds": seconds}


def open_(options: argparse.Namespace) -> Found:
    """The time to open a log so that every commit in it can be found."""
    num_commits, seconds = _timed(lambda: Store.open(options.store).log(PROJECT).head())
    return {"commits": num_commits, "seconds": seconds}


def query(options: argparse.Namespace) -> Found:
    """The latest 20 commits that match four conditions, from the catalog; and the same with reading the commits."""
    store = Store.open(options.store)
    catalog, opening = _timed(lambda: Catalog.open(store))
    _, again = _timed(lambda: Catalog.open(Store.open(options.store)).close())
    found: dict[str, list[float]] = {"search": [], "search_and_read": []}
    wanted = parse_query(QUERY)
    for _ in range(options.count):
        hits, searching = _timed(lambda: catalog.search(wanted, project=PROJECT, limit=LATEST))
        _, reading = _timed(partial(_read_all, store, [(hit.project, hit.seq) for hit in hits]))
        _require(len(hits) == LATEST, f"{len(hits)} commits fulfil {QUERY}")
        found["search"].append(searching)
        found["search_and_read"].append(searching + reading)
    times = {name: summary(seconds) for name, seconds in found.items()}
    matching = catalog.count(wanted)
    return {**times, "making_seconds": opening, "opening_seconds": again, "matching": matching}


def summary(seconds: list[float]) -> Found:
    """Rate, median and 99th percentile."""
    ordered = sorted(seconds)
    return {
        "per_second": len(ordered) / sum(ordered),
        "p50_ms": median(ordered) * 1e3,
        "p99_ms": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1e3,
    }


def _finish(store: Store, run_id: str, number: int) -> Any:
    return store.start(PROJECT, run_id, Stage.TRAINING).finish(draft(run_id, number))


def _finish_drafted(run: ActiveRun, number: int) -> Commit:
    return run.finish(draft(run.run_id, number))


def _read_all(store: Store, places: Iterable[tuple[str, int]]) -> list[Commit]:
    return [store.log(project).read(seq) for project, seq in places]


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = call()
    return found, time.perf_counter() - began


def _require_chained(store: Store, num_commits: int) -> None:
    """Check that every commit was compared with the one before it and differs: so the measurement is valid."""
    commits = list(store.log(PROJECT).commits())
    _require(len(commits) == num_commits, f"{len(commits)} commits, expected {num_commits}")
    for earlier, later in pairwise(commits):
        found = later.snapshot.diff_prev
        _require(found.prev_snapshot_seq == earlier.seq and found.num_changes > 0, f"commit {later.seq}: {found}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(f"the measurement is void: {otherwise}")


def main() -> None:
    commands = {
        "finalise": finalise,
        "writers": writers,
        "writer": writer,
        "points": points,
        "grow": grow,
        "open": open_,
        "query": query,
    }
    parser = argparse.ArgumentParser(description="Measure Seedbed's records; prints one JSON line.")
    parser.add_argument("command", choices=commands)
    parser.add_argument("store", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--name", default="w0", help="the name of one of the writers: w and its number")
    parser.add_argument("--to", type=int, default=1000)
    options = parser.parse_args()
    print(json.dumps(commands[options.command](options)))


if __name__ == "__main__":
    main()
