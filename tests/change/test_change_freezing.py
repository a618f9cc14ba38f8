"""A frozen weight stands still to the bit, whatever momentum or gradient is left; one that moves is named."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from change_knob import turned
from torch import nn
from torch.optim import SGD, AdamW, Optimizer, RMSprop

from seedbed.change import ChangeEngine, ChangeState, Delta, Freeze, OnUnfreeze, Parameter, Set, Use, UseReport
from seedbed.errors import InvalidInput
from seedbed.records import MemoryJournal

OPTIMIZERS = {
    "AdamW": lambda weights: AdamW(weights, lr=0.1),
    "AdamW, fused": lambda weights: AdamW(weights, lr=0.1, fused=True),
    "SGD with momentum": lambda weights: SGD(weights, lr=0.1, momentum=0.9, weight_decay=0.1),
    "RMSprop": lambda weights: RMSprop(weights, lr=0.1, momentum=0.9),
}


class Net(nn.Module):
    """An encoder and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        self.head = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x))


def a_model() -> Net:
    torch.manual_seed(0)
    return Net()


def linear_of(model: Net) -> nn.Linear:
    """The encoder's first layer."""
    layer = model.encoder[0]
    assert isinstance(layer, nn.Linear)
    return layer


def norm_of(model: Net) -> nn.BatchNorm1d:
    """The encoder's normalisation."""
    layer = model.encoder[1]
    assert isinstance(layer, nn.BatchNorm1d)
    return layer


def a_step(model: nn.Module, optimizer: Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.randn(8, 2)).square().sum().backward()
    optimizer.step()


def weights_of(module: nn.Module) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in module.parameters()]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_frozen_submodule_does_not_move_and_the_rest_does(kind: str) -> None:
    model = a_model()
    optimizer = OPTIMIZERS[kind](model.parameters())
    a_step(model, optimizer)
    seen = turned(Freeze(model, "encoder", optimizer), 1.0)
    frozen, head = weights_of(model.encoder), weights_of(model.head)
    for _ in range(3):
        a_step(model, optimizer)
    assert same(frozen, weights_of(model.encoder))
    assert not same(head, weights_of(model.head))
    assert seen == [UseReport(1, 1.0, 1.0, Use.USED)]


@pytest.mark.parametrize("gradient", ["stale", "zero"])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_what_requires_grad_alone_does_and_that_the_watch_names_the_weight_that_moved(kind: str, gradient: str) -> None:
    model = a_model()
    optimizer = OPTIMIZERS[kind](model.parameters())
    a_step(model, optimizer)
    seen = turned(Freeze(model, "encoder", optimizer), 1.0)
    for weight in model.encoder.parameters():  # the fault: as if freezing had left the gradients there
        weight.grad = torch.full_like(weight, 0.5 if gradient == "stale" else 0.0)
    frozen = weights_of(model.encoder)
    model.head(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert not same(frozen, weights_of(model.encoder)), "momentum, decay or the gradient moved a 'frozen' weight"
    assert len(seen) == 1
    assert "frozen, but changed" in seen[0].why
    assert "encoder.0.weight" in seen[0].why
    assert seen[0].found < 1.0


def test_a_weight_that_is_moved_steps_later_is_caught_too() -> None:
    model = a_model()
    optimizer = OPTIMIZERS["AdamW"](model.parameters())
    a_step(model, optimizer)
    seen = turned(Freeze(model, "encoder", optimizer), 1.0)
    for step in range(4):
        optimizer.zero_grad()
        model(torch.randn(8, 2)).square().sum().backward()
        if step == 2:
            linear_of(model).bias.grad = torch.zeros(3)
        optimizer.step()
    assert [each.steps_after for each in seen] == [1, 3]
    assert seen[1].why == "frozen, but changed: encoder.0.bias"


def test_a_later_step_that_writes_the_same_bits_again_has_moved_nothing() -> None:
    model = a_model()
    optimizer = SGD(model.parameters(), lr=0.0)
    seen = turned(Freeze(model, "encoder", optimizer), 1.0)
    for _ in range(3):
        for weight in model.encoder.parameters():
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
    assert seen == [UseReport(1, 1.0, 1.0, Use.USED)]


class Writes(SGD):
    """An optimizer that writes to weights without a gradient, as those that average weights do."""

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        for group in self.param_groups:
            for weight in group["params"]:
                with torch.no_grad():
                    weight.add_(1.0)


@pytest.mark.parametrize("when", [0, 1])
def test_an_optimizer_that_writes_to_weights_without_a_gradient_is_caught_at_any_step(when: int) -> None:
    model = a_model()
    optimizer = Writes(model.parameters(), lr=0.1)
    seen = turned(Freeze(model, "encoder", optimizer), 1.0)
    for _ in range(when):
        SGD.step(optimizer)
    optimizer.step()
    assert "encoder.0.weight, encoder.0.bias" in seen[-1].why


def test_bits_are_compared_and_not_numbers() -> None:
    part = nn.Linear(1, 1)
    model = nn.ModuleDict({"part": part})
    with torch.no_grad():
        part.weight.fill_(float("nan"))
        part.bias.zero_()
    optimizer = Writes(model.parameters(), lr=0.1)
    seen: list[UseReport] = []
    binding = Freeze(model, "part", optimizer)
    binding.write(1.0)
    binding.watch(seen.append)
    hook = optimizer.register_step_post_hook(lambda *_: None)
    SGD.step(optimizer)
    hook.remove()
    assert [each.why for each in seen] == [""], "a weight that is no number stands still"

    class Negates(SGD):
        def step(self, closure: Callable[[], float] | None = None) -> Any:
            with torch.no_grad():
                part.bias.neg_()

    negating = Negates(model.parameters(), lr=0.1)
    binding = Freeze(model, "part", negating)
    binding.write(1.0)
    binding.watch(seen.append)
    negating.step()
    assert seen[-1].why == "frozen, but changed: part.bias"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.complex64])
