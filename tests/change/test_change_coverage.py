"""An optimizer covers a model: what is missing, doubled or foreign is named."""

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.swa_utils import AveragedModel

from seedbed.change import require_coverage
from seedbed.errors import ContractBroken


def a_model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")
def test_a_model_whose_every_weight_is_in_one_group_passes_also_compiled_and_averaged() -> None:
    model = a_model()
    optimizer = SGD([{"params": part.parameters()} for part in model], lr=0.1)
    AveragedModel(model)
    require_coverage(model, optimizer)
    compiled = torch.compile(model, backend="eager")
    assert isinstance(compiled, nn.Module)
    require_coverage(compiled, optimizer)


def test_a_replaced_layer_is_named_as_missing_and_the_old_one_as_foreign() -> None:
    model = a_model()
    optimizer = SGD(model.parameters(), lr=0.1)
    model[1] = nn.Linear(3, 1)
    with pytest.raises(ContractBroken, match=r"in no group: 1\.weight, 1\.bias") as caught:
        require_coverage(model, optimizer)
    assert "not the model's: number 2 of group 0, shape (1, 3), number 3 of group 0, shape (1,)" in str(caught.value)


def test_a_weight_in_two_groups_is_named() -> None:
    model = a_model()
    optimizer = SGD(model.parameters(), lr=0.1)
    optimizer.param_groups.append({**optimizer.param_groups[0], "params": [model[0].bias]})
    with pytest.raises(ContractBroken, match=r"more than once: 0\.bias;"):
        require_coverage(model, optimizer)


def test_a_frozen_weight_may_be_in_a_group_or_in_none_and_must_be_in_one_once_it_trains() -> None:
    model = a_model()
    model[0].requires_grad_(False)
    require_coverage(model, SGD(model.parameters(), lr=0.1))
    optimizer = SGD(model[1].parameters(), lr=0.1)
    require_coverage(model, optimizer)
    model[0].requires_grad_(True)
    with pytest.raises(ContractBroken, match=r"in no group: 0\.weight, 0\.bias"):
        require_coverage(model, optimizer)


def test_a_tied_weight_counts_once() -> None:
    model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    model[1].weight = model[0].weight
    require_coverage(model, SGD(model.parameters(), lr=0.1))
