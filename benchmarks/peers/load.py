"""The load under which `benchmarks/records.py` measures its peers: runs alone, runs of many writers, metric points.

A peer is a module beside this one that calls `main` with its class. In the peer's own environment, from `benchmarks`,

    python -m peers.mlflow_store finalise STORE --count 50
    python -m peers.mlflow_store writers STORE --processes 8 --count 60 --cap 40
    python -m peers.mlflow_store points STORE --cap 20

prints one JSON line. STORE is a folder in which the peer makes its store, which is not measured. `--cap` is how many
seconds are enough.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Set
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Protocol

NUM_SETTINGS, NUM_METRICS, NUM_POINTS = 30, 20, 10

Found = dict[str, Any]


class Peer(Protocol):
    """The store of a peer, as one process has it. `run` is whatever `start` returned."""

    def start(self) -> Any:
        """Start a run."""

    def finish(self, run: Any, number: int) -> None:
        """Record what a whole run is to Seedbed, without predecessor and diff, and end the run."""

    def log(self, run: Any, step: int) -> None:
        """Record one metric point."""

    def name(self, run: Any) -> int | str:
        """The name of the run in the store."""

    def finished(self) -> Set[int | str]:
        """The names of the runs that the store says have ended well."""


Open = Callable[[Path], Peer]


def setting(number: int, at: int) -> float:
    """Setting `at` of the run `number`."""
    return (number * 7919 + at) % 1000 / 1e6


def metric(number: int, at: int) -> float:
    """Metric `at` of the run `number`."""
    return (number * 104_729 + at * 31) % 10_007 / 10_007


def finalise(peer: Peer, options: argparse.Namespace) -> Found:
    """Runs one after the other, until the cap."""
    for number in range(3):
        peer.finish(peer.start(), number)
    starting, finishing = [], []
    began = time.monotonic()
    for number in range(options.count):
        if time.monotonic() - began > options.cap:
            break
        run, seconds = timed(peer.start)
        starting.append(seconds)
        _, seconds = timed(partial(peer.finish, run, number))
        finishing.append(seconds)
    both = [sum(pair) for pair in zip(starting, finishing, strict=True)]
    return {"finalise": summary(finishing), "start_and_finalise": summary(both)}


def writers(peer: Peer, options: argparse.Namespace) -> Found:
    """Several processes, at once; what each was told is then looked for."""
    shared = ["--count", str(options.count), "--cap", str(options.cap)]
    same = sys.orig_argv[: sys.orig_argv.index("writers")]
    command = [*same, "writer", str(options.store), *shared]
    piped = partial(subprocess.Popen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started = [piped(command) for _ in range(options.processes)]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()  # it is ready
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [json.loads(process.communicate()[0]) for process in started]
    acknowledged = [name for one in told for name in one["acknowledged"]]
    wall = max(one["ended"] for one in told) - min(one["began"] for one in told)
    return {
        **summary([seconds for one in told for seconds in one["seconds"]]),
        "per_second": len(acknowledged) / wall,
        "finished": len(acknowledged),
        "lost": len(set(acknowledged) - peer.finished()),
        "errors": sum(one["errors"] for one in told),
    }


def writer(peer: Peer, options: argparse.Namespace) -> Found:
    """One of `writers`: its runs are started when it says that it is ready."""
    runs = [peer.start() for _ in range(options.count)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    acknowledged, seconds, errors = [], [], 0
    began = time.monotonic()
    for number, run in enumerate(runs):
        if time.monotonic() - began > options.cap:
            break
        try:
            _, spent = timed(partial(peer.finish, run, number))
        except Exception:  # whatever the store raises under load is what is counted
            errors += 1
        else:
            acknowledged.append(peer.name(run))
            seconds.append(spent)
    ended = time.monotonic()
    return {"began": began, "ended": ended, "seconds": seconds, "acknowledged": acknowledged, "errors": errors}


def points(peer: Peer, options: argparse.Namespace) -> Found:
    """Metric points, one call each, until the cap."""
    run, count = peer.start(), 0
    began = time.perf_counter()
    while time.perf_counter() - began < options.cap:
        peer.log(run, count)
        count += 1
    return {"log_per_second": count / (time.perf_counter() - began)}


def summary(seconds: list[float]) -> Found:
    """Rate, median and 99th percentile."""
    ordered = sorted(seconds)
    return {
        "per_second": len(ordered) / sum(ordered),
        "p50_ms": median(ordered) * 1e3,
        "p99_ms": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1e3,
    }


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What `call` returns, and the wall seconds that it took."""
    began = time.perf_counter()
    found = call()
    return found, time.perf_counter() - began


def main(opened: Open, description: str) -> None:
    """Run the command that the process was given with the store that `opened` makes, and print its JSON line."""
    commands = {"finalise": finalise, "writers": writers, "writer": writer, "points": points}
    parser = argparse.ArgumentParser(description=f"{description}; prints one JSON line.")
    parser.add_argument("command", choices=commands)
    parser.add_argument("store", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--cap", type=float, default=20.0)
    options = parser.parse_args()
    options.store.mkdir(parents=True, exist_ok=True)
    print(json.dumps(commands[options.command](opened(options.store), options)))
