"""Optuna's journal storage under the same load: the second peer that `benchmarks/records.py` measures against.

    python optuna_journal.py finalise STORE --count 50
    python optuna_journal.py writers STORE --processes 8 --count 60 --cap 40
    python optuna_journal.py points STORE --cap 20

prints one JSON line. It imports only what requirements-optuna.txt installs, never seedbed, and runs in an environment
of its own. STORE is a folder in which the journal is made.

To finalise is what a trial records: 30 settings and 20 metrics as its attributes, 10 intermediate values, and `tell`.
Each is a synced append of its own, under the journal's lock; there is no way to make many at once. `ask`, which starts
a trial, is measured apart, as `start` is for Seedbed. A point is one intermediate value. `cap` is how many seconds are
enough.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)

NUM_SETTINGS, NUM_METRICS, NUM_POINTS = 30, 20, 10

Found = dict[str, Any]


def open_study(folder: Path) -> optuna.Study:
    """The study in the journal in `folder`, made when absent."""
    folder.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    return optuna.create_study(storage=storage, study_name="bench", load_if_exists=True)


def finish(trial: optuna.Trial, number: int) -> None:
    """What a whole run is to Seedbed, without predecessor and diff, which Optuna does not have."""
    for at in range(NUM_SETTINGS):
        trial.set_user_attr(f"setting{at}", (number * 7919 + at) % 1000 / 1e6)
    for step in range(NUM_POINTS):
        trial.report(1 / (1 + step), step)
    for at in range(NUM_METRICS):
        trial.set_user_attr(f"m{at}", (number * 104_729 + at * 31) % 10_007 / 10_007)
    trial.study.tell(trial, 1 / (1 + number))


def start(study: optuna.Study) -> optuna.Trial:
    """A new trial."""
    return study.ask()


def finalise(options: argparse.Namespace) -> Found:
    """Trials one after the other, until the cap."""
    study = open_study(options.store)
    for number in range(3):
        finish(start(study), number)
    starting, finishing = [], []
    began = time.monotonic()
    for number in range(options.count):
        if time.monotonic() - began > options.cap:
            break
        trial, seconds = timed(lambda: start(study))
        starting.append(seconds)
        _, seconds = timed(partial(finish, trial, number))
        finishing.append(seconds)
    both = [sum(pair) for pair in zip(starting, finishing, strict=True)]
    return {"finalise": summary(finishing), "start_and_finalise": summary(both)}


def writers(options: argparse.Namespace) -> Found:
    """Several processes, at once; what each was told is then looked for."""
    study = open_study(options.store)
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
    acknowledged = [number for one in told for number in one["acknowledged"]]
    finished = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state is TrialState.COMPLETE}
    wall = max(one["ended"] for one in told) - min(one["began"] for one in told)
    return {
        **summary([seconds for one in told for seconds in one["seconds"]]),
        "per_second": len(acknowledged) / wall,
        "finished": len(acknowledged),
        "lost": len(set(acknowledged) - finished),
        "errors": sum(one["errors"] for one in told),
    }


def writer(options: argparse.Namespace) -> Found:
    """One of `writers`: its trials are started when it says that it is ready."""
    study = open_study(options.store)
    trials = [start(study) for _ in range(options.count)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    acknowledged, seconds, errors = [], [], 0
    began = time.monotonic()
    for number, trial in enumerate(trials):
        if time.monotonic() - began > options.cap:
            break
        try:
            _, spent = timed(partial(finish, trial, number))
        except Exception:  # whatever the store raises under load is what is counted
            errors += 1
        else:
            acknowledged.append(trial.number)
            seconds.append(spent)
    ended = time.monotonic()
    return {"began": began, "ended": ended, "seconds": seconds, "acknowledged": acknowledged, "errors": errors}


def points(options: argparse.Namespace) -> Found:
    """Intermediate values, one call each, until the cap."""
    trial, count = start(open_study(options.store)), 0
    began = time.perf_counter()
    while time.perf_counter() - began < options.cap:
        trial.report(1 / (1 + count), count)
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
    parser = argparse.ArgumentParser(description="Measure Optuna's journal storage; prints one JSON line.")
    parser.add_argument("command", choices=commands)
    parser.add_argument("store", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--cap", type=float, default=20.0)
    options = parser.parse_args()
    print(json.dumps(commands[options.command](options)))


if __name__ == "__main__":
    main()
