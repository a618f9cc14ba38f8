"""What a user's own lines do in a loop besides the step: they write rates, reset states, and add and remove things."""

import copy
from collections.abc import Callable
from math import cos, pi
from typing import Any

import torch
from torch.optim import Optimizer

from loop_runs import Loop

__all__ = [
    "adds_group",
    "at_milestones",
    "callback_resets",
    "cosine",
    "decays",
    "decays_weight_decay",
    "goes_back",
    "head_joins",
    "hook_joins",
    "hook_writes",
    "layerwise",
    "rebuilds_optimizer",
    "reloads_optimizer",
    "replaces_tensor",
    "resets_state",
    "warms_by_hand",
    "warms_groups",
    "writes_after",
    "writes_before",
    "writes_tensor",
]

Build = Callable[[Any], Any]


def writes_before(rate: Callable[[int], float]) -> Callable[[Loop], None]:
    """`group["lr"] = f(step)` at the top of the loop."""

    def line(loop: Loop) -> None:
        for group in loop.optimizer.param_groups:
            group["lr"] = rate(loop.iteration)

    return line


def writes_after(rate: Callable[[int], float]) -> Callable[[Loop], None]:
    """The same at the end, for the next step."""

    def line(loop: Loop) -> None:
        for group in loop.optimizer.param_groups:
            group["lr"] = rate(loop.iteration + 1)

    return line


def cosine(step: int) -> float:
    """A rate by hand: a warm-up and a cosine."""
    return 1e-2 * (step / 5 if step < 5 else 0.5 * (1 + cos(pi * step / 40)))


def writes_tensor(loop: Loop) -> None:
    """A rate that is a tensor is written in place."""
    for group in loop.optimizer.param_groups:
        group["lr"].fill_(cosine(loop.iteration))


def replaces_tensor(loop: Loop) -> None:
    """A rate that is a tensor is replaced by another tensor."""
    for group in loop.optimizer.param_groups:
        group["lr"] = torch.tensor(cosine(loop.iteration), dtype=torch.float64)


def hook_writes(optimizer: Optimizer, build: Build) -> tuple[Any, Any]:
    """A library's hook writes the rate when each step begins; it was there before Seedbed."""
    counted = _Counted(optimizer)
    optimizer.register_step_pre_hook(lambda *_: counted.write())
    return optimizer, build(optimizer)


def hook_joins(loop: Loop) -> None:
    """Such a hook comes after the change."""
    if loop.iteration == 14:
        loop.optimizer.register_step_pre_hook(lambda optimizer, *_: _Counted(optimizer).write())


class _Counted:
    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.num = optimizer, 0

    def write(self) -> None:
        self.num += 1
        for group in self.optimizer.param_groups:
            group["lr"] = cosine(self.num)


def decays(loop: Loop) -> None:
    """`group["lr"] *= 0.95` at the end of each pass."""
    for group in loop.optimizer.param_groups:
        group["lr"] *= 0.95


def at_milestones(factor: float) -> Callable[[Loop], None]:
    """The rate of the configuration times a factor at each milestone, written only then.

    With the factor of the change itself, the number that is written is the one that stands there.
    """

    def line(loop: Loop) -> None:
        if loop.iteration in (6, 14, 20):
            for group in loop.optimizer.param_groups:
                group["lr"] = 1e-2 * factor ** (6, 14, 20).index(loop.iteration)

    return line


def layerwise(loop: Loop) -> None:
    """A rate for each group, by hand."""
    for place, group in enumerate(loop.optimizer.param_groups):
        group["lr"] = cosine(loop.iteration) * 0.5**place


def warms_by_hand(loop: Loop) -> None:
    """A warm-up by hand under a scheduler of torch's that goes on from it."""
    if loop.iteration <= 5:
        for group in loop.optimizer.param_groups:
            group["lr"] = 1e-2 * loop.iteration / 5


def warms_groups(until: int) -> Callable[[Loop], None]:
    """A warm-up by hand for each group, to what the scheduler would give, which steps each fourth pass, as YOLO's."""

    def line(loop: Loop) -> None:
        if loop.iteration <= until:
            for place, group in enumerate(loop.optimizer.param_groups):
                start = 0.05 if place else 0.0
                group["lr"] = start + (group["initial_lr"] - start) * loop.iteration / until

    return line


def decays_weight_decay(loop: Loop) -> None:
    """`group["weight_decay"] = f(step)`, as DINO has it."""
    for group in loop.optimizer.param_groups:
        group["weight_decay"] = 0.04 + 0.36 * (1 - cos(pi * loop.iteration / 40)) / 2


def adds_group(at: int, **options: Any) -> Callable[[Loop], None]:
    """The head joins the optimizer after some passes, with a rate of its own or the optimizer's default."""

    def line(loop: Loop) -> None:
        if loop.iteration == at:
            loop.optimizer.add_param_group({"params": [*loop.net.head.parameters()], **options})

    return line


def head_joins(loop: Loop) -> None:
    """The head is frozen at first, and trains from some pass after the change."""
    loop.net.head.requires_grad_(loop.iteration > 13)


def resets_state(loop: Loop) -> None:
    """The optimizer begins again at every sixth pass from its first state, as in Reptile's inner loops."""
    kept = loop.others.setdefault("first", _Kept(copy.deepcopy(loop.optimizer.state_dict())))
    if loop.iteration % 6 == 0:
        loop.optimizer.load_state_dict(copy.deepcopy(kept.state))


def reloads_optimizer(loop: Loop) -> None:
    """A state of the optimizer from before the change is loaded again, as after a spike of the loss."""
    if loop.iteration == 9:
        loop.others["kept"] = _Kept(copy.deepcopy(loop.optimizer.state_dict()))
    if loop.iteration == 15:
        loop.optimizer.load_state_dict(copy.deepcopy(loop.others["kept"].state))


def goes_back(loop: Loop) -> None:
    """Model, optimizer and schedule of a checkpoint from before the change are loaded, as after a spike of the loss."""
    parts = (loop.net, loop.optimizer, loop.schedule)
    if loop.iteration == 8:
        loop.others["kept"] = _Kept(copy.deepcopy({str(n): part.state_dict() for n, part in enumerate(parts)}))
    if loop.iteration == 15:
        for number, part in enumerate(parts):
            part.load_state_dict(copy.deepcopy(loop.others["kept"].state[str(number)]))


class _Kept:
    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state


def callback_resets(loop: Loop) -> None:
    """A callback that knows only the configuration's rate writes it once after the change."""
    if loop.iteration == 16:
        for group in loop.optimizer.param_groups:
            group["lr"] = 1e-2


def rebuilds_optimizer(loop: Loop) -> None:
    """The optimizer is built again after the change, from the configuration."""
    if loop.iteration == 15:
        loop.optimizer = loop.stepped = loop.case.optimizer(loop.net)
