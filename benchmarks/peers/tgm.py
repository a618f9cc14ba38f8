"""TGM's TGAT on our events: the peer that `benchmarks/tgat.py` measures against, alone in an environment of its own.

    python tgm.py --events events.npz --k 10 --batches 40 --warmup 5 --threads 2

prints one JSON line. It imports only what requirements-tgm.txt installs, never seedbed.

events.npz holds, for N events in time order over dense node ids (sources first, then destinations):
    src, dst     int64 [N]       source in [0, num_sources), destination in [num_sources, num_nodes)
    t            int64 [N]       not decreasing, any unit and origin; t[-1] - t[0] below 2^31, which is TGM's limit
    features     float32 [N, F]  edge features
    num_nodes, num_sources       int64 scalars
    first_train                  int64 scalar: events before it only fill the neighbour buffers, untimed
The run trains on the (warmup + batches) * 200 events from `first_train`, evaluates on the next batches * 200, and
profiles one more training batch.

The `tgm-lib` wheel has no TGAT. This one is put together from the wheel's TemporalAttention, Time2Vec, LinkPredictor,
RecencyNeighborHook, NegativeEdgeSamplerHook and loader, as TGM's repository puts together its own
(tgm/nn/encoder/tgat.py at 141884d, examples/linkproppred/tgat.py): every hop is computed at every layer that needs it,
padded slots included, and nothing is deduplicated, because its TGAT has no use for DeduplicationHook.

Where there was a choice, TGM got the cheaper one: node features are static (random, and no gradient reaches them), Adam
is fused, the storage holds only the events that a phase reads (each TGM batch scans all of it), OpenMP threads wait
passively so that spinning is not billed to it, and times start at zero. `--node-width 1` is what TGM's example gives to
data that has no node features, and makes the first layer several times cheaper; 172 is our size. What glibc does with
freed memory is left as it is; a caller that changes it for one side can do the same here with MALLOC_* variables.

TGM's hook keeps the k latest events of a node as of the batch and no older ones, so a second hop at an earlier time
finds fewer than k where a node is busy (TGM's issue 413): `neighbours_filled` is the share of slots in use, by hop.
The empty ones cost as much as the others.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import NamedTuple, final

# OpenMP reads this when torch loads it; and `import tgm` must not find this file, which has the same name.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if sys.path[0] == str(Path(__file__).resolve().parent):
    del sys.path[0]

import numpy as np
import numpy.typing as npt
import torch
from tgm import DGBatch, DGraph
from tgm.constants import PADDED_NODE_ID
from tgm.data import DGData, DGDataLoader
from tgm.hooks import HookManager, NegativeEdgeSamplerHook, RecencyNeighborHook
from tgm.nn import LinkPredictor, TemporalAttention, Time2Vec
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

BATCH_EVENTS = 200
NUM_LAYERS = 2
NUM_HEADS = 2
TIME_WIDTH = 100
EMBEDDING_WIDTH = 172
DROPOUT = 0.1
LEARNING_RATE = 1e-3
NUM_KERNELS = 8
HOOKS = "link prediction"

Events = dict[str, npt.NDArray[np.generic]]


@final
class TGAT(nn.Module):
    """TGAT over the hops that TGM's recency hook laid into a batch; one attention and one merge a layer.

    node_x: float32 [num_nodes, node width], static.
    """

    def __init__(self, node_x: Tensor, edge_width: int) -> None:
        super().__init__()
        self.node_x: Tensor
        self.register_buffer("node_x", node_x)
        self.time = Time2Vec(TIME_WIDTH)
        widths = [node_x.shape[1]] + [EMBEDDING_WIDTH] * (NUM_LAYERS - 1)
        attentions = [TemporalAttention(NUM_HEADS, width, edge_width, TIME_WIDTH, DROPOUT) for width in widths]
        self.attentions = nn.ModuleList(attentions)
        self.merges = nn.ModuleList(merge(attention.out_dim + widths[0]) for attention in attentions)

    def forward(self, batch: DGBatch) -> Tensor:
        """The seeds' embeddings, float32 [S, 172], in the hook's order: sources, destinations, negatives."""
        hops = [batch.seed_nids[0], *(nodes.flatten() for nodes in batch.nbr_nids)]
        raw = [self.node_x[nodes] for nodes in hops]
        hidden = raw
        for attention, merged in zip(self.attentions, self.merges, strict=True):
            attended = [self.attend(attention, batch, hop, hidden) for hop in range(len(hidden) - 1)]
            hidden = [merged(torch.cat([out, x], dim=1)) for out, x in zip(attended, raw, strict=False)]
        return hidden[0]

    def attend(self, attention: TemporalAttention, batch: DGBatch, hop: int, hidden: list[Tensor]) -> Tensor:
        """What the nodes of one hop make of the next: float32 [nodes of the hop, attention.out_dim]."""
        nodes = hidden[hop]
        elapsed = batch.seed_times[hop][:, None] - batch.nbr_edge_time[hop]
        return attention(
            node_feat=nodes,
            time_feat=self.time(torch.zeros(len(nodes))),
            edge_feat=batch.nbr_edge_x[hop],
            nbr_node_feat=hidden[hop + 1].reshape(*elapsed.shape, -1),
            nbr_time_feat=self.time(elapsed),
            valid_nbr_mask=batch.nbr_nids[hop] != PADDED_NODE_ID,
        )


def merge(in_width: int) -> nn.Sequential:
    """What turns attention's output beside the node's raw features into the layer's output."""
    return nn.Sequential(nn.Linear(in_width, EMBEDDING_WIDTH), nn.ReLU(), nn.Linear(EMBEDDING_WIDTH, EMBEDDING_WIDTH))


