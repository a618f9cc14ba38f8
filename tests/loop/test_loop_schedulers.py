"""A scheduler is bound with its optimizer: another one's rates nobody would watch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from loop_world import QUIET_RUNTIME
from torch import nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import ChainedScheduler, LambdaLR, LRScheduler, ReduceLROnPlateau, SequentialLR, StepLR

import seedbed
from seedbed.errors import InvalidInput
from seedbed.loop.settings import LiveObjects

GIVEN: dict[str, Any] = {"project": "tests", "runtime": QUIET_RUNTIME, "quiet": True}


class Holder:
    """A wrapper of another library, which holds what it wraps as its `scheduler` and its `optimizer`."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler

    def step(self) -> None:
        self.scheduler.step()


class OwnSchedule:
    """A schedule by hand, which may say whose rate it writes."""

    def __init__(self, optimizer: Optimizer | None = None) -> None:
        if optimizer is not None:
            self.optimizer = optimizer

    def step(self) -> None:
        """Write nothing."""


class Wrapper(Optimizer):
    """An optimizer that wraps another one and shows its groups."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.optimizer.step(closure)


def halved(optimizer: Optimizer) -> LRScheduler:
    return LambdaLR(optimizer, lambda step: 0.5**step)


KINDS: dict[str, Callable[[Optimizer], object]] = {
    "LambdaLR": halved,
    "SequentialLR": lambda own: SequentialLR(own, [StepLR(own, 1), StepLR(own, 2)], [3]),
    "ChainedScheduler": lambda own: ChainedScheduler([StepLR(own, 1), halved(own)]),
    "ReduceLROnPlateau": ReduceLROnPlateau,
    "LambdaLR, wrapped twice": lambda own: Holder(Holder(halved(own))),
    "OwnSchedule": OwnSchedule,
    "OwnSchedule, of a wrapper": lambda own: OwnSchedule(Wrapper(own)),
}


def parts() -> tuple[nn.Module, Optimizer, Optimizer]:
    model = nn.Linear(2, 1)
    return model, SGD(model.parameters(), lr=0.1), Adam(nn.Linear(2, 1).parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_one_whose_optimizer_is_not_bound_is_refused_at_the_start_and_its_own_is_not(tmp_path: Path, kind: str) -> None:
    model, bound, other = parts()
    wrong, right = KINDS[kind](other), KINDS[kind](bound)
    named = kind.partition(",")[0]
    with pytest.raises(
        InvalidInput, match=rf"scheduler: the .*{named} writes the rate of the Adam.*bind its optimizer"
    ):
        seedbed.start(model, bound, wrong, store=tmp_path, **GIVEN)
    with pytest.raises(InvalidInput, match=rf"scheduler\['b'\]: the .*{named} .*bind its optimizer"):
        seedbed.start(model, bound, {"a": right, "b": wrong}, store=tmp_path, **GIVEN)
    with pytest.raises(InvalidInput, match="bind its optimizer"):
        seedbed.start(model, None, wrong, store=tmp_path, **GIVEN)
    for optimizer in (bound, Wrapper(bound)):
        with seedbed.start(model, optimizer, right, store=tmp_path, **GIVEN) as run:
            run.result(x=1)


def test_one_that_names_no_optimizer_is_taken(tmp_path: Path) -> None:
    model, bound, _ = parts()
    with seedbed.start(model, bound, OwnSchedule(), store=tmp_path, **GIVEN) as run:
        assert run.engine.values()["optimizer.lr"] == 0.1
        run.result(x=1)


def test_each_of_a_pair_belongs_to_one_of_the_pair(tmp_path: Path) -> None:
    model, one, other = parts()
    optimizers = {"g": one, "d": other}
    schedulers = {"g": halved(other), "d": halved(one)}
    with seedbed.start(model, optimizers, schedulers, store=tmp_path, **GIVEN) as run:
        assert (run.engine.values()["g.lr"], run.engine.values()["d.lr"]) == (0.1, 0.001)
        run.result(x=1)
    objects = LiveObjects.of(model, optimizers, schedulers)
    assert objects.scheduler_of("g") is schedulers["d"], "the one that writes its rate, whatever it is called"
    assert objects.scheduler_of("d") is schedulers["g"]


def test_one_is_refused_too_where_objects_are_bound_later_and_the_former_ones_stay(tmp_path: Path) -> None:
    model, bound, other = parts()
    x = torch.ones(4, 2)
    with seedbed.start(model, bound, halved(bound), store=tmp_path, **GIVEN) as run:
        with pytest.raises(InvalidInput, match="LambdaLR writes the rate of the Adam, which is not bound"):
            run.bind(scheduler=halved(other))
        with pytest.raises(InvalidInput, match="LambdaLR writes the rate of the SGD, which is not bound"):
            run.bind(optimizer=other)  # the scheduler that is bound would be of no optimizer
        run.bind(optimizer=Wrapper(bound))
        for _ in run.steps([x] * 3):
            model(x).square().mean().backward()
            bound.step()
        assert run.step == 3
        run.result(x=1)
    with seedbed.start(model, bound, store=tmp_path, **GIVEN) as run:
        run.bind(optimizer=other, scheduler=halved(other))
        run.result(x=1)
