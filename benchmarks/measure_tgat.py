"""Measures Seedbed's TGAT on the shipped flights, as peers/tgm.py measures TGM; one measurement for each process.

    python measure_tgat.py cost --k 10 --batches 20 --warmup 4 [--eager]
    python measure_tgat.py witness --k 10 --pairs 12
    python measure_tgat.py export --to events.npz

`tgat.py` runs it, in an environment in which OpenMP threads wait passively. Each command prints one JSON line.

`cost` trains on the (warmup + batches) * 200 events from FIRST_TRAIN and evaluates on the next ones, with the same
parts as a training run: BlockBuilder, LinkPredictor, fused Adam, compiled by the contract unless --eager. It also
measures the best that this machine can do: the rate of a large square matrix product, and of one as tall and thin as
TGAT's. An eager run also reports which parts took one step's time. `witness` takes the same steps with and without the
contract's witness, in pairs. `export` writes the same events, with the same scale, for peers/tgm.py.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from seedbed.contracts import Feature
from seedbed.runtime import declare, resolve_config, tune_host
from seedbed.temporal import (
    BlockBuilder,
    EventHistory,
    EventStream,
    LinkPredictor,
    NegativeSampler,
    RankingScores,
    TemporalGraph,
    TGATConfig,
    load_flights,
)
from seedbed.temporal._link_queries import PairScale, link_queries
from seedbed.temporal._scaler import fit_scaler
from tgat_breakdown import share_of_time

BATCH_EVENTS = 200
FIRST_TRAIN = 100_000
RANKED_NEGATIVES = 20
SCALE = PairScale(60.0, 4e7, FIRST_TRAIN)
PRODUCTS = {"square": (2048, 2048, 2048), "tall_thin": (4000, 172, 281)}  # queries, embedding, a neighbour's row


def scaled_flights() -> EventStream:
    """The shipped flights, scaled by the events before FIRST_TRAIN."""
    flights = load_flights()
    return fit_scaler(flights, FIRST_TRAIN).apply(flights)


@final
class Work:
    """Model, optimizer and data, one step at a time."""

    def __init__(self, k: int, *, compiled: bool) -> None:
        self.stream = scaled_flights()
        self.negatives, self.history = NegativeSampler(self.stream), EventHistory(self.stream)
        self.builder = BlockBuilder(self.stream, TemporalGraph(self.stream), (k, k))
        asked = {"mode": "compat", "cdc": "auto" if compiled else "off", "amp": "off"}
        self.contract = declare(resolve_config(code=asked), device="cpu")
        config = TGATConfig(
            num_nodes=self.stream.num_nodes, num_features=self.builder.num_features, num_neighbours=(k, k)
        )
        torch.manual_seed(0)
        self.model = LinkPredictor(config, lambda layer: self.contract.compile(layer, dynamic=True), pair_features=True)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=True)

    def score(self, number: int, num_negatives: int) -> torch.Tensor:
        """Logits [200, 1 + num_negatives] of one batch; the first column is the truth."""
        first = FIRST_TRAIN + number * BATCH_EVENTS
        rows = slice(first, first + BATCH_EVENTS)
        with torch.profiler.record_function("sampling"):
            source, time_ = self.stream.src[rows].astype(np.int64), self.stream.t[rows]
            drawn = self.negatives.random(time_, num_negatives, np.random.default_rng(number))
            candidates = np.column_stack([self.stream.dst[rows], drawn])
            asked = link_queries(source, candidates, time_)
            blocks, links = self.builder.build(asked.node, asked.time), asked.links(self.history, SCALE)
        logits: torch.Tensor = self.model(blocks, links)
        return logits

    def train(self, number: int) -> float:
        """Take one optimizer step and return its loss."""
        self.model.train()
        logits = self.score(number, 1)
        truth = torch.zeros_like(logits)
        truth[:, 0] = 1.0
        loss = functional.binary_cross_entropy_with_logits(logits, truth)
        with torch.profiler.record_function("optimizer"):
            self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        with torch.profiler.record_function("optimizer"):
            self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def evaluate(self, number: int, num_negatives: int) -> RankingScores:
        """The scores of one batch, each true destination against `num_negatives` random ones."""
        self.model.eval()
        scores = self.score(number, num_negatives).double().numpy()
        return RankingScores(scores[:, 0], scores[:, 1], scores[:, 1:])


class Cost(NamedTuple):
    """The time per batch: CPU seconds of all threads, and wall seconds."""

    cpu_seconds: float
    wall_seconds: float

    @property
    def events_per_second(self) -> float:
        """Events per second of wall time."""
        return BATCH_EVENTS / self.wall_seconds


def measure(step: Callable[[int], object], numbers: range) -> Cost:
    """Run `step` on every batch; the time includes finding neighbours."""
    cpu, wall = time.process_time(), time.perf_counter()
    for number in numbers:
        step(number)
    return Cost((time.process_time() - cpu) / len(numbers), (time.perf_counter() - wall) / len(numbers))


def peak_memory_bytes() -> int:
    """The peak memory of this process, from VmHWM."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def cost(options: argparse.Namespace) -> dict[str, object]:
    """Measure training, evaluation by both protocols, and memory; of an eager run also the shares of a step's time."""
    work = Work(options.k, compiled=not options.eager)
    numbers = range(options.warmup, options.warmup + options.batches)
    losses = [work.train(number) for number in range(options.warmup)]
    trained = measure(lambda number: losses.append(work.train(number)), numbers)
    peak = peak_memory_bytes()
    later = range(numbers.stop, numbers.stop + options.batches)
    scores = [work.evaluate(number, RANKED_NEGATIVES) for number in later]  # compiles what evaluation needs, too
    found = {
        "torch_version": torch.__version__,
        "compiled": work.contract.selected(Feature.CDC),
        "cpu_seconds_per_batch": trained.cpu_seconds,
        "wall_seconds_per_batch": trained.wall_seconds,
        "events_per_second": trained.events_per_second,
        "peak_memory_bytes": peak,
        "loss_first": losses[0],
        "loss_last": losses[-1],
        "test": RankingScores.joined(scores).metrics(),
        "matmul_gflops": {name: max(rate(*shape) for _ in range(3)) for name, shape in PRODUCTS.items()},
    }
    for protocol, num_negatives in (("ap", 1), ("mrr", RANKED_NEGATIVES)):
        evaluated = measure(partial(work.evaluate, num_negatives=num_negatives), later)
        found[f"eval_{protocol}_cpu_seconds_per_batch"] = evaluated.cpu_seconds
        found[f"eval_{protocol}_events_per_second"] = evaluated.events_per_second
    if options.eager:
        with FlopCounterMode(display=False) as counter:
            work.train(later.stop)
        products = {"mm", "addmm", "bmm", "baddbmm"}
        counts = counter.get_flop_counts()["Global"]
        found["matmul_flops_per_batch"] = sum(n for op, n in counts.items() if str(op).split(".")[-1] in products)
        found["share_of_time"], found["matmul_seconds_per_batch"] = share_of_time(
            work.model, work.train, range(later.stop, later.stop + options.profiled)
        )
    return found


