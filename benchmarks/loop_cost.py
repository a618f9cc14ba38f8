"""The cost of a run around a loop: a step beside the same loop without it, a sampled step, the start and the end.

    python benchmarks/loop_cost.py [--json] [--quick]

Blocks of the same loop with and without a run alternate (A B A B …), on one thread; a share is the median over the
pairs. The limit is for CPU time, so that other work on the machine matters less; wall time is beside it. Steps are
measured on a network whose step takes about 5 ms and on one whose step takes next to nothing, both fed by a DataLoader;
but for the last rows no step is sampled. The start goes from `seedbed.start` until the first batch is there, the end is
`finish`; the first run of a process reads what later ones know.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import seedbed
import steering

STEP_BAR = 0.01
STEP_US = 5000.0
NEVER = 10**9
WARM = 8

Batch = tuple[Tensor, Tensor]
Lines = Callable[[seedbed.Run | None, Batch], None]


@final
@dataclass(frozen=True)
class Plan:
    """How much to measure: pairs of blocks, steps in a block of long and of tiny steps, and runs."""

    pairs: int
    long_block: int
    tiny_block: int
    runs: int


FULL = Plan(pairs=60, long_block=25, tiny_block=400, runs=15)
QUICK = Plan(pairs=8, long_block=10, tiny_block=100, runs=5)


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


def long_rows(width: int) -> int:
    """How many rows make a step of about 5 ms here."""
    rows = 32
    while True:
        loop = Loop(width, rows, 20)
        found = statistics.median(_each_step(loop))
        if found >= STEP_US * 0.8:
            return rows
        rows = int(rows * min(2.0, max(1.1, STEP_US / found)))


def _each_step(loop: Loop) -> Iterator[float]:
    for batch in loop.loader:
        begun = time.process_time_ns()
        loop.step(batch)
        yield (time.process_time_ns() - begun) / 1000


@final
@dataclass(frozen=True)
class Spent:
    """CPU and wall seconds of a block."""

    cpu: float
    wall: float


def block(steps: Iterable[tuple[int, Batch]], line: Callable[[Batch], object]) -> Spent:
    """What a pass over the data took."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _, batch in steps:
        line(batch)
    return Spent(time.process_time() - cpu, time.perf_counter() - wall)


def paired(
    plan: Plan, make: Callable[[int], Loop], size: int, folder: Path, kind: str, sample_every: int = NEVER
) -> Mapping[str, float]:
    """The extra share of a step in a run over the same step without one, and its microseconds."""
    num = WARM + plan.pairs * size
    bare, ours = make(num), make(num)
    run = ours.start(folder, sample_every)

    def logged(batch: Batch) -> None:
        run.log(loss=ours.step(batch))

    line = logged if "log" in kind else ours.step
    theirs, steps = iter(enumerate(bare.loader)), iter(run.steps(ours.loader))
    for number, (_, batch) in enumerate(islice(steps, WARM)):  # the first step of its kind is sampled
        if number == 1 and "change" in kind:
            run.propose("lr", scale=0.5, why="the benchmark")
        line(batch)
    block(islice(theirs, WARM), bare.step)
    pairs = []
    for number in range(plan.pairs):
        sides = {}
        for side in (number % 2, 1 - number % 2):
            sides[side] = block(islice(steps, size), line) if side else block(islice(theirs, size), bare.step)
        pairs.append((sides[0], sides[1]))
    run.result(done=1)
    run.finish()
    return _figures(pairs, size)


def _figures(pairs: list[tuple[Spent, Spent]], steps: int) -> Mapping[str, float]:
    share = {name: [getattr(b, name) / getattr(a, name) - 1 for a, b in pairs] for name in ("cpu", "wall")}
    extra = {name: [(getattr(b, name) - getattr(a, name)) / steps * 1e6 for a, b in pairs] for name in ("cpu", "wall")}
    return {
        "step_us": statistics.median(a.cpu for a, _ in pairs) / steps * 1e6,
        "share_cpu": statistics.median(share["cpu"]),
        "share_wall": statistics.median(share["wall"]),
        "extra_us_cpu": statistics.median(extra["cpu"]),
        "extra_us_wall": statistics.median(extra["wall"]),
    }


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


KINDS = ("steps alone", "steps, one value logged", "steps, one change watched")


def measure(plan: Plan, folder: Path) -> dict[str, Any]:
    """All figures."""
    width, rows = 256, long_rows(256)

    def long(num: int) -> Loop:
        return Loop(width, rows, num)

    def tiny(num: int) -> Loop:
        return Loop(4, 2, num)

    found: dict[str, Any] = {"milliseconds": ends(plan, lambda: tiny(8), folder)}
    found["long"] = {kind: paired(plan, long, plan.long_block, folder, kind) for kind in KINDS}
    found["tiny"] = {kind: paired(plan, tiny, plan.tiny_block, folder, kind) for kind in KINDS}
    found["sampled"] = {"each step sampled": paired(plan, long, 2, folder, "sampled", sample_every=1)}
    found["look_us"] = steering.measure(folder / "steering")["a look that is not due"]
    worst = max(each["share_cpu"] for each in found["long"].values())
    found["bars"] = {
        "share of a 5 ms step": {"value": worst, "below": STEP_BAR, "met": worst < STEP_BAR},
        "a look for requests, µs": {
            "value": found["look_us"],
            "below": steering.LOOK_BAR_US,
            "met": found["look_us"] < steering.LOOK_BAR_US,
        },
    }
    return found


def show(found: Mapping[str, Any]) -> None:
    """Print the figures."""
    for size in ("long", "tiny", "sampled"):
        for kind, each in found[size].items():
            print(
                f"{kind}, on a step of {each['step_us']:.0f} µs: {each['share_cpu']:+.2%} of its CPU time "
                f"({each['extra_us_cpu']:+.1f} µs), {each['share_wall']:+.2%} of its wall time"
            )
    for name, spent in found["milliseconds"].items():
        print(f"{name}: {spent:.1f} ms")
    for name, bar in found["bars"].items():
        print(f"{name}: {bar['value']:.4f}, below {bar['below']:g}: {'met' if bar['met'] else 'missed'}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a run around a loop costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--quick", action="store_true", help="few pairs and runs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(QUICK if options.quick else FULL, Path(folder))
    if options.json:
        print(json.dumps(found))
    else:
        show(found)
    sys.exit(not all(bar["met"] for bar in found["bars"].values()))


if __name__ == "__main__":
    main()
