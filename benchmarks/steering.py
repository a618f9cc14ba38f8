"""The cost of being steered: what a step pays for looking for requests from outside, and what a look takes.

    python benchmarks/steering.py [--json]

A run in a local folder, on one thread; CPU microseconds, the median of seven repeats. The limit is for a look that is
not due, which every step makes; the others are made once a second, and the settings are shown every five seconds.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from seedbed.change import ChangeEngine, LearningRate, Parameter
from seedbed.loop import steering
from seedbed.loop.steering import Controls, Steering
from seedbed.records import Store

LOOK_BAR_US = 5.0
RATE = Parameter("optimizer.lr", unit="1", low=1e-4, high=1.0)
REPEATS = 7


def run_with_door(folder: Path, *, every_seconds: float) -> tuple[str, Steering, Store]:
    """A run that takes requests, its steering and its store."""
    store = Store.open(folder, create=True)
    run = store.start("steering")
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)
    engine = ChangeEngine(run.journal(), {RATE.key: LearningRate(optimizer)}, [RATE])
    return run.run_id, Steering.of(store, run, Controls.of(engine), every_seconds=every_seconds), store


def microseconds(call: Callable[[], object], times: int) -> float:
    """CPU microseconds of a call: the median of seven repeats."""
    found = []
    for _ in range(REPEATS):
        begun = time.process_time_ns()
        for _ in range(times):
            call()
        found.append((time.process_time_ns() - begun) / times / 1000)
    return statistics.median(found)


def measure(folder: Path) -> dict[str, float]:
    """Each kind of look, in CPU microseconds."""
    _, seldom, _ = run_with_door(folder / "seldom", every_seconds=3600.0)
    seldom.look(1)
    run_id, always, store = run_with_door(folder / "always", every_seconds=0.0)
    found = {
        "a look that is not due": microseconds(lambda: seldom.look(1), 100_000),
        "a look that finds nothing": microseconds(lambda: always.look(1), 2_000),
    }
    for _ in range(100):
        steering.ask(run_id, "checkpoint", store=store)
    for asked in always.look(1):
        always.done(asked, 1, "it was saved")
    found["a look that finds nothing, after 100 requests"] = microseconds(lambda: always.look(1), 2_000)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what being steered costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder))
    met = found["a look that is not due"] < LOOK_BAR_US
    if options.json:
        print(json.dumps({"microseconds": found, "bars": {"look": {"below": LOOK_BAR_US, "met": met}}}))
    else:
        print(*(f"{name}: {spent:.2f} µs" for name, spent in found.items()), sep="\n")
        print(f"a look that is not due, below {LOOK_BAR_US:g} µs: {'met' if met else 'missed'}")
    sys.exit(not met)


if __name__ == "__main__":
    main()
