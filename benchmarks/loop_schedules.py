"""Schedules: torch's own and compositions, subclasses, those of transformers and timm, and objects of a user's own.

Those of transformers and timm are the real ones where they can be imported; otherwise the same curves, written here.
"""

import math
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from torch.optim import Optimizer
from torch.optim import lr_scheduler as torch_schedules
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import SWALR

__all__ = ["OF_TIMM", "OF_TORCH", "OF_TRANSFORMERS", "OwnCurve", "OwnObject", "imported"]

Schedule = Callable[[Any], Any]


def imported(name: str) -> ModuleType | None:
    """The module, where it is installed."""
    try:
        return import_module(name)
    except ImportError:
        return None


def _warmed_cosine(optimizer: Optimizer) -> LRScheduler:
    warm = torch_schedules.LinearLR(optimizer, start_factor=0.1, total_iters=4)
    cosine = torch_schedules.CosineAnnealingLR(optimizer, T_max=30, eta_min=1e-4)
    return torch_schedules.SequentialLR(optimizer, [warm, cosine], milestones=[4])


def _chained(optimizer: Optimizer) -> LRScheduler:
    constant = torch_schedules.ConstantLR(optimizer, factor=0.5, total_iters=14)
    return torch_schedules.ChainedScheduler([constant, torch_schedules.ExponentialLR(optimizer, 0.95)])


def _sequence_in_a_sequence(optimizer: Optimizer) -> LRScheduler:
    decay = torch_schedules.ExponentialLR(optimizer, 0.9)
    return torch_schedules.SequentialLR(optimizer, [_warmed_cosine(optimizer), decay], milestones=[16])


def _chain_of_sequence(optimizer: Optimizer) -> LRScheduler:
    decay = torch_schedules.MultiStepLR(optimizer, [8, 16], gamma=0.7)
    return torch_schedules.ChainedScheduler([_warmed_cosine(optimizer), decay])


def _sequence_of_functions(optimizer: Optimizer) -> LRScheduler:
    warm = torch_schedules.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 4))
    decay = torch_schedules.LambdaLR(optimizer, lambda step: 0.93**step)
    return torch_schedules.SequentialLR(optimizer, [warm, decay], milestones=[4])


class Logged(torch_schedules.CosineAnnealingLR):
    """A subclass that leaves get_lr alone and keeps what it wrote."""

    def __init__(self, optimizer: Optimizer, T_max: int) -> None:  # noqa: N803  # as the base class
        self.written: list[list[Any]] = []
        super().__init__(optimizer, T_max=T_max, eta_min=1e-4)

    def step(self, epoch: int | None = None) -> None:
        """The base class's step, kept."""
        super().step(epoch)
        self.written.append([*self.get_last_lr()])


class Warmed(torch_schedules.LambdaLR):
    """A subclass with a constructor of its own, as libraries of models have them."""

    def __init__(self, optimizer: Optimizer, warmup: int) -> None:
        super().__init__(optimizer, lambda step: min((step + 1) / warmup, (warmup / (step + 1)) ** 0.5))


class OwnCurve(LRScheduler):
    """A subclass that overrides get_lr: a curve of its own over the base rates."""

    def get_lr(self) -> list[Any]:
        """The base rates times a wave."""
        return [base * (1.2 + math.sin(0.4 * self.last_epoch)) / 2.2 for base in self.base_lrs]


class OwnRecursion(LRScheduler):
    """A subclass that overrides get_lr and goes on from the present rates."""

    def get_lr(self) -> list[Any]:
        """The present rates, a little lower at every other step."""
        return [group["lr"] * (0.9 if self.last_epoch % 2 else 1.0) for group in self.optimizer.param_groups]