def witness(options: argparse.Namespace) -> dict[str, object]:
    """Measure what the contract's witness adds to training: blocks of steps, each step taken with and without it."""
    work = Work(options.k, compiled=True)
    watch = work.contract.witness()
    block = work.contract.resolved.config.sample_every  # so that every block holds one sampled step

    def watched(number: int) -> None:
        with watch.step(number):
            work.train(number)

    def extra() -> npt.NDArray[np.float64]:
        """The share of CPU and of wall seconds that the witness added to one block."""
        spent = np.zeros((2, 2))
        for number in range(block):
            for side in (number % 2, 1 - number % 2):
                spent[side] += measure((work.train, watched)[side], range(number, number + 1))
        return spent[1] / spent[0] - 1

    for number in range(3):  # compiles, then samples its key's first step
        watched(number)
    extras = np.array([extra() for _ in range(options.pairs)])
    resampled = np.random.default_rng(0).choice(extras, (2000, len(extras)))
    low, high = np.quantile(np.median(resampled, axis=1), [0.025, 0.975], axis=0)
    sampled = watch.evidence(wall_seconds=0).steps_sampled
    found: dict[str, object] = {"pairs": options.pairs, "steps_per_block": block, "steps_sampled": sampled}
    for side, share in enumerate(np.median(extras, axis=0)):
        name = Cost._fields[side].removesuffix("_seconds")
        found |= {f"{name}_share": float(share), f"{name}_interval_95": [float(low[side]), float(high[side])]}
    return found


def rate(rows: int, inner: int, columns: int, seconds: float = 0.2) -> float:
    """GFLOP/s of [rows, inner] @ [inner, columns], written to the same result, measured for about `seconds`."""
    a, b, out = torch.randn(rows, inner), torch.randn(inner, columns), torch.empty(rows, columns)
    torch.mm(a, b, out=out)
    begin, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - begin) < seconds:
        torch.mm(a, b, out=out)
        count += 1
    return 2e-9 * rows * inner * columns * count / spent


def export(options: argparse.Namespace) -> dict[str, object]:
    """Write the events in the form that peers/tgm.py reads; TGM gets the late features from the start, at no cost."""
    stream = scaled_flights()
    known = np.ones((len(stream), 1), np.float32)
    np.savez(
        options.to,
        src=stream.src.astype(np.int64),
        dst=stream.dst.astype(np.int64),
        t=stream.t,
        features=np.concatenate([stream.features, stream.late, known], axis=1),
        num_nodes=np.int64(stream.num_nodes),
        num_sources=np.int64(stream.num_sources),
        first_train=np.int64(FIRST_TRAIN),
    )
    return {"events": len(stream)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure Seedbed's TGAT; prints one JSON line.")
    parser.add_argument("command", choices=["cost", "witness", "export"])
    parser.add_argument("--k", type=int, default=10, help="most recent neighbours at each hop")
    parser.add_argument("--batches", type=int, default=20, help="timed batches of training, and then of evaluation")
    parser.add_argument("--warmup", type=int, default=4, help="training batches before the timed ones, at least 2")
    parser.add_argument("--profiled", type=int, default=5, help="training batches that the breakdown looks at")
    parser.add_argument("--pairs", type=int, default=12, help="pairs of blocks for the witness")
    parser.add_argument("--to", type=Path, help="where to export the events")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--eager", action="store_true", help="do not compile")
    options = parser.parse_args()
    host = tune_host(options.threads)
    commands = {"cost": cost, "witness": witness, "export": export}
    print(json.dumps({"host": host} | commands[options.command](options)))


if __name__ == "__main__":
    main()
