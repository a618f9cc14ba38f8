"""How each optimizer of torch.optim computes an update, and which of them an optimizer is. Read from PyTorch 2.13."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import torch
from torch.optim import Optimizer

__all__ = ["READING", "UPDATES", "UpdateKind", "known_class", "unhooked_step"]


class UpdateKind(StrEnum):
    """What of a weight an update depends on.

    ELEMENT: each element's update on its own gradient and state. WHOLE: an element's update on the whole weight, by
    norms or factors. CLOSURE: all weights together, at every call of the closure.
    """

    ELEMENT = "element"
    WHOLE = "whole"
    CLOSURE = "closure"


UPDATES: Mapping[str, UpdateKind] = {
    "ASGD": UpdateKind.ELEMENT,
    "Adadelta": UpdateKind.ELEMENT,
    "Adafactor": UpdateKind.WHOLE,
    "Adagrad": UpdateKind.ELEMENT,
    "Adam": UpdateKind.ELEMENT,
    "AdamW": UpdateKind.ELEMENT,
    "Adamax": UpdateKind.ELEMENT,
    "LBFGS": UpdateKind.CLOSURE,
    "Muon": UpdateKind.WHOLE,
    "NAdam": UpdateKind.ELEMENT,
    "RAdam": UpdateKind.ELEMENT,
    "RMSprop": UpdateKind.ELEMENT,
    "Rprop": UpdateKind.ELEMENT,
    "SGD": UpdateKind.ELEMENT,
    "SparseAdam": UpdateKind.ELEMENT,
}
"""Every optimizer of torch.optim, by its name."""

READING: Mapping[tuple[str, str], str] = {
    ("Rprop", "lr"): "Rprop reads lr when it makes the state of a weight, at its first step, and never again",
    ("ASGD", "lr"): "ASGD reads lr at the end of a step, for the next step with gradients",
}
"""What a reader must know of a class and a setting that does not reach every update."""

# A class of somebody's own may replace these: they do not take part in the update.
_NO_UPDATE = frozenset(
    {"__init__", "__module__", "__doc__", "__qualname__", "__setstate__", "__firstlineno__", "__static_attributes__"}
)


def known_class(optimizer: Optimizer) -> type[Optimizer] | None:
    """The class of torch.optim that makes its updates; None for a foreign one.

    A subclass counts as its base when it replaces nothing that takes part in the update.
    """
    kinds = {getattr(torch.optim, name): name for name in UPDATES if name in vars(torch.optim)}
    cls = next((each for each in type(optimizer).__mro__ if each in kinds), None)
    if cls is None or unhooked_step(type(optimizer)) is not unhooked_step(cls):
        return None
    own = type(optimizer).__mro__[: type(optimizer).__mro__.index(cls)]
    replaced = {name for each in own for name in vars(each) if name != "step"} - _NO_UPDATE
    takes_part = {name for each in cls.__mro__[: cls.__mro__.index(Optimizer)] for name in vars(each)}
    return None if replaced & takes_part else cls


def unhooked_step(cls: type[Optimizer]) -> Callable[..., Any]:
    """The function that steps, without the hooks that PyTorch wraps around it."""
    step: Any = cls.step
    while getattr(step, "hooked", False) and hasattr(step, "__wrapped__"):
        step = step.__wrapped__
    found: Callable[..., Any] = step
    return found
