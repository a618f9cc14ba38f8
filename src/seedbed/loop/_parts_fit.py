"""What a checkpoint says of how its objects were built, and why other ones do not fit it.

PyTorch loads the state of one optimizer or scheduler into another of a different class, order or precision without a
word: it counts parameters, and not more.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from seedbed.change.bindings.schedules._schedule import innermost
from seedbed.loop.ranks._whole_state import plain_optimizer
from seedbed.loop.settings import LiveObjects
from seedbed.loop.settings._live_objects import plain_model

__all__ = ["built_of", "misfits"]

_MOST_NAMED = 5

Weight = Sequence[str | None]
"""Its name in the bound models, and its dtype and shape; None for what nobody knows (yet)."""


def built_of(objects: LiveObjects) -> dict[str, Any]:
    """The classes of optimizers and schedulers, and the weights of each group; no process waits for another."""
    names = {id(weight): name for name, weight in _weights(objects)}
    return {
        "optimizers": {
            name: {
                "class": type(plain_optimizer(each)).__name__,
                "groups": [[_weight(weight, names) for weight in group["params"]] for group in each.param_groups],
            }
            for name, each in objects.optimizers.items()
        },
        "schedulers": {name: _schedule(each) for name, each in objects.schedulers.items()},
    }


def misfits(found: Mapping[str, Any], objects: LiveObjects) -> Iterator[tuple[str, str]]:
    """Each part of the checkpoint `found` that does not fit `objects`, and why; one that says less is asked less."""
    for name, model in objects.models.items():
        if why := _other_precision(found["models"][name], model):
            yield f"model {name}", why
    built, bound = found.get("built", {"optimizers": {}, "schedulers": {}}), built_of(objects)
    for name, held in built["optimizers"].items():
        if why := _other_optimizer(held, bound["optimizers"][name]):
            yield from _other_models(found, objects)  # where the weights are others, that is why
            yield f"optimizer {name}", why
    for name in built["schedulers"].keys() & bound["schedulers"].keys():
        if (held := built["schedulers"][name]) != (own := bound["schedulers"][name]):
            yield f"scheduler {name}", f"the file is of {held}, bound is {own}"


def _weights(objects: LiveObjects) -> Iterator[tuple[str, Tensor]]:
    for name, model in objects.models.items():
        for place, weight in plain_model(model).named_parameters():
            yield f"{name}.{place}".removeprefix("."), weight


def _weight(weight: Tensor, names: Mapping[int, str]) -> Weight:
    return [names.get(id(weight)), None if is_lazy(weight) else f"{weight.dtype} {list(weight.shape)}"]


def _schedule(scheduler: object) -> str:
    """Its class, and those of the schedules that it consists of, in their order."""
    inner = innermost(scheduler)
    parts = getattr(inner, "_schedulers", None)  # of PyTorch's own that join several
    held = f"({', '.join(map(_schedule, parts))})" if isinstance(parts, list | tuple) else ""
    return f"{type(inner).__name__}{held}"


def _other_precision(held: Mapping[str, Any], model: nn.Module) -> str:
    plain = plain_model(model)
    for name, own in (*plain.named_parameters(), *plain.named_buffers()):
        there = held.get(name)
        if isinstance(there, Tensor) and there.dtype != own.dtype and _is_real(there) and _is_real(own):
            return f"the file holds {name} in {there.dtype}, bound is {own.dtype}"
    return ""


def _other_models(found: Mapping[str, Any], objects: LiveObjects) -> Iterator[tuple[str, str]]:
    for name, model in objects.models.items():
        held, own = found["models"][name], plain_model(model).state_dict()
        if missing := [each for each in own if each not in held]:
            yield f"model {name}", f"Missing keys: {', '.join(missing[:_MOST_NAMED])}"
        for place in own.keys() & held.keys():
            there, here = held[place], own[place]
            are_known = isinstance(there, Tensor) and isinstance(here, Tensor) and not is_lazy(here)
            if are_known and there.shape != here.shape:
                yield f"model {name}", f"the file holds {place} of {list(there.shape)}, bound is {list(here.shape)}"


def _is_real(tensor: Tensor) -> bool:
    """Whether its numbers are measured, not counted: packed and quantized weights may be loaded into others."""
    return tensor.dtype.is_floating_point or tensor.dtype.is_complex


def _other_optimizer(held: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    if held["class"] != own["class"]:
        return f"the file is of {held['class']}, bound is {own['class']}"
    sizes, own_sizes = ([len(group) for group in each["groups"]] for each in (held, own))
    if sizes != own_sizes:
        return f"the file has groups of {_joined(sizes)} weights, bound are groups of {_joined(own_sizes)}"
    for place, (group, own_group) in enumerate(zip(held["groups"], own["groups"], strict=True)):
        for number, (weight, own_weight) in enumerate(zip(group, own_group, strict=True)):
            if any(None not in (one, other) and one != other for one, other in zip(weight, own_weight, strict=True)):
                there, here = (" ".join(filter(None, each)) for each in (weight, own_weight))
                return f"weight {number} of group {place} is {there} in the file, bound is {here}"
    return ""


def _joined(sizes: Sequence[int]) -> str:
    return " and ".join(map(str, sizes)) or "no"
