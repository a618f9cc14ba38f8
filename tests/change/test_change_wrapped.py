"""What libraries hand to a loop in the place of an optimizer is unwrapped, or refused before anything is touched."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD, AdamW, Optimizer, lr_scheduler

from seedbed.change import (
    ChangeEngine,
    ClipNorm,
    Delta,
    DropoutRate,
    Freeze,
    GroupSetting,
    LearningRate,
    OptimizerSetting,
    Parameter,
    Scale,
    Set,
)
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput
from seedbed.records import MemoryJournal


class Wrapper:
    """Passes on what it is asked for; a step of it is a step of the optimizer that it wraps."""

    def __init__(self, inner: Any) -> None:
        self.optimizer = inner

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups

    def step(self) -> None:
        self.optimizer.step()


class Derived(Wrapper, Optimizer):  # type: ignore[misc, override]
    """As accelerate's: of the class Optimizer, whose constructor it never calls, so that it has no hooks."""


class Opaque:
    """Wraps an optimizer and shows copies of its groups."""

    def __init__(self, inner: Optimizer) -> None:
        self.optimizer = inner
        self.param_groups = [dict(group) for group in inner.param_groups]


def stepped(model: nn.Module, optimizer: Any) -> None:
    model.zero_grad()
    model(torch.ones(2, 4)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize(
    "wrap", [Wrapper, Derived, lambda inner: Wrapper(Derived(inner))], ids=["wrapper", "derived", "both"]
)
def test_a_wrapped_optimizer_is_changed_and_the_change_is_seen_in_use(wrap: Callable[[Optimizer], Any]) -> None:
    model = nn.Linear(4, 1)
    inner = AdamW(model.parameters(), lr=1e-2)
    schedule, wrapped = lr_scheduler.ConstantLR(inner, factor=1.0), wrap(inner)
    engine = ChangeEngine(
        MemoryJournal(), {"lr": LearningRate(wrapped, schedule)}, [Parameter("lr", "1", low=1e-9, high=1.0)]
    )
    stepped(model, wrapped)
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 1)
    stepped(model, wrapped)
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    assert inner.param_groups[0]["lr"] == 5e-3


@pytest.mark.parametrize(
    "bind",
    [
        LearningRate,
        lambda optimizer: GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY),
        lambda optimizer: ClipNorm(optimizer, 1.0),
        lambda optimizer: DropoutRate(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1)), optimizer),
        lambda optimizer: Freeze(nn.Sequential(nn.Linear(4, 4)), "0", optimizer),
    ],
    ids=["rate", "setting", "clip", "dropout", "freeze"],
)
@pytest.mark.parametrize("wrap", [Opaque, lambda _: object()], ids=["opaque", "foreign"])
def test_what_cannot_be_watched_is_refused_when_it_is_bound(
    bind: Callable[[Any], object], wrap: Callable[[Optimizer], Any]
) -> None:
    inner = AdamW(nn.Linear(4, 1).parameters(), lr=1e-2)
    with pytest.raises(InvalidInput, match=r"cannot be watched.*bind the optimizer that takes the steps"):
        bind(wrap(inner))
    assert inner.param_groups[0]["lr"] == 1e-2


class Steps(Optimizer):
    """A wrapper with hooks of its own, which steps what it wraps; or updates the weights itself."""

    def __init__(self, inner: Optimizer, *, itself: bool = False) -> None:
        self.optimizer, self.itself = inner, itself
        super().__init__([weight for group in inner.param_groups for weight in group["params"]], {"lr": 7.0})
        self.param_groups = inner.param_groups

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        if not self.itself:
            self.optimizer.step()
            return
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.add_(weight.grad, alpha=-7.0)


@pytest.mark.parametrize("itself", [False, True])
@pytest.mark.parametrize("of_inner", [False, True])
def test_a_wrapper_with_hooks_of_its_own_counts_by_the_steps_of_what_it_wraps(itself: bool, of_inner: bool) -> None:
    model = nn.Linear(4, 1)
    inner = AdamW(model.parameters(), lr=1e-2)
    wrapped = Steps(inner, itself=itself)
    schedule = lr_scheduler.ExponentialLR(inner if of_inner else wrapped, 0.9)
    engine = ChangeEngine(
        MemoryJournal(), {"lr": LearningRate(wrapped, schedule)}, [Parameter("lr", "1", low=1e-9, high=1.0)]
    )
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 0)
    for _ in range(3):
        stepped(model, wrapped)
    engine.close()
    assert engine.history[1].outcome is (Outcome.UNKNOWN if itself else Outcome.EFFECTIVE)


class Pointing:
    """Wraps what wraps it."""

    optimizer: Any

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        self.param_groups = groups


class Raising:
    """Its optimizer is there later, and asking earlier raises."""

    @property
    def optimizer(self) -> Optimizer:
        raise RuntimeError("call setup first")


def test_wrappers_that_point_at_each_other_are_refused_plainly() -> None:
    groups = AdamW(nn.Linear(4, 1).parameters(), lr=1e-2).param_groups
    one, other = Pointing(groups), Pointing(groups)
    one.optimizer, other.optimizer = other, one
    with pytest.raises(InvalidInput, match=r"cannot be watched: what it wraps wraps it again"):
        LearningRate(one)  # type: ignore[arg-type]


def test_a_wrapper_that_raises_when_it_is_asked_is_refused_plainly() -> None:
    with pytest.raises(InvalidInput, match=r"its optimizer raises RuntimeError \(call setup first\)") as refused:
        LearningRate(Raising())  # type: ignore[arg-type]
    assert isinstance(refused.value.__cause__, RuntimeError)


@pytest.mark.parametrize("rate", [None, "auto", True])
def test_a_rate_that_is_no_number_is_refused_when_it_is_bound(rate: object) -> None:
    optimizer = SGD(nn.Linear(4, 1).parameters(), lr=1e-2)
    optimizer.param_groups[0]["lr"] = rate
    with pytest.raises(InvalidInput, match=r"no number.*relative_step=False"):
        LearningRate(optimizer)


def test_a_setting_that_is_no_number_is_refused_when_it_is_bound() -> None:
    optimizer = SGD(nn.Linear(4, 1).parameters(), lr=1e-2)
    optimizer.param_groups[0]["weight_decay"] = None
    with pytest.raises(InvalidInput, match="weight_decay is None"):
        GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY)


@pytest.fixture
def one_process_group(tmp_path):
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.usefixtures("one_process_group")
def test_freezing_a_part_of_a_distributed_model_needs_one_that_looks_for_unused_weights() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    optimizer = SGD(model.parameters(), lr=1e-2)
    with pytest.raises(InvalidInput, match="find_unused_parameters=True"):
        Freeze(DistributedDataParallel(model), "module.0", optimizer)
    distributed_model = DistributedDataParallel(model, find_unused_parameters=True)
    freeze = Freeze(distributed_model, "module.0", optimizer)
    engine = ChangeEngine(MemoryJournal(), {"frozen": freeze}, [Parameter("frozen", "1", low=0.0, high=1.0)])
    stepped(distributed_model, optimizer)
    engine.propose(Delta("frozen", Set(1.0), "test", "me"), 1)
    for _ in range(2):
        stepped(distributed_model, optimizer)
    assert engine.history[1].outcome is Outcome.EFFECTIVE
