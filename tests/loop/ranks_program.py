"""One process of several that train a small model together, as `SCENARIO,SCENARIO,... STORE OUT`, one after another."""

import faulthandler
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset

import seedbed
from seedbed.change import Use, UseReport
from seedbed.errors import InvalidInput, SeedbedError
from seedbed.loop.settings import BoundSetting, Limits

MOST_STEPS = 4_000
RUNTIME = {"sdpa": "off", "flash": "off", "amp": "off", "cdc": "off"}
SECONDS = 150
DIED = 9


class Training:
    """A regression in which each rank has data and random numbers of its own; `kind` says how it is distributed."""

    def __init__(self, store: Path, kind: str = "ddp") -> None:
        self.rank, self.store = dist.get_rank(), store
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 1))
        self.model, self.optimizer = distributed(self.net, kind)
        generator = torch.Generator().manual_seed(self.rank)
        self.x = torch.randn(16, 4, generator=generator)
        self.y = self.x.sum(1, keepdim=True) * 3 + torch.randn(16, 1, generator=generator)
        self.rates: list[float] = []  # what each step of plain gradient descent used, by the weights
        torch.manual_seed(100 + self.rank)

    def start(self, **more: Any) -> "seedbed.Run":
        given = {"project": "ranks", "store": self.store, "runtime": RUNTIME, **more}
        return seedbed.start(self.model, self.optimizer, **given)

    def step(self) -> torch.Tensor:
        """The user's lines."""
        loss = nn.functional.mse_loss(self.model(self.x), self.y)
        self.optimizer.zero_grad()
        loss.backward()
        bias = next(reversed(list(self.net.parameters())))
        before = bias.detach().clone()
        self.optimizer.step()
        if isinstance(self.optimizer, torch.optim.SGD) and bias.grad is not None:
            self.rates.append(round(((before - bias.detach()) / bias.grad).mean().item(), 4))
        return loss

    def weights(self) -> list[float]:
        """The weights that are here."""
        parts = [weight.detach() for weight in self.net.parameters()]
        local = [getattr(part, "to_local", lambda part=part: part)() for part in parts]
        return [value for part in local for value in part.flatten().tolist()]


