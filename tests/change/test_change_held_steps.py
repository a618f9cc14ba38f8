"""A change that is carried out at the optimizer's own step, in steps of every kind: kernels, closures, compiled."""

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, AdamW

from seedbed.change import ChangeEngine, Delta, LearningRate, Parameter, Scale, UseReport
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput
from seedbed.records import MemoryJournal


@pytest.mark.parametrize(
    ("foreach", "fused", "of_tensor"),
    [(True, False, False), (False, True, False), (False, True, True), (False, False, True)],
)
def test_tensor_rates_and_other_kernels_are_held_and_proven(foreach: bool, fused: bool, of_tensor: bool) -> None:
    weight = nn.Parameter(torch.ones(4))
    optimizer = AdamW([weight], lr=torch.tensor(0.1) if of_tensor else 0.1, foreach=foreach, fused=fused)
    held = optimizer.param_groups[0]["lr"]
    binding, seen = LearningRate(optimizer, holds=True), list[UseReport]()
    binding.write_relative(0.1, 0.05)
    binding.watch(seen.append)
    weight.grad = torch.ones(4)
    optimizer.step()
    assert weight.detach()[0] == pytest.approx(1 - 0.1 * 0.5 * 0.01 - 0.05, abs=1e-5), "decay, and a first step of 1"
    assert [each.use for each in seen] == ["used"]
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(0.1)
    if of_tensor:
        assert optimizer.param_groups[0]["lr"] is held, "compiled steps refer to it"


def test_a_step_with_a_closure_uses_the_held_rate_and_proves_it() -> None:
    weight = nn.Parameter(torch.full((4,), 2.0))
    optimizer = LBFGS([weight], lr=0.5, max_iter=3)
    engine = ChangeEngine(
        MemoryJournal(), {"lr": LearningRate(optimizer, holds=True)}, [Parameter("lr", "1", low=0.0, high=9.0)]
    )
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 0)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (weight - 1).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_rate_that_the_step_itself_writes_is_the_schedule_s() -> None:
    class Decaying(SGD):
        def step(self, closure=None):
            super().step(closure)
            for group in self.param_groups:
                group["lr"] = 0.1 * 0.9 ** len(used)

    weight, used = nn.Parameter(torch.ones(3, dtype=torch.float64)), list[float]()
    optimizer = Decaying([weight], lr=0.1)
    bound = {"lr": LearningRate(optimizer, holds=True)}
    engine = ChangeEngine(MemoryJournal(), bound, [Parameter("lr", "1", low=0.0, high=9.0)])
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 0)
    for _ in range(4):
        weight.grad, before = torch.ones_like(weight), float(weight.detach()[0])
        optimizer.step()
        used.append(before - float(weight.detach()[0]))
    assert used == pytest.approx([0.05, 0.05, 0.5 * 0.09, 0.5 * 0.081])
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_one_group_cannot_change_alone_where_it_shares_its_tensor() -> None:
    optimizer = SGD([{"params": [nn.Parameter(torch.ones(1))]} for _ in range(2)], lr=torch.tensor(0.1))
    with pytest.raises(InvalidInput, match="shares the tensor"):
        LearningRate(optimizer, group=1, holds=True).write(0.2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("of_tensor", [False, True])
def test_a_compiled_step_uses_the_held_rate_and_proves_it(of_tensor: bool) -> None:
    weight = nn.Parameter(torch.ones(4))
    optimizer = AdamW([weight], lr=torch.tensor(0.1) if of_tensor else 0.1, weight_decay=0.0)
    step = torch.compile(optimizer.step, backend="eager")
    bound = {"lr": LearningRate(optimizer, holds=True)}
    engine = ChangeEngine(MemoryJournal(), bound, [Parameter("lr", "1", low=0.0, high=9.0)])
    for number in range(4):
        if number == 2:
            engine.propose(Delta("lr", Scale(0.5), "test", "me"), number)
        weight.grad, before = torch.ones(4), float(weight.detach()[0])
        step()
        assert before - float(weight.detach()[0]) == pytest.approx(0.05 if number >= 2 else 0.1, rel=1e-4)
    assert (engine.history[1].outcome, engine.history[1].story[-1][1].get("step")) == (Outcome.EFFECTIVE, 3)


def test_a_step_that_mixed_precision_skips_is_no_use() -> None:
    weight = nn.Parameter(torch.ones(4))
    optimizer, scaler = SGD([weight], lr=0.1, fused=True), torch.amp.GradScaler("cpu", init_scale=1024.0)
    bound = {"lr": LearningRate(optimizer, holds=True)}
    engine = ChangeEngine(MemoryJournal(), bound, [Parameter("lr", "1", low=0.0, high=9.0)])
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 0)
    for factor, outcome in ((float("inf"), Outcome.UNKNOWN), (1.0, Outcome.EFFECTIVE)):
        optimizer.zero_grad()
        scaler.scale((weight * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert engine.history[1].outcome is outcome
        assert optimizer.param_groups[0]["lr"] == 0.1
    assert torch.equal(weight.detach(), torch.full((4,), 0.95))
    assert engine.history[1].story[-1][1]["step"] == 1