def test_weights_of_every_width_are_compared(dtype: torch.dtype) -> None:
    model = nn.ModuleDict({"part": nn.ParameterList([nn.Parameter(torch.ones(2, 3, dtype=dtype).T)])})
    optimizer = Writes(model.parameters(), lr=0.1)
    seen = turned(Freeze(model, "part", optimizer), 1.0)
    optimizer.step()
    assert seen[0].why == "frozen, but changed: part.0"


def test_a_backward_pass_that_was_under_way_leaves_no_gradient_on_a_frozen_weight() -> None:
    model = a_model()
    optimizer = OPTIMIZERS["AdamW"](model.parameters())
    a_step(model, optimizer)
    loss = model(torch.randn(8, 2)).square().sum()
    seen = turned(Freeze(model, "encoder", optimizer), 1.0)
    loss.backward()
    optimizer.step()
    assert seen == [UseReport(1, 1.0, 1.0, Use.USED)]


@pytest.mark.parametrize("holds", [True, False])
def test_statistics_of_normalisation_stand_still_unless_declared_otherwise(holds: bool) -> None:
    model = a_model()
    optimizer = OPTIMIZERS["AdamW"](model.parameters())
    a_step(model, optimizer)
    norm = norm_of(model)
    binding = Freeze(model, "encoder", optimizer, hold_statistics=holds)
    seen = turned(binding, 1.0)
    assert norm.running_mean is not None
    mean = norm.running_mean.clone()
    model.train()
    for _ in range(2):
        a_step(model, optimizer)
    assert torch.equal(mean, norm.running_mean) is holds
    assert seen == [UseReport(1, 1.0, 1.0, Use.USED)]
    binding.write(0.0)
    assert norm.momentum == 0.1
    a_step(model, optimizer)
    assert not torch.equal(mean, norm.running_mean)


def test_statistics_that_move_although_held_are_named() -> None:
    model = a_model()
    optimizer = OPTIMIZERS["AdamW"](model.parameters())
    seen = turned(Freeze(model, "encoder", optimizer), 1.0)
    norm_of(model).momentum = 0.1  # the fault
    a_step(model, optimizer)
    assert seen[0].why == "frozen, but changed: encoder.1.running_mean, encoder.1.running_var"


def test_a_part_that_is_replaced_before_the_step_did_not_stand_still() -> None:
    model = a_model()
    optimizer = OPTIMIZERS["AdamW"](model.parameters())
    seen = turned(Freeze(model, "encoder", optimizer), 1.0)
    model.encoder[1] = nn.Identity()
    a_step(model, optimizer)
    assert seen[0].why == "frozen, but changed: encoder.1.running_mean, encoder.1.running_var"


