"""The runs that Seedbed's records are measured with: one family of them, and how times are told."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from seedbed.contracts import Stage
from seedbed.records import ActiveRun, Commit, SnapshotDraft, Store, digest

PROJECT = "bench"
NUM_SETTINGS, NUM_METRICS, NUM_POINTS = 30, 20, 10

Found = dict[str, Any]
Command = Callable[[argparse.Namespace], Found]
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


def finish_drafted(run: ActiveRun, number: int) -> Commit:
    """Finish `run`, which has started, with the draft of that number."""
    return run.finish(draft(run.run_id, number))


def whole_run(store: Store, run_id: str, number: int) -> Commit:
    """A run from its start: ten points, and `finish`."""
    run = store.start(PROJECT, run_id, Stage.TRAINING)
    for step in range(NUM_POINTS):
        run.log(step, {"loss": 1 / (1 + step)})
    return finish_drafted(run, number)


def require_chained(store: Store, num_commits: int) -> None:
    """Check that every commit was compared with the one before it and differs: so the measurement is valid."""
    commits = list(store.log(PROJECT).commits())
    require(len(commits) == num_commits, f"{len(commits)} commits, expected {num_commits}")
    for earlier, later in pairwise(commits):
        found = later.snapshot.diff_prev
        require(found.prev_snapshot_seq == earlier.seq and found.num_changes > 0, f"commit {later.seq}: {found}")


def require(holds: bool, otherwise: str) -> None:
    """End the measurement, which is void, unless `holds`."""
    if not holds:
        sys.exit(f"the measurement is void: {otherwise}")


def main(commands: Mapping[str, Command], description: str) -> None:
    """Run the command that the process was given, and print its JSON line."""
    parser = argparse.ArgumentParser(description=f"{description}; prints one JSON line.")
    parser.add_argument("command", choices=commands)
    parser.add_argument("store", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--name", default="w0", help="the name of one of the writers: w and its number")
    parser.add_argument("--whole", type=int, default=0, help="1: writers start their runs too, and log to them")
    parser.add_argument("--to", type=int, default=1000)
    options = parser.parse_args()
    print(json.dumps(commands[options.command](options)))
