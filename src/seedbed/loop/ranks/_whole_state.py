"""The whole state of models and optimizers whose parts lie in several processes, for a checkpoint that any can read."""

import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput
from seedbed.loop.settings import LiveObjects
from seedbed.loop.settings._live_objects import plain_model

__all__ = ["load_model", "load_optimizer", "model_state", "optimizer_state", "plain_optimizer"]


def model_state(model: nn.Module) -> dict[str, Any]:
    """The state of a model; of one that is split among processes (FSDP2) whole on rank 0, where each calls this."""
    plain = plain_model(model)
    if not _is_split(plain):
        return plain.state_dict()
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return dict(get_model_state_dict(plain, options=StateDictOptions(full_state_dict=True, cpu_offload=True)))


def optimizer_state(objects: LiveObjects, name: str) -> dict[str, Any]:
    """The state of the optimizer of this name; of one whose state is split (ZeRO-1, FSDP2) whole on rank 0.

    Each process calls it. Raises InvalidInput for an optimizer of the weights of several split models.
    """
    optimizer = objects.optimizers[name]
    if (zero := _zero()) is not None and isinstance(optimizer, zero):
        optimizer.consolidate_state_dict(to=0)
        return dict(optimizer.state_dict()) if torch.distributed.get_rank() == 0 else {}
    model = _split_model_of(objects, name)
    if model is None or not optimizer.state:  # without a state, torch would take a step to make one
        return optimizer.state_dict()
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return dict(get_optimizer_state_dict(model, optimizer, options=options))


def plain_optimizer(optimizer: Optimizer) -> Optimizer:
    """The optimizer that computes the steps, inside what wraps it or splits its state (ZeRO-1)."""
    inner = watchable(optimizer)
    zero = _zero()
    return inner.optim if zero is not None and isinstance(inner, zero) else inner


def load_model(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Load what `model_state` gave, whole, in each process."""
    plain = plain_model(model)
    if not _is_split(plain):
        plain.load_state_dict(state)
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

    set_model_state_dict(plain, dict(state), options=StateDictOptions(full_state_dict=True))


def load_optimizer(objects: LiveObjects, name: str, state: Mapping[str, Any]) -> None:
    """Load what `optimizer_state` gave, whole, in each process."""
    optimizer, model = objects.optimizers[name], _split_model_of(objects, name)
    names = [weight for group in state["param_groups"] for weight in group["params"]]
    if model is None or not names or not isinstance(names[0], str):
        optimizer.load_state_dict(dict(state))
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

    set_optimizer_state_dict(model, optimizer, dict(state), options=StateDictOptions(full_state_dict=True))


def _is_split(model: nn.Module) -> bool:
    tensor = sys.modules.get("torch.distributed.tensor")  # not imported: then nothing is split
    return tensor is not None and any(isinstance(weight, tensor.DTensor) for weight in model.parameters())


def _split_model_of(objects: LiveObjects, name: str) -> nn.Module | None:
    """The split model that the optimizer trains; None where it trains none. Raises InvalidInput for several."""
    held = {id(weight) for group in objects.optimizers[name].param_groups for weight in group["params"]}
    models = [plain_model(each) for each in objects.models.values()]
    split = [each for each in models if _is_split(each) and any(id(weight) in held for weight in each.parameters())]
    if len(split) > 1:
        raise InvalidInput(
            f"the optimizer {name or 'of the run'} trains several models that are split among processes: write a "
            "checkpoint of your own, with run.state_dict() in it"
        )
    return split[0] if split else None


def _zero() -> Any:
    """ZeRO's class; None where nothing has imported it."""
    return getattr(sys.modules.get("torch.distributed.optim"), "ZeroRedundancyOptimizer", None)
