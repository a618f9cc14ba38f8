"""A small training loop in float64, put together from the habits that real loops have.

A loop trains alone, with a value that is set by hand, or with one that is changed through Seedbed; `loop_measures.py`
compares the three.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.tensor import DTensor
from torch.optim import AdamW, Optimizer

from seedbed.change import Binding, LearningRate, Operation, Scale

__all__ = ["Case", "Knob", "Loop", "Meant", "Net", "by_hand_in_groups", "parts", "plain", "put"]

ROWS = 400
RATES = (1e-2, 4e-3)


class Net(nn.Module):
    """An encoder, dropout and a head."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = nn.Linear(3, 6, dtype=torch.float64)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(6, 1, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        """Predictions [rows, 1] for x [rows, 3]."""
        out: Tensor = self.head(self.dropout(torch.tanh(self.encoder(x))))
        return out


Meant = Callable[[float], float]
"""The value that is meant to be in use, from the one that the loop would use without the change."""


@final
@dataclass(frozen=True)
class Knob:
    """One setting: its binding in a loop, and the value set by hand for the time of one optimizer step.

    `whole` sets it for a whole pass instead: what acts before the step, such as dropout. `name` is its name in a run.
    """

    bind: Callable[["Loop"], Binding]
    step: Callable[["Loop", Meant], AbstractContextManager[None]] = lambda *_: nullcontext()
    whole: Callable[["Loop", Meant], AbstractContextManager[None]] = lambda *_: nullcontext()
    name: str = "lr"


def put(group: dict[str, Any], key: str, value: float) -> None:
    """Set a number of a group, in its tensor where it is one."""
    if isinstance(group[key], Tensor):
        group[key].fill_(value)
    else:
        group[key] = value


@final
class by_hand_in_groups:  # noqa: N801  # it reads as the statement that it is
    """Other numbers in the optimizer's groups inside the block, and the loop's own again after it."""

    def __init__(self, groups: Sequence[dict[str, Any]], key: str, meant: Meant) -> None:
        self._groups, self._key, self._meant = groups, key, meant
        self._own: list[float] = []

    def __enter__(self) -> None:
        self._own = [float(group[self._key]) for group in self._groups]
        for group, own in zip(self._groups, self._own, strict=True):
            put(group, self._key, self._meant(own))

    def __exit__(self, *_: object) -> None:
        for group, own in zip(self._groups, self._own, strict=True):
            put(group, self._key, own)


RATE = Knob(
    bind=lambda loop: LearningRate(loop.stepped, loop.declared, holds=loop.declared is None),
    step=lambda loop, meant: by_hand_in_groups(loop.optimizer.param_groups, "lr", meant),
)


def parts(net: Net) -> list[dict[str, Any]]:
    """The encoder and the head as two groups, with a rate each."""
    return [
        {"params": [*part.parameters()], "lr": rate} for part, rate in zip((net.encoder, net.head), RATES, strict=True)
    ]


def plain(loop: "Loop", loss: Callable[[], Tensor]) -> None:
    """Backward, a step when enough micro-batches came, and a step of the schedule."""
    (loss() / loop.case.accumulate).backward()
    if loop.iteration % loop.case.accumulate == 0:
        with loop.by_hand():
            loop.stepped.step()
        loop.took_step()
        loop.stepped.zero_grad()
        loop.step_schedule()


def _nothing(_loop: "Loop") -> None:
    """A loop without lines of its own there."""


@final
@dataclass(frozen=True)
class Case:
    """One loop of the table: how its parts are built, what its lines do, and the change.

    `wrap` returns what the loop steps, from the bare optimizer and the function that builds a schedule. `before` and
    `after` are the user's own lines at the beginning and at the end of each pass. A loop whose `can_lose` is True
    brings the former value back by itself: a loss that is said is right there. `meant` gives the meant values, from
    the first group's value at the change; by default the operation in proportion, as a schedule follows it. After
    `half_used` steps in which only some micro-batches use the value comes the first that uses it in all. `earlier` is
    a change before the one that counts, after so many passes. A loop `at_the_door` is changed through a run.
    """

    name: str
    family: str
    optimizer: Callable[[Net], Optimizer] = lambda net: AdamW(parts(net))
    schedule: Callable[[Any], Any] | None = None
    wrap: Callable[[Optimizer, Callable[[Any], Any]], tuple[Any, Any]] = lambda bare, build: (bare, build(bare))
    model: Callable[[Net], nn.Module] = lambda net: net
    declares: bool = True
    before: Callable[["Loop"], None] = _nothing
    after: Callable[["Loop"], None] = _nothing
    train: Callable[["Loop", Callable[[], Tensor]], None] = plain
    knob: Knob = RATE
    op: Operation = field(default_factory=lambda: Scale(0.5))
    meant: Callable[[Operation, float], Meant] = lambda op, first: lambda own: own * (op.resolve(first) / first)
    limits: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    accumulate: int = 1
    passes: int = 24
    change_after: int = 10
    resume_after: int | None = None
    dropout: float = 0.0
    batch_size: int = 4
    metric: Callable[[int], float] | None = None
    half_used: int = 0
    earlier: tuple[int, Operation] | None = None
    in_processes: bool = False
    at_the_door: bool = False
    can_lose: bool = False

    def made_after(self, num_passes: int) -> list[Operation]:
        """The changes that are made after so many passes."""
        made = [*([self.earlier] if self.earlier else []), (self.change_after, self.op)]
        return [op for after, op in made if after == num_passes]


@final
class Loop:
    """A case's loop. `meant` is what its value is set to by hand in each step, once the change is made."""

    def __init__(self, case: Case) -> None:
        torch.manual_seed(0)
        self.case = case
        self.net = Net(case.dropout)
        self.model = case.model(self.net)
        self.optimizer: Optimizer = case.optimizer(self.net)
        self.others: dict[str, Any] = {}
        self.stepped: Any
        self.schedule: Any
        self.stepped, self.schedule = case.wrap(self.optimizer, case.schedule or (lambda _: None))
        self.meant: Meant | None = None
        self.clip: Callable[[list[nn.Parameter]], Tensor] = lambda weights: nn.utils.clip_grad_norm_(weights, 0.05)
        self.batches: Iterator[list[Tensor]] | None = None
        self.batch_size = case.batch_size
        self.iteration, self.row = 0, 0
        self.trace: list[Tensor] = []

    @property
    def declared(self) -> Any:
        """The schedule that is declared to Seedbed."""
        return self.schedule if self.case.declares else None

    @property
    def steps(self) -> int:
        """Optimizer steps so far."""
        return len(self.trace)

    def once(self) -> None:
        """One pass: the user's lines, a batch, and what the loop makes of it."""
        self.iteration += 1
        torch.manual_seed(self.iteration)
        self.case.before(self)
        with nullcontext() if self.meant is None else self.case.knob.whole(self, self.meant):
            x, y = self._batch()
            self.model.train()
            self.case.train(self, lambda: (self.model(x) - y).square().mean())
        self.case.after(self)

    def by_hand(self) -> AbstractContextManager[None]:
        """Around each optimizer step: the meant value, where this loop's value is set by hand."""
        return nullcontext() if self.meant is None else self.case.knob.step(self, self.meant)

    def took_step(self) -> None:
        """The optimizer stepped: keep the weights."""
        self.trace.append(self.weights())

    def step_schedule(self) -> None:
        """The schedule's step, with a metric where it takes one."""
        if self.schedule is not None and self.case.metric is not None:
            self.schedule.step(self.case.metric(self.steps))
        elif self.schedule is not None:
            self.schedule.step()

    def weights(self) -> Tensor:
        """All weights in one vector."""
        return torch.cat([_whole(weight.detach()).flatten() for weight in self.net.parameters()])

    def resumed(self) -> "Loop":
        """A loop of new objects that goes on from what a script saves of this one."""
        saved = copy.deepcopy({name: part.state_dict() for name, part in self._kept().items()})
        new = self.begun_again()
        for name, part in new._kept().items():
            part.load_state_dict(saved[name])
        return new

    def begun_again(self) -> "Loop":
        """A loop of new objects at this place of the data, into which nothing was loaded."""
        new = Loop(self.case)
        new.iteration, new.row, new.trace = self.iteration, self.row, self.trace
        new.meant = self.meant
        return new

    def _kept(self) -> dict[str, Any]:
        named = {"model": self.net, "optimizer": self.stepped, "schedule": self.schedule}
        return {name: part for name, part in named.items() if hasattr(part, "state_dict")}

    def _batch(self) -> tuple[Tensor, Tensor]:
        if self.batches is not None:
            x, y = next(self.batches)
            return x, y
        first = self.row + self.batch_size * _rank()
        self.row += self.batch_size * _num_processes()
        x, y = (each[first : first + self.batch_size] for each in data())
        return x, y


def _whole(weight: Tensor) -> Tensor:
    return weight.full_tensor() if isinstance(weight, DTensor) else weight


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def _num_processes() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def data() -> tuple[Tensor, Tensor]:
    """Inputs [ROWS, 3] and targets [ROWS, 1]."""
    made = torch.Generator().manual_seed(1)
    x = torch.randn(ROWS, 3, generator=made, dtype=torch.float64)
    return x, (x.sum(1, keepdim=True) + 0.1 * torch.randn(ROWS, 1, generator=made, dtype=torch.float64)).sin()