@final
class LinkModel(nn.Module):
    """TGAT below TGM's link predictor, and the loss of one batch."""

    def __init__(self, node_x: Tensor, edge_width: int) -> None:
        super().__init__()
        self.encoder = TGAT(node_x, edge_width)
        self.decoder = LinkPredictor(EMBEDDING_WIDTH, hidden_dim=EMBEDDING_WIDTH)

    def forward(self, batch: DGBatch) -> Tensor:
        """Binary cross-entropy of each event against its one negative, the two halves averaged: float32 scalar."""
        source, destination, negative = self.encoder(batch).chunk(3)
        scores = torch.stack([self.decoder(source, destination), self.decoder(source, negative)])
        labels = torch.stack([torch.ones_like(scores[0]), torch.zeros_like(scores[1])])
        return functional.binary_cross_entropy_with_logits(scores, labels)


class Cost(NamedTuple):
    """What some batches took, each: CPU seconds of all threads (user and system), wall seconds; and each one's loss."""

    cpu_seconds: float
    wall_seconds: float
    losses: list[float]


def measure(step: Callable[[DGBatch], float], batches: Iterable[DGBatch]) -> Cost:
    """Run `step` on every batch; loading a batch and finding its neighbours counts."""
    cpu, wall = time.process_time(), time.perf_counter()
    losses = [step(batch) for batch in batches]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Cost(cpu / len(losses), wall / len(losses), losses)


def read_events(path: Path, num_events: int) -> Events:
    """The arrays of events.npz, cut after the last event that the run needs. Exits where there are too few."""
    with np.load(path) as stored:
        events = dict(stored)
    end = int(events["first_train"]) + num_events
    if end > len(events["t"]):
        sys.exit(
            f"{path}: first_train + {num_events} events is {end}, past its {len(events['t'])}: ask for fewer batches"
        )
    return {name: array[:end] if array.ndim else array for name, array in events.items()}


def load(events: Events, span: slice, hooks: HookManager) -> DGDataLoader:
    """TGM's loader over some of the events, 200 a batch."""
    edges = np.stack([events["src"][span], events["dst"][span]], axis=1).astype(np.int32)
    data = DGData.from_raw(
        torch.from_numpy(events["t"][span] - events["t"][0]),
        torch.from_numpy(edges),
        torch.from_numpy(events["features"][span]),
    )
    return DGDataLoader(DGraph(data), BATCH_EVENTS, hook_manager=hooks)


