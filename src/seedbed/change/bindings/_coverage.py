"""The check that an optimizer updates every trainable parameter of a model exactly once, and nothing else."""

from collections import Counter

from torch import nn
from torch.optim import Optimizer

from seedbed.errors import ContractBroken

__all__ = ["require_coverage"]


def require_coverage(model: nn.Module, optimizer: Optimizer) -> None:
    """Raise ContractBroken unless each trainable parameter is in exactly one group, and each in a group is the model's.

    A parameter of a replaced or added layer that is in no group never trains, and PyTorch does not report it. The error
    names the parameters that are missing, repeated or not of the model. A frozen one may be in a group or in none.
    """
    names = {id(weight): name for name, weight in model.named_parameters()}
    placed = [
        (place, i, weight)
        for place, group in enumerate(optimizer.param_groups)
        for i, weight in enumerate(group["params"])
    ]
    counts = Counter(id(weight) for _, _, weight in placed)
    faults = {
        "in no group": [
            name for name, weight in model.named_parameters() if weight.requires_grad and not counts[id(weight)]
        ],
        "in a group more than once": [name for key, name in names.items() if counts[key] > 1],
        "in a group, but not the model's": [
            f"number {i} of group {place}, shape {tuple(weight.shape)}"
            for place, i, weight in placed
            if id(weight) not in names
        ],
    }
    named = [f"{fault}: {', '.join(which)}" for fault, which in faults.items() if which]
    if named:
        raise ContractBroken(
            f"{type(optimizer).__name__} does not cover the model's {len(names)} parameters, "
            f"{'; '.join(named)}; add or remove what is named in optimizer.param_groups"
        )