@pytest.mark.parametrize("momentum", [None, 0.3])
@pytest.mark.parametrize("copied", [False, True])
def test_a_binding_that_is_made_while_the_statistics_are_held_brings_them_back(
    momentum: float | None, copied: bool
) -> None:
    model = a_model()
    norm_of(model).momentum = momentum
    first = Freeze(model, "encoder", SGD(model.parameters(), lr=0.1))
    first.write(1.0)
    kept = copy.deepcopy(model) if copied else model
    optimizer = SGD(kept.parameters(), lr=0.1)
    second = Freeze(kept, "encoder", optimizer)
    second.write(1.0)
    held = [each.clone() for each in norm_of(kept).buffers()][:2]
    a_step(kept, optimizer)
    assert same(held, [*norm_of(kept).buffers()][:2])
    second.write(0.0)
    assert (norm_of(kept).momentum, norm_of(kept).track_running_stats) == (momentum, True)
    a_step(kept, optimizer)
    assert not same(held, [*norm_of(kept).buffers()][:2])
    norm_of(kept).momentum = 0.2
    third = Freeze(kept, "encoder", optimizer)
    third.write(1.0)
    third.write(0.0)
    assert norm_of(kept).momentum == 0.2, "nothing is left of the first time"


@pytest.mark.parametrize("momentum", [0.01, 0.0, None])
@pytest.mark.parametrize("resumed", [False, True])
def test_unfreezing_gives_back_the_momentum_that_the_layer_had_when_it_was_frozen(
    momentum: float | None, resumed: bool
) -> None:
    model, journal = a_model(), MemoryJournal()

    def bound() -> tuple[ChangeEngine, Freeze]:
        binding = Freeze(model, "encoder", SGD(model.parameters(), lr=0.1))
        return ChangeEngine(journal, {"frozen": binding}, [Parameter("frozen", "1", low=0, high=1)]), binding

    engine, binding = bound()
    norm_of(model).momentum = momentum
    binding.write(0.0)
    assert norm_of(model).momentum == momentum, "it was not frozen"
    engine.propose(Delta("frozen", Set(1.0), "because", "somebody"), 0)
    assert norm_of(model).momentum == 0.0
    if resumed:
        state = engine.state(0).model_dump_json()
        model = a_model()  # as another process builds it, with a momentum of 0.1
        engine, _ = bound()
        engine.resume(ChangeState.model_validate_json(state))
        assert norm_of(model).momentum == 0.0
    engine.propose(Delta("frozen", Set(0.0), "because", "somebody"), 0)
    assert (norm_of(model).momentum, norm_of(model).track_running_stats) == (momentum, True)


@pytest.mark.parametrize("momentum", [0.3, None])
def test_what_other_code_did_to_a_layer_is_not_undone(momentum: float | None) -> None:
    model = a_model()
    binding, norm = Freeze(model, "encoder", SGD(model.parameters(), lr=0.1)), norm_of(model)
    binding.write(1.0)
    norm.momentum = momentum  # the layer is held no more
    binding.restore(binding.state())
    assert norm.momentum == momentum
    norm.track_running_stats = False
    for value in (1.0, 0.0):
        binding.write(value)
        assert (norm.momentum, norm.track_running_stats) == (momentum, False)


def test_a_cumulative_average_is_held_and_brought_back() -> None:
    model = a_model()
    norm_of(model).momentum = None
    binding = Freeze(model, "encoder", OPTIMIZERS["AdamW"](model.parameters()))
    first = binding.state()
    binding.write(1.0)
    assert norm_of(model).momentum == 0.0
    binding.restore(first)
    assert norm_of(model).momentum is None


@pytest.mark.parametrize("built_so", [False, True])
@pytest.mark.parametrize("resumed", [False, True])
def test_a_cumulative_average_goes_on_from_the_batches_that_it_had_when_it_was_frozen(
    built_so: bool, resumed: bool
) -> None:
    model = nn.ModuleDict({"part": nn.BatchNorm1d(2, momentum=None if built_so else 0.1), "head": nn.Linear(2, 1)})
    norm = model["part"]
    assert isinstance(norm, nn.BatchNorm1d)
    optimizer, x = SGD(model.parameters(), lr=0.1), torch.randn(16, 2)
    binding = Freeze(model, "part", optimizer)
    norm.momentum = None

    def steps(*numbers: int) -> None:
        for number in numbers:
            optimizer.zero_grad()
            model["head"](norm(x + number)).square().sum().backward()
            optimizer.step()

    steps(0, 1, 2)
    seen = turned(binding, 1.0)
    steps(10, 20, 30)
    assert seen == [UseReport(1, 1.0, 1.0, Use.USED)]
    norm.eval()
    assert norm.running_mean is not None
    torch.testing.assert_close(norm(norm.running_mean + torch.zeros(2, 2)), norm.bias.expand(2, 2))
    norm.train()
    if resumed:
        binding.restore(dict(binding.state()))
    binding.write(0.0)
    steps(5)
    assert norm.num_batches_tracked is not None
    assert int(norm.num_batches_tracked) == 4, "those that it averaged"
    torch.testing.assert_close(norm.running_mean, x.mean(0) + (0 + 1 + 2 + 5) / 4)


