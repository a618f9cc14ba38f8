"""The loops that train in two processes: each makes the same change at the same step, and each answers for itself."""

import multiprocessing
import tempfile
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW, Optimizer

from loop_judging import Verdict
from loop_measures import Row, measure
from loop_runs import Case, Net, parts

__all__ = ["fsdp", "in_parallel", "in_parallel_with_unused", "measure_together", "zero"]

NUM_PROCESSES = 2
_TIMEOUT = timedelta(seconds=60)


def in_parallel(net: Net) -> nn.Module:
    """The model with averaged gradients."""
    return DistributedDataParallel(net)


def in_parallel_with_unused(net: Net) -> nn.Module:
    """The same, where some weights may have no gradient."""
    return DistributedDataParallel(net, find_unused_parameters=True)


def fsdp(net: Net) -> nn.Module:
    """The model with sharded weights (FSDP2)."""
    sharded: Any = fully_shard(net, mesh=dist.init_device_mesh("cpu", (NUM_PROCESSES,)))
    model: nn.Module = sharded
    return model


def zero(net: Net) -> Optimizer:
    """An optimizer whose state is sharded (ZeRO-1)."""
    from torch.distributed.optim import ZeroRedundancyOptimizer  # its import warns

    return ZeroRedundancyOptimizer(parts(net), optimizer_class=AdamW, lr=1e-2)


def measure_together(cases: Sequence[Case]) -> list[Row]:
    """The rows of the cases, measured one after the other in two processes; of each, what the worse process says."""
    names = [case.name for case in cases]
    with tempfile.TemporaryDirectory() as folder:
        store, context = str(Path(folder) / "store"), multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(NUM_PROCESSES, mp_context=context) as pool:
            started = [pool.submit(_measure_in_one, rank, names, store) for rank in range(NUM_PROCESSES)]
            of_each = [each.result() for each in started]
    return [max(rows, key=_badness) for rows in zip(*of_each, strict=True)]


def _badness(row: Row) -> int:
    return list(Verdict).index(row.verdict)


def _measure_in_one(rank: int, names: Sequence[str], store: str) -> list[Row]:
    from loop_cases import CASES  # it imports this file

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=NUM_PROCESSES, timeout=_TIMEOUT
    )
    try:
        return [measure(next(case for case in CASES if case.name == name)) for name in names]
    finally:
        dist.destroy_process_group()
