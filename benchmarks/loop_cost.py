"""The cost of a run around a loop: a step beside the same step without it, a sampled step, the start and the end.

    python benchmarks/loop_cost.py [--json] [--quick]

One bare loop and one with a run go on in one process, on one thread, step by step in turns (see `step_pairs`). The pair
is fair: both have a model, an optimizer, a loader and data of their own, made equal from one seed, so that neither
finds warm what the other leaves; both take their batch from a loader, and a step of the loop with a run is all from one
batch to the next. A run hooks its own optimizer; the one hook that it sets for all optimizers of the process is taken
away for the bare steps, and nothing else may be set then, which is checked at each of them. Two bare loops, measured
alike, give the floor: its interval must hold 0, else nothing here means anything.

The limit is for the upper end of the interval, in CPU time. But for the last row no step is sampled. The start goes
from `seedbed.start` until the first batch is there, the end is `finish`; the first run of a process reads what later
ones know.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import seedbed
import steering
from step_pairs import Extra, Interval, extra_of, paired_steps

STEP_BAR = 0.01
STEP_US, SHORT_US = 5000.0, 500.0
NEVER = 10**9
WARM = 8
ROUNDS = 4  # of fresh loops, since where they lie in memory matters

Batch = tuple[Tensor, Tensor]


@final
@dataclass(frozen=True)
class Plan:
    """How much to measure: pairs of long steps, of short ones and of sampled ones, and runs."""

    long: int
    short: int
    sampled: int
    runs: int


FULL = Plan(long=2000, short=10_000, sampled=60, runs=15)
QUICK = Plan(long=200, short=1000, sampled=12, runs=5)


@final
class Ready(Dataset[Batch]):
    """One batch again and again, so that a loader costs what it must and no more."""

    def __init__(self, batch: Batch, num: int) -> None:
        self._batch, self._num = batch, num

    def __len__(self) -> int:
        return self._num

    def __getitems__(self, places: list[int]) -> Batch:
        """The batch, whatever is asked for."""
        return self._batch


@final
class Loop:
    """A network of three layers with AdamW, fed by a loader of `num` batches of `rows` rows."""

    def __init__(self, width: int, rows: int, num: int) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.model.append(nn.Linear(width, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        data = Ready((torch.randn(rows, width), torch.randn(rows, 1)), num)
        self.loader: DataLoader[Batch] = DataLoader(data, batch_size=1, collate_fn=_as_it_is)

    def step(self, batch: Batch) -> Tensor:
        """One optimizer step; its loss."""
        x, y = batch
        self.optimizer.zero_grad()
        loss = (self.model(x) - y).square().mean()
        loss.backward()
        self.optimizer.step()
        return loss

    def start(self, folder: Path, sample_every: int = NEVER) -> seedbed.Run:
        """A run around it."""
        runtime = {"mode": "compat", "sample_every": sample_every}
        return seedbed.start(
            self.model, self.optimizer, project="cost", store=folder / "store", runtime=runtime, quiet=True
        )


def _as_it_is(batch: list[Any]) -> Any:
    return batch


def rows_of(width: int, wanted_us: float) -> int:
    """How many rows make a step of about so many microseconds here."""
    rows = 2
    while True:
        found = statistics.median(_each_step(Loop(width, rows, 30)))
        if found >= wanted_us * 0.8:
            return rows
        rows = max(rows + 1, int(rows * min(2.0, wanted_us / found)))


def _each_step(loop: Loop) -> Iterator[float]:
    for batch in loop.loader:
        begun = time.process_time_ns()
        loop.step(batch)
        yield (time.process_time_ns() - begun) / 1000


def floor(make: Callable[[int], Loop], pairs: int) -> Extra:
    """What one of two bare loops costs more than the other: nothing, as far as this can be measured."""
    found = []
    for number in range(ROUNDS):
        one, other = _two(make, WARM + pairs // ROUNDS, number)
        found += _paired(_bare(one), _bare(other), pairs // ROUNDS, are_bare=True)
    return extra_of(found)


def measured(make: Callable[[int], Loop], pairs: int, folder: Path, kind: str, sample_every: int = NEVER) -> Extra:
    """What a step in a run costs more than a bare one."""
    found = []
    for number in range(ROUNDS):
        one, other = _two(make, WARM + pairs // ROUNDS, number)
        run = other.start(folder, sample_every)
        ours = _sampled(run, other) if kind == SAMPLED else _steps(run, other, logs="log" in kind)
        if "change" in kind:
            ours = _changed(run, ours)
        found += _paired(_bare(one), ours, pairs // ROUNDS)
        run.result(done=1)
        run.finish()
    return extra_of(found)


def _two(make: Callable[[int], Loop], num: int, number: int) -> tuple[Loop, Loop]:
    """Two equal loops; which of them is made first, and lies before the other in memory, alternates."""
    first, second = make(num), make(num)
    return (second, first) if number % 2 else (first, second)


def _paired(
    bare: Callable[[], None], ours: Callable[[], None], pairs: int, *, are_bare: bool = False
) -> list[tuple[float, float]]:
    for _ in range(WARM):  # the first step of its kind is sampled
        bare()
        ours()
    return paired_steps(bare, ours, pairs, are_bare=are_bare)


def _changed(run: seedbed.Run, step: Callable[[], None]) -> Callable[[], None]:
    """The same, with a change that is made after the first steps, and watched from then on."""
    numbers = count()

    def changed() -> None:
        step()
        if next(numbers) == 1:
            run.propose("lr", scale=0.5, why="the benchmark")

    return changed


def _steps(run: seedbed.Run, loop: Loop, *, logs: bool) -> Callable[[], None]:
    """A function that takes the next step of a loop with a run."""
    batches = iter(run.steps(loop.loader))

    def step() -> None:
        _, batch = next(batches)
        loss = loop.step(batch)
        if logs:
            run.log(loss=loss)

    return step


def _sampled(run: seedbed.Run, loop: Loop) -> Callable[[], None]:
    """The same in blocks, which close the step: the profiler must not go on in the bare step that comes."""
    batches = iter(loop.loader)

    def step() -> None:
        with run.one_step():
            loop.step(next(batches))

    return step


def _bare(loop: Loop) -> Callable[[], None]:
    """A function that takes the next step of a loop without a run."""
    batches = iter(loop.loader)

    def step() -> None:
        loop.step(next(batches))

    return step


def ends(plan: Plan, make: Callable[[], Loop], folder: Path) -> Mapping[str, float]:
    """Milliseconds of wall time until the first batch is there and of `finish`: of the first run, and of later ones."""
    starts, finishes = [], []
    for _ in range(plan.runs + 1):
        loop = make()
        begun = time.perf_counter()
        run = loop.start(folder)
        steps = iter(run.steps(loop.loader))
        _, batch = next(steps)
        starts.append(time.perf_counter() - begun)
        loop.step(batch)
        for _, batch in steps:
            loop.step(batch)
        run.result(done=1)
        begun = time.perf_counter()
        run.finish()
        finishes.append(time.perf_counter() - begun)
    return {
        "the start, first run of the process": starts[0] * 1000,
        "the start, later runs": statistics.median(starts[1:]) * 1000,
        "the end, first run of the process": finishes[0] * 1000,
        "the end, later runs": statistics.median(finishes[1:]) * 1000,
    }


SIZES = ("5 ms", "0.5 ms")
KINDS = ("steps alone", "steps, one value logged", "steps, one change watched")
FLOOR, SAMPLED = "a bare loop beside a bare loop", "each step sampled"


def measure(plan: Plan, folder: Path) -> dict[str, Any]:
    """All figures."""
    steps = {
        "5 ms": (_maker(256, STEP_US), plan.long),
        "0.5 ms": (_maker(32, SHORT_US), plan.short),
    }
    found: dict[str, Any] = {"milliseconds": ends(plan, lambda: Loop(4, 2, 8), folder)}
    for size, (make, pairs) in steps.items():
        found[size] = {FLOOR: floor(make, pairs)}
        found[size] |= {kind: measured(make, pairs, folder, kind) for kind in KINDS}
    make, _ = steps["5 ms"]
    found["5 ms"][SAMPLED] = measured(make, plan.sampled, folder, SAMPLED, sample_every=1)
    found["look_us"] = steering.measure(folder / "steering")["a look that is not due"]
    found["bars"] = bars(found)
    return found


def bars(found: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the floor holds 0, and what is measured is below its limit."""
    floors = [found[size][FLOOR].extra_us for size in SIZES]
    worst = max(found["5 ms"][kind].share.high for kind in KINDS)
    look = found["look_us"]
    return {
        "the floor holds 0": {"value": max(abs(each.value) for each in floors), "met": all(map(_holds_0, floors))},
        "share of a 5 ms step": {"value": worst, "below": STEP_BAR, "met": worst < STEP_BAR},
        "a look for requests, µs": {"value": look, "below": steering.LOOK_BAR_US, "met": look < steering.LOOK_BAR_US},
    }


def _holds_0(interval: Interval) -> bool:
    return interval.low <= 0 <= interval.high


def _maker(width: int, wanted_us: float) -> Callable[[int], Loop]:
    rows = rows_of(width, wanted_us)
    return lambda num: Loop(width, rows, num)


def show(found: Mapping[str, Any]) -> None:
    """Print the figures."""
    for size in SIZES:
        for kind, extra in found[size].items():
            print(f"{kind}: {extra.told()}")
    for name, spent in found["milliseconds"].items():
        print(f"{name}: {spent:.1f} ms")
    for name, bar in found["bars"].items():
        limit = f", below {bar['below']:g}" if "below" in bar else ""
        print(f"{name}: {bar['value']:.4f}{limit}: {'met' if bar['met'] else 'missed'}")


def as_json(found: Mapping[str, Any]) -> str:
    """One JSON object."""
    return json.dumps(found, default=lambda extra: extra.figures())


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a run around a loop costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--quick", action="store_true", help="few pairs and runs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(QUICK if options.quick else FULL, Path(folder))
    if options.json:
        print(as_json(found))
    else:
        show(found)
    sys.exit(not all(bar["met"] for bar in found["bars"].values()))


if __name__ == "__main__":
    main()