@pytest.mark.parametrize(("on_unfreeze", "steps"), [(OnUnfreeze.KEEP, 2), (OnUnfreeze.RESET, 1)])
def test_unfreezing_keeps_the_optimizers_state_or_resets_it_as_declared(on_unfreeze: OnUnfreeze, steps: int) -> None:
    model = a_model()
    optimizer = OPTIMIZERS["AdamW"](model.parameters())
    a_step(model, optimizer)
    binding = Freeze(model, "encoder", optimizer, on_unfreeze=on_unfreeze)
    binding.write(1.0)
    a_step(model, optimizer)
    seen = turned(binding, 0.0)
    a_step(model, optimizer)
    assert seen == [UseReport(1, 0.0, 0.0, Use.USED)]
    assert float(optimizer.state[linear_of(model).weight]["step"]) == steps
    assert float(optimizer.state[model.head.weight]["step"]) == 3


def test_an_unfrozen_part_that_no_gradient_reaches_is_a_loss_after_two_steps() -> None:
    model = a_model()
    optimizer = OPTIMIZERS["AdamW"](model.parameters())
    binding = Freeze(model, "encoder", optimizer)
    binding.write(1.0)
    seen = turned(binding, 0.0)
    for _ in range(2):
        assert seen == []
        optimizer.zero_grad()
        model.head(model.encoder(torch.randn(8, 2)).detach()).sum().backward()  # the fault
        optimizer.step()
    assert "no gradient reached it" in seen[0].why


def test_an_unfrozen_part_that_somebody_freezes_again_is_a_loss() -> None:
    model = a_model()
    optimizer = OPTIMIZERS["AdamW"](model.parameters())
    binding = Freeze(model, "encoder", optimizer)
    binding.write(1.0)
    seen = turned(binding, 0.0)
    a_step(model, optimizer)
    model.encoder.requires_grad_(False)
    a_step(model, optimizer)
    assert (seen[1].found, seen[1].why) == (1.0, "requires_grad was turned off by code outside the bindings")


def test_a_part_that_is_in_no_group_cannot_be_unfrozen() -> None:
    model = a_model()
    model.encoder.requires_grad_(False)
    optimizer = AdamW(model.head.parameters(), lr=0.1)
    binding = Freeze(model, "encoder", optimizer)
    assert binding.read() == 1.0
    with pytest.raises(InvalidInput, match=r"encoder\.0\.weight.* in no group of the optimizer and would never train"):
        binding.write(0.0)
    optimizer.add_param_group({"params": model.encoder.parameters()})
    binding.write(0.0)
    assert binding.read() == 0.0


def test_a_weight_that_was_frozen_before_stays_so() -> None:
    model = a_model()
    model.encoder[0].bias.requires_grad_(False)
    binding = Freeze(model, "encoder", OPTIMIZERS["AdamW"](model.parameters()))
    binding.write(1.0)
    binding.write(0.0)
    assert not model.encoder[0].bias.requires_grad
    assert linear_of(model).weight.requires_grad


def test_between_frozen_and_not_stands_the_share() -> None:
    model = a_model()
    binding = Freeze(model, "encoder", OPTIMIZERS["AdamW"](model.parameters()))
    model.encoder[0].bias.requires_grad_(False)
    assert binding.read() == 0.25
    with pytest.raises(InvalidInput, match=r"1\.0 \(frozen\) or 0\.0"):
        binding.write(0.5)


def test_what_cannot_be_frozen_alone_is_refused_with_the_reason() -> None:
    model = a_model()
    optimizer = OPTIMIZERS["AdamW"](model.parameters())
    with pytest.raises(InvalidInput, match="no submodule 'tail'"):
        Freeze(model, "tail", optimizer)
    with pytest.raises(InvalidInput, match="no submodule ''"):
        Freeze(model, "", optimizer)
    tied = nn.ModuleDict({"in": nn.Linear(2, 2), "out": nn.Linear(2, 2)})
    tied["out"].weight = tied["in"].weight
    with pytest.raises(InvalidInput, match=r"in\.weight is tied to out\.weight"):
        Freeze(tied, "in", optimizer)
    with pytest.raises(InvalidInput, match="no parameters to freeze"):
        Freeze(nn.ModuleDict({"part": nn.ReLU()}), "part", optimizer)
