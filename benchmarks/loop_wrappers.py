"""Wrappers as Accelerate, Lightning and transformers' Trainer have them, and the loop that goes with them."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from loop_runs import Loop

__all__ = [
    "AcceleratedOptimizer",
    "AcceleratedScheduler",
    "LightningOptimizer",
    "accelerated",
    "as_accelerate",
    "as_lightning",
    "as_trainer",
]

Build = Callable[[Any], Any]


class AcceleratedOptimizer(Optimizer):
    """Accelerate's kind of wrapper: an Optimizer that shows the inner one's groups, and steps at the last of a step."""

    def __init__(self, optimizer: Optimizer, every: int = 1) -> None:
        self.optimizer, self.every, self.calls = optimizer, every, 0

    @property
    def syncs(self) -> bool:
        """Whether this micro-batch is the last of its step."""
        return self.calls % self.every == 0

    @property
    def state(self) -> Any:  # type: ignore[override]
        """The inner optimizer's."""
        return self.optimizer.state

    @property
    def param_groups(self) -> Any:  # type: ignore[override]
        """The inner optimizer's."""
        return self.optimizer.param_groups

    @property
    def defaults(self) -> Any:  # type: ignore[override]
        """The inner optimizer's."""
        return self.optimizer.defaults

    def state_dict(self) -> Any:
        """The inner optimizer's."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: Any) -> None:
        """The inner optimizer's."""
        self.optimizer.load_state_dict(state_dict)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Only between two steps."""
        if self.syncs:
            self.optimizer.zero_grad(set_to_none)

    def step(self, closure: Any = None) -> Any:
        """The inner step, at the last micro-batch."""
        if self.syncs:
            self.optimizer.step(closure)


class AcceleratedScheduler:
    """Accelerate's kind of wrapper: as many steps of the inner scheduler as processes, after a step that was taken."""

    def __init__(self, scheduler: Any, optimizer: AcceleratedOptimizer, num_processes: int = 1) -> None:
        self.scheduler, self.optimizers, self.num_processes = scheduler, [optimizer], num_processes

    def step(self, *args: Any) -> None:
        """The inner steps."""
        if self.optimizers[0].syncs:
            for _ in range(self.num_processes):
                self.scheduler.step(*args)

    def state_dict(self) -> Any:
        """The inner scheduler's."""
        return self.scheduler.state_dict()

    def load_state_dict(self, state_dict: Any) -> None:
        """The inner scheduler's."""
        self.scheduler.load_state_dict(state_dict)

    def get_last_lr(self) -> Any:
        """The inner scheduler's."""
        return self.scheduler.get_last_lr()


class LightningOptimizer:
    """Lightning's kind of wrapper: of the inner optimizer's class by name, everything else passed on."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self.__class__ = type("Lightning" + type(optimizer).__name__, (type(self), type(optimizer)), {})

    @property
    def optimizer(self) -> Optimizer:
        """The inner one."""
        return self._optimizer

    def step(self, closure: Any = None) -> Any:
        """The inner step, with a closure that Lightning always makes."""
        return self._optimizer.step(closure)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)


def as_accelerate(every: int = 1, num_processes: int = 1) -> Callable[[Optimizer, Build], tuple[Any, Any]]:
    """Both are wrapped, as `accelerator.prepare` does."""

    def wrap(optimizer: Optimizer, build: Build) -> tuple[Any, Any]:
        wrapped = AcceleratedOptimizer(optimizer, every)
        bare = build(optimizer)
        return wrapped, None if bare is None else AcceleratedScheduler(bare, wrapped, num_processes)

    return wrap


def as_trainer(optimizer: Optimizer, build: Build) -> tuple[Any, Any]:
    """The scheduler is built on the wrapped optimizer, as transformers' Trainer has it."""
    wrapped = AcceleratedOptimizer(optimizer)
    return wrapped, build(wrapped)


def as_lightning(optimizer: Optimizer, build: Build) -> tuple[Any, Any]:
    """The optimizer is wrapped, the scheduler knows the inner one."""
    return LightningOptimizer(optimizer), build(optimizer)


def accelerated(loop: Loop, loss: Callable[[], Tensor]) -> None:
    """Accelerate's loop: step and schedule at every micro-batch, of which the wrapper takes some."""
    loop.stepped.calls += 1
    (loss() / loop.stepped.every).backward()
    with loop.by_hand():
        loop.stepped.step()
    loop.step_schedule()
    if loop.stepped.syncs:
        loop.took_step()
    loop.stepped.zero_grad()