class OwnObject:
    """A schedule that is no LRScheduler: Noam's rate (arXiv 1706.03762), as many a script has it."""

    def __init__(self, optimizer: Any, peak: float = 2e-2, warmup: int = 6) -> None:
        self.optimizer, self.peak, self.warmup, self.num = optimizer, peak, warmup, 0
        self.step()

    def rate(self) -> float:
        """The rate at this step."""
        return self.peak * min(self.num / self.warmup, (self.warmup / self.num) ** 0.5)

    def step(self) -> None:
        """Write the rate of the next step into every group."""
        self.num += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()

    def state_dict(self) -> dict[str, Any]:
        """Its count."""
        return {"num": self.num}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a count."""
        self.num = state["num"]


OF_TORCH: dict[str, Schedule] = {
    "LambdaLR": lambda o: torch_schedules.LambdaLR(o, lambda step: 1 / (1 + 0.1 * step)),
    "MultiplicativeLR": lambda o: torch_schedules.MultiplicativeLR(o, lambda step: 0.99 if step % 2 else 0.9),
    "StepLR": lambda o: torch_schedules.StepLR(o, step_size=4, gamma=0.5),
    "MultiStepLR": lambda o: torch_schedules.MultiStepLR(o, [5, 13, 17], gamma=0.5),
    "ConstantLR": lambda o: torch_schedules.ConstantLR(o, factor=0.3, total_iters=14),
    "LinearLR": lambda o: torch_schedules.LinearLR(o, start_factor=0.2, total_iters=15),
    "ExponentialLR": lambda o: torch_schedules.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: torch_schedules.PolynomialLR(o, total_iters=30, power=2.0),
    "CosineAnnealingLR": lambda o: torch_schedules.CosineAnnealingLR(o, T_max=30, eta_min=1e-4),
    "CosineAnnealingWarmRestarts": lambda o: torch_schedules.CosineAnnealingWarmRestarts(o, T_0=7, eta_min=1e-4),
    "CyclicLR": lambda o: torch_schedules.CyclicLR(o, 1e-3, 1e-2, step_size_up=5, cycle_momentum=False),
    "CyclicLR with a function": lambda o: torch_schedules.CyclicLR(
        o, 1e-3, 1e-2, step_size_up=5, scale_fn=lambda cycle: 0.8**cycle, cycle_momentum=False
    ),
    "OneCycleLR": lambda o: torch_schedules.OneCycleLR(o, max_lr=[5e-2, 2e-2], total_steps=40),
    "ReduceLROnPlateau": lambda o: torch_schedules.ReduceLROnPlateau(o, factor=0.5, patience=2, min_lr=1e-4),
    "SWALR": lambda o: SWALR(o, swa_lr=[3e-3, 1e-3], anneal_epochs=15),  # type: ignore[arg-type]  # one for each group
    "SequentialLR": _warmed_cosine,
    "ChainedScheduler": _chained,
    "sequence in a sequence": _sequence_in_a_sequence,
    "chain of a sequence": _chain_of_sequence,
    "sequence of functions": _sequence_of_functions,
    "subclass that leaves get_lr alone": lambda o: Logged(o, 30),
    "subclass with its own constructor": lambda o: Warmed(o, 6),
    "subclass with its own get_lr": OwnCurve,
    "subclass that goes on from the rate": OwnRecursion,
}


def _warm_up(step: int, warmup: int) -> float | None:
    return step / warmup if step < warmup else None


def _curve(after: Callable[[float], float], step: int, warmup: int = 4, total: int = 40) -> float:
    """A warm-up, and after it a function of the share of the steps that are done."""
    early = _warm_up(step, warmup)
    return after((step - warmup) / (total - warmup)) if early is None else early


def _stays_then_decays(done: float) -> float:
    return 1.0 if done < 0.3 else 0.1 + 0.9 * (1 + math.cos(math.pi * (done - 0.3) / 0.7)) / 2


_CURVES: dict[str, Callable[[int], float]] = {
    "constant": lambda _: 1.0,
    "constant_with_warmup": partial(_curve, lambda _: 1.0),
    "linear": partial(_curve, lambda done: 1 - done),
    "cosine": partial(_curve, lambda done: (1 + math.cos(math.pi * done)) / 2),
    "cosine_with_restarts": partial(_curve, lambda done: (1 + math.cos(math.pi * (3 * done % 1.0))) / 2),
    "polynomial": partial(_curve, lambda done: 1e-3 + (1 - 1e-3) * (1 - done) ** 2),
    "inverse_sqrt": partial(_curve, lambda done: (1 + 9 * done) ** -0.5),
    "warmup_stable_decay": partial(_curve, _stays_then_decays),
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "cosine_with_restarts": {"scheduler_specific_kwargs": {"num_cycles": 3}},
    "warmup_stable_decay": {"scheduler_specific_kwargs": {"num_decay_steps": 20}},
}


def _of_transformers(name: str, optimizer: Any) -> Any:
    library = imported("transformers.optimization")
    if library is None:
        return torch_schedules.LambdaLR(optimizer, _CURVES[name])
    return library.get_scheduler(name, optimizer, num_warmup_steps=4, num_training_steps=40, **_OPTIONS.get(name, {}))


OF_TRANSFORMERS: dict[str, Schedule] = {name: partial(_of_transformers, name) for name in _CURVES}


class _Timm:
    """The interface of timm's schedulers: rates from a base that stands in the groups, times a group's `lr_scale`."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_values = [group["initial_lr"] for group in optimizer.param_groups]
        self.update_groups(self.base_values)

    def update_groups(self, values: list[float]) -> None:
        """Write a rate into each group."""
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            group["lr"] = value * group.get("lr_scale", 1.0)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {key: value for key, value in vars(self).items() if key != "optimizer"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take everything over."""
        vars(self).update(state)


class _TimmCosine(_Timm):
    def __init__(self, optimizer: Any, total: int, lowest: float, warmup: int, warmup_rate: float) -> None:
        super().__init__(optimizer)
        self.total, self.lowest, self.warmup, self.warmup_rate = total, lowest, warmup, warmup_rate
        self.update_groups([warmup_rate] * len(self.base_values))

    def _rates(self, now: int) -> list[float]:
        if now < self.warmup:
            return [self.warmup_rate + now * (base - self.warmup_rate) / self.warmup for base in self.base_values]
        share = (1 + math.cos(math.pi * now / self.total)) / 2
        return [self.lowest + (base - self.lowest) * share for base in self.base_values]

    def step(self, _epoch: int) -> None:
        """Nothing: this one goes by updates."""

    def step_update(self, num_updates: int) -> None:
        """The rates after so many updates."""
        self.update_groups(self._rates(num_updates))


class _TimmPlateau(_Timm):
    def __init__(self, optimizer: Any, decay_rate: float, patience: int) -> None:
        super().__init__(optimizer)
        self.inner = torch_schedules.ReduceLROnPlateau(optimizer, factor=decay_rate, patience=patience)

    def state_dict(self) -> dict[str, Any]:
        """The state of the inner one."""
        return {"inner": self.inner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load it into the inner one."""
        self.inner.load_state_dict(state["inner"])

    def step(self, _epoch: int, metric: float) -> None:
        """One epoch with a metric."""
        self.inner.step(metric)


def _timm_cosine(optimizer: Any) -> Any:
    if (library := imported("timm.scheduler")) is None:
        return _TimmCosine(optimizer, total=40, lowest=1e-4, warmup=4, warmup_rate=1e-3)
    options = {"t_initial": 40, "lr_min": 1e-4, "warmup_t": 4, "warmup_lr_init": 1e-3, "t_in_epochs": False}
    return library.CosineLRScheduler(optimizer, **options)


def _timm_plateau(optimizer: Any) -> Any:
    if (library := imported("timm.scheduler")) is None:
        return _TimmPlateau(optimizer, decay_rate=0.5, patience=2)
    return library.PlateauLRScheduler(optimizer, decay_rate=0.5, patience_t=2, mode="min")


OF_TIMM: dict[str, Schedule] = {"cosine": _timm_cosine, "plateau": _timm_plateau}
