"""MLflow's SQLite store under the same load: the peer that `benchmarks/records.py` measures against.

    python mlflow_store.py finalise STORE --count 50
    python mlflow_store.py writers STORE --processes 8 --count 60 --cap 40
    python mlflow_store.py points STORE --cap 20

prints one JSON line. It imports only what requirements-mlflow.txt installs, never seedbed, and runs in an environment
of its own. STORE is a folder in which the database is made; that (its migrations) is not measured.

To finalise is one `log_batch` of 30 params and 20 metrics, its fastest way in, and `set_terminated`; `create_run` is
measured apart, as `start` is for Seedbed. A point is one `log_metric`. `cap` is how many seconds are enough.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

logging.disable(logging.WARNING)

NUM_SETTINGS, NUM_METRICS = 30, 20
EXPERIMENT = "0"

Found = dict[str, Any]


def open_store(folder: Path) -> MlflowClient:
    """A client of the database in `folder`, made when absent."""
    folder.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    client.get_experiment(EXPERIMENT)
    return client


def finish(client: MlflowClient, run_id: str, number: int) -> None:
    """What `finish` is to Seedbed, without predecessor and diff, which MLflow does not have."""
    now = int(time.time() * 1000)
    params = [Param(f"setting{at}", str((number * 7919 + at) % 1000 / 1e6)) for at in range(NUM_SETTINGS)]
    metrics = [Metric(f"m{at}", (number * 104_729 + at * 31) % 10_007 / 10_007, now, 0) for at in range(NUM_METRICS)]
    client.log_batch(run_id, metrics=metrics, params=params)
    client.set_terminated(run_id)


def start(client: MlflowClient) -> str:
    """A new run's name."""
    return client.create_run(EXPERIMENT).info.run_id


def finalise(options: argparse.Namespace) -> Found:
    """Runs one after the other."""
    client = open_store(options.store)
    for number in range(3):
        finish(client, start(client), number)
    starting, finishing = [], []
    for number in range(options.count):
        run_id, seconds = timed(lambda: start(client))
        starting.append(seconds)
        _, seconds = timed(partial(finish, client, run_id, number))
        finishing.append(seconds)
    both = [sum(pair) for pair in zip(starting, finishing, strict=True)]
    return {"finalise": summary(finishing), "start_and_finalise": summary(both)}


def writers(options: argparse.Namespace) -> Found:
    """Several processes, at once; what each was told is then looked for."""
    client = open_store(options.store)
    shared = ["--count", str(options.count), "--cap", str(options.cap)]
    command = [sys.executable, __file__, "writer", str(options.store), *shared]
    piped = partial(subprocess.Popen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started = [piped(command) for _ in range(options.processes)]
    for writer in started:
        assert writer.stdout is not None
        writer.stdout.readline()  # it is ready
    for writer in started:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = [json.loads(writer.communicate()[0]) for writer in started]
    acknowledged = [run_id for one in told for run_id in one["acknowledged"]]
    states = [client.get_run(run_id).info.status for run_id in acknowledged]
    wall = max(one["ended"] for one in told) - min(one["began"] for one in told)
    return {
        **summary([seconds for one in told for seconds in one["seconds"]]),
        "per_second": len(acknowledged) / wall,
        "finished": len(acknowledged),
        "lost": sum(state != "FINISHED" for state in states),
        "errors": sum(one["errors"] for one in told),
    }


def writer(options: argparse.Namespace) -> Found:
    """One of `writers`: its runs are started when it says that it is ready."""
    client = open_store(options.store)
    run_ids = [start(client) for _ in range(options.count)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    acknowledged, seconds, errors = [], [], 0
    began = time.monotonic()
    for number, run_id in enumerate(run_ids):
        if time.monotonic() - began > options.cap:
            break
        try:
            _, spent = timed(partial(finish, client, run_id, number))
        except Exception:  # whatever the store raises under load is what is counted
            errors += 1
        else:
            acknowledged.append(run_id)
            seconds.append(spent)
    ended = time.monotonic()
    return {"began": began, "ended": ended, "seconds": seconds, "acknowledged": acknowledged, "errors": errors}


def points(options: argparse.Namespace) -> Found:
    """Metric points, one call each, until the cap."""
    client = open_store(options.store)
    run_id, count = start(client), 0
    began = time.perf_counter()
    while time.perf_counter() - began < options.cap:
        client.log_metric(run_id, "loss", 1 / (1 + count), step=count)
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
    began = time.perf_counter()
    found = call()
    return found, time.perf_counter() - began


def main() -> None:
    commands = {"finalise": finalise, "writers": writers, "writer": writer, "points": points}
    parser = argparse.ArgumentParser(description="Measure MLflow's SQLite store; prints one JSON line.")
    parser.add_argument("command", choices=commands)
    parser.add_argument("store", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--cap", type=float, default=20.0)
    options = parser.parse_args()
    print(json.dumps(commands[options.command](options)))


if __name__ == "__main__":
    main()