def distributed(net: nn.Module, kind: str) -> tuple[nn.Module, Any]:
    if kind == "ddp":
        model: nn.Module = DistributedDataParallel(net)
        return model, torch.optim.SGD(model.parameters(), lr=0.1)
    if kind == "zero":
        from torch.distributed.optim import ZeroRedundancyOptimizer

        model = DistributedDataParallel(net)
        return model, ZeroRedundancyOptimizer(model.parameters(), torch.optim.Adam, lr=0.1)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    fully_shard(net, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    return net, torch.optim.Adam(net.parameters(), lr=0.1)


class Number:
    """A setting that the loop keeps; at rank 1 it may fail in one `way`."""

    def __init__(self, way: str) -> None:
        self.value, self._way = 1.0, way if dist.get_rank() == 1 else ""
        self._report: Callable[[UseReport], None] | None = None
        self._since = 0

    def read(self) -> float:
        return self.value

    def write(self, value: float) -> None:
        if self._way == "dies":
            os._exit(DIED)
        if self._way != "ignores":
            self.value = value

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        self._report, self._since = report, 0

    def state(self) -> dict[str, float]:
        return {"value": self.value}

    def restore(self, state: Mapping[str, float]) -> None:
        self.value = state["value"]

    def use(self) -> None:
        """The loop uses it."""
        self._since += 1
        if self._report is not None and self._way != "unused":
            if self._way == "loses":
                self._report(UseReport(self._since, self.value, 7.0, Use.LOST, "7 was used"))
                self._report = None
            else:
                self._report(UseReport(self._since, self.value, self.value, Use.USED))


def outside(store: Path) -> dict[str, Any]:
    """Train until somebody has halved the rate, and ten steps more."""
    training = Training(store)
    with training.start(run="steered") as run:
        left = 10
        while left and run.step < MOST_STEPS:
            with run.one_step():
                run.log(loss=training.step())
            left -= training.rates[-1] < 0.1
            time.sleep(0.005)
        run.result(loss=1.0)
    return {"rates": training.rates, "outcomes": outcomes(run), "code": run.exit_code, "id": run.run_id}


def number(store: Path, way: str) -> dict[str, Any]:
    """Change a setting that fails at rank 1 in one way, and then the rate."""
    training, setting = Training(store), Number(way)
    with training.start(run=way) as run:
        run.bind_setting(BoundSetting(("loop", "number"), setting, Limits(low=0.0, high=10.0)))
        for step, _ in run.steps(range(6)):
            if step == 3:
                run.propose("loop.number", set=2.0, why="to see")
            if step == 5:
                run.propose("lr", scale=0.5, why="to see")
            run.log(loss=training.step())
            setting.use()
        run.result(loss=1.0)
    return {"outcomes": outcomes(run), "value": setting.value, "rates": training.rates, "code": run.exit_code}


def apart(store: Path) -> dict[str, Any]:
    """Each rank proposes another factor."""
    training = Training(store)
    try:
        with training.start(run="apart") as run:
            for step, _ in run.steps(range(6)):
                if step == 3:
                    run.propose("lr", scale=0.5 + 0.1 * training.rank, why="to see")
                training.step()
    except SeedbedError as problem:
        return {"said": f"{type(problem).__name__}: {problem}", "outcomes": outcomes(run)}
    return {"said": ""}


def resumed(store: Path, kind: str) -> dict[str, Any]:
    """Eight steps with a change and a checkpoint within, lost after the last; then again from the checkpoint."""
    weights, path = [], store.parent / f"{kind}.checkpoint"
    run: Any = None
    for attempt in (1, 2):
        training = Training(store, kind)
        try:
            with training.start(run=None) as run:
                is_resumed = run.restore(path)
                while run.step < 8:
                    with run.one_step():
                        run.log(loss=training.step())
                        if run.step == 2:
                            run.propose("lr", scale=0.5, why="to see")
                    if run.step == 4 and not is_resumed:
                        run.checkpoint(path)
                weights.append(training.weights())
                if attempt == 1:
                    raise ZeroDivisionError
                run.result(loss=1.0)
        except ZeroDivisionError:
            pass
    return {"weights": weights, "outcomes": outcomes(run), "is_resumed": is_resumed, "id": run.run_id}


def kernels(store: Path) -> dict[str, Any]:
    """Rank 1 computes attention by another kernel than rank 0."""
    training = Training(store)
    backend = SDPBackend.MATH if training.rank else SDPBackend.FLASH_ATTENTION
    with training.start(run="kernels", runtime="COMPAT") as run, sdpa_kernel(backend), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        heads = torch.randn(1, 2, 16, 8)
        for _ in run.steps(range(4)):
            nn.functional.scaled_dot_product_attention(heads, heads, heads)
            training.step()
        run.result(loss=1.0)
    return {"outcomes": outcomes(run), "code": run.exit_code}


def freezing(store: Path) -> dict[str, Any]:
    """Freeze a layer, of a model that does not look for unused weights and of one that does."""
    said = ""
    for finds in (False, True):
        training = Training(store)
        training.model = DistributedDataParallel(training.net, find_unused_parameters=finds)
        with training.start(run=f"freezing-{finds}") as run:
            for step, _ in run.steps(range(6)):
                if step == 3:
                    try:
                        run.propose("model.freeze.0", set=1, why="to see")
                    except InvalidInput as problem:
                        said = str(problem)
                training.step()
            run.result(loss=1.0)
    return {"said": said, "outcomes": outcomes(run), "weights": training.weights()}


def asked(store: Path, name: str = "asked", *, writer: bool = False) -> dict[str, Any]:
    """Train until somebody asks to stop; a writer of its own fails in each process, then in rank 1, then no more."""
    training, code, failing = Training(store), None, [{0, 1}, {1}]

    def write() -> str:
        if failing and training.rank in failing.pop(0):
            raise OSError(f"no space left on device {training.rank}")
        return "wrote all"

    try:
        with training.start(run=name) as run:
            if writer:
                run.checkpoint_by(write)
            while run.step < MOST_STEPS:
                with run.one_step():
                    run.log(loss=training.step())
                time.sleep(0.005)
    except SystemExit as stopped:
        code = stopped.code
    return {"code": code, "step": run.step, "weights": training.weights()}


def within(store: Path) -> dict[str, Any]:
    """As `asked`, with steps of eight passes, and an evaluation at the head of some that lasts longer than they do."""
    training, code = Training(store), None
    try:
        with training.start(run="asked") as run:
            while run.step < MOST_STEPS:
                with run.one_step():
                    if run.iteration % 64 == 1:
                        time.sleep(0.5)
                    time.sleep(0.01)
                    nn.functional.mse_loss(training.model(training.x), training.y).backward()
                    if run.iteration % 8 == 0:
                        training.optimizer.step()
                        training.optimizer.zero_grad()
    except SystemExit as stopped:
        code = stopped.code
    return {"code": code, "step": run.step, "iteration": run.iteration, "weights": training.weights()}


def dying(store: Path) -> dict[str, Any]:
    """Rank 1 dies while a change is made; the first time."""
    path = store.parent / "dying.checkpoint"
    training, setting = Training(store), Number("" if path.exists() else "dies")
    with training.start() as run:
        run.bind_setting(BoundSetting(("loop", "number"), setting, Limits(low=0.0, high=10.0)))
        is_resumed = run.restore(path)
        while run.step < 6:
            with run.one_step():
                run.log(loss=training.step())
                setting.use()
            if run.step == 2 and not is_resumed:
                run.checkpoint(path)
            if run.step == 4 and not is_resumed:
                run.propose("loop.number", set=2.0, why="to see")
        run.result(loss=1.0)
    return {"outcomes": outcomes(run), "value": setting.value, "is_resumed": is_resumed, "id": run.run_id}


def own_data(store: Path, way: str) -> dict[str, Any]:
    """A rank shuffles with a seed of its own; a whole loop, one that keeps a state, and one that is given it."""
    seen: dict[int, list[int]] = {}
    rank, states = dist.get_rank(), store.parent / f"{way}.states"
    for attempt in ("whole", "first", "again"):
        torch.manual_seed(0)
        model: nn.Module = DistributedDataParallel(nn.Linear(4, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        torch.manual_seed(100 + rank)
        rows = torch.arange(24.0).reshape(24, 1).repeat(1, 4) / 10
        loader: Any = DataLoader(TensorDataset(rows, torch.arange(24)), 4, shuffle=True)
        with seedbed.start(model, optimizer, project="own-data", store=store, runtime=RUNTIME) as run:
            if attempt == "again":
                of = 0 if way == "of rank 0" else rank
                run.load_state_dict(torch.load(f"{states}.{of}", weights_only=True))
            got = {}
            for _ in run.epochs(2):
                for step, (x, numbers) in run.steps(loader):
                    got[step] = numbers.tolist()
                    model(x).mean().backward()
                    optimizer.step()
                    if attempt == "first" and step == 8:
                        torch.save(run.state_dict(), f"{states}.{rank}")
                        break
            dist.barrier()
            if attempt == "first":
                run.abandon("stopped")
            else:
                run.result(x=1.0)
        seen = got if attempt == "whole" else seen
    process = {} if run.commit is None else run.commit.snapshot.process
    told = {name: str(process.get(name)) for name in ("data_order", "resume")}
    return {"whole": [seen[step] for step in range(9, 13)], "again": [*got.values()], **told}


SCENARIOS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "outside": outside,
    "ignores": lambda store: number(store, "ignores"),
    "unused": lambda store: number(store, "unused"),
    "loses": lambda store: number(store, "loses"),
    "apart": apart,
    "ddp": lambda store: resumed(store, "ddp"),
    "zero": lambda store: resumed(store, "zero"),
    "fsdp": lambda store: resumed(store, "fsdp"),
    "kernels": kernels,
    "freezing": freezing,
    "asked": asked,
    "within": within,
    "writer": lambda store: asked(store, "writer", writer=True),
    "dying": dying,
    "own data": lambda store: own_data(store, "own"),
    "data of rank 0": lambda store: own_data(store, "of rank 0"),
}


def outcomes(run: "seedbed.Run") -> list[list[Any]]:
    return [[each.id, each.outcome.value, each.before, each.after, each.reason] for each in run.engine.history.records]


def main() -> None:
    names, store, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    dist.init_process_group("gloo")
    for name in names.split(","):
        told = SCENARIOS[name](store)
        (out / f"{name}.{dist.get_rank()}.json").write_text(json.dumps(told), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