def build_hooks(events: Events, k: int) -> HookManager:
    """One random destination for each event, then the k most recent neighbours at each hop."""
    num_nodes = int(events["num_nodes"])
    hooks = HookManager([HOOKS])
    hooks.register_shared(NegativeEdgeSamplerHook(low=int(events["num_sources"]), high=num_nodes))
    seeds, times = ["edge_src", "edge_dst", "neg"], ["edge_time", "edge_time", "neg_time"]
    hooks.register_shared(RecencyNeighborHook(num_nodes, [k] * NUM_LAYERS, seeds, times))
    hooks.set_active_hooks(HOOKS)
    return hooks


def peak_memory_bytes() -> int:
    """The most memory this process ever held, from VmHWM."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def observed_kernels(step: Callable[[DGBatch], float], batch: DGBatch) -> dict[str, float]:
    """The operators with the largest share of one training batch's CPU time, and every fused attention that ran."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step(batch)
    spent = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    ranked = sorted(spent, key=spent.__getitem__, reverse=True)
    shown = [name for rank, name in enumerate(ranked) if rank < NUM_KERNELS or "scaled_dot_product" in name]
    return {name: round(spent[name] / sum(spent.values()), 3) for name in shown}


def batches_after_history(events: Events, k: int) -> Iterator[DGBatch]:
    """The batches from `first_train` on, of a recency hook that was shown every earlier event."""
    hooks = build_hooks(events, k)
    first_train = int(events["first_train"])
    for _ in load(events, slice(0, first_train), hooks):
        pass  # showing a batch to the hook is all that is wanted
    return iter(load(events, slice(first_train, None), hooks))


def run(events: Events, options: argparse.Namespace) -> dict[str, object]:
    """Train, evaluate, profile; the measured part of the JSON line."""
    batches = batches_after_history(events, options.k)
    model = LinkModel(torch.randn(int(events["num_nodes"]), options.node_width), events["features"].shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)

    def train(batch: DGBatch) -> float:
        model.train()
        optimizer.zero_grad()
        loss = model(batch)
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.no_grad()
    def evaluate(batch: DGBatch) -> float:
        model.eval()
        return model(batch).item()

    warmup = measure(train, islice(batches, options.warmup))
    trained = measure(train, islice(batches, options.batches))
    evaluated = measure(evaluate, islice(batches, options.batches))
    peak = peak_memory_bytes()
    last = next(batches)
    losses = warmup.losses + trained.losses
    part = max(1, len(losses) // 4)
    return {
        "cpu_seconds_per_batch": trained.cpu_seconds,
        "wall_seconds_per_batch": trained.wall_seconds,
        "events_per_second": BATCH_EVENTS / trained.wall_seconds,
        "eval_cpu_seconds_per_batch": evaluated.cpu_seconds,
        "eval_events_per_second": BATCH_EVENTS / evaluated.wall_seconds,
        "peak_memory_bytes": peak,
        "loss_first_quarter": float(np.mean(losses[:part])),
        "loss_last_quarter": float(np.mean(losses[-part:])),
        "loss_eval": float(np.mean(evaluated.losses)),
        "neighbours_filled": [(nodes != PADDED_NODE_ID).float().mean().item() for nodes in last.nbr_nids],
        "kernels": observed_kernels(train, last),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure TGM's TGAT; prints one JSON line.")
    parser.add_argument("--events", type=Path, required=True, help="events.npz as this file's docstring describes it")
    parser.add_argument("--k", type=int, default=10, help="most recent neighbours at each hop")
    parser.add_argument("--batches", type=int, default=40, help="timed batches of training, and then of evaluation")
    parser.add_argument("--warmup", type=int, default=5, help="training batches before the timed ones, at least 1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--node-width", type=int, default=172, help="width of the static node features")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    events = read_events(options.events, (options.warmup + 2 * options.batches + 1) * BATCH_EVENTS)
    versions = {"torch_version": torch.__version__, "tgm_version": version("tgm-lib")}
    settings = {
        "k": options.k,
        "node_width": options.node_width,
        "batches": options.batches,
        "threads": options.threads,
    }
    print(json.dumps(versions | settings | run(events, options)))


if __name__ == "__main__":
    main()
