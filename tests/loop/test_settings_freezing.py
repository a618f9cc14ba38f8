"""Freezing by name: what is inside each other, and that something is left to train."""

import gc
from collections.abc import Sequence

import pytest
import torch
from settings_rig import Loop, Set, live, nothing_is_hidden  # noqa: F401
from torch import Tensor, nn
from torch.optim import SGD

from seedbed.change import Delta
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput, NotFound
from seedbed.loop.settings import Settings
from seedbed.records import MemoryJournal


def test_a_module_inside_one_that_was_frozen_is_refused_with_the_way() -> None:
    rig = Loop()
    rig.propose("freeze.encoder", Set(1.0))
    rig.step(2)
    with pytest.raises(
        InvalidInput, match=r"change 1 was of model.freeze.encoder.*by model.freeze.encoder in this run"
    ):
        rig.propose("freeze.encoder.1", Set(0.0))
    assert rig.propose("freeze.encoder", Set(0.0))[0].phase == "applied"


def test_a_part_that_would_be_refused_is_not_listed_as_one_that_may_move() -> None:
    rig = Loop()
    assert {each.movable_at for each in rig.settings.view(0).settings if ".freeze." in each.key} == {0}
    rig.propose("freeze.encoder.1", Set(1.0))
    rig.step(2)
    rows = {each.short: each for each in rig.settings.view(2).settings}
    assert rows["freeze.encoder"].movable_at is None
    assert rows["freeze.encoder"].why_not.startswith("change 1 was of model.freeze.encoder.1")
    assert rows["freeze.encoder"].value == pytest.approx(0.5), "two of its four weights"
    assert (rows["freeze.encoder.1"].movable_at, rows["freeze.head"].movable_at) == (2, 2)
    with pytest.raises(InvalidInput, match=r"change 1 was of model.freeze.encoder.1"):
        rig.propose("freeze.encoder", Set(1.0))


def test_the_last_part_that_trains_is_not_frozen_and_nothing_is_touched() -> None:
    rig = Loop()
    rig.propose("freeze.encoder", Set(1.0))
    rig.step()
    rig.backward()
    grads = [weight.grad for weight in rig.model.head.parameters()]
    (change,) = rig.propose("freeze.head", Set(1.0))
    assert (change.outcome, change.phase) == (Outcome.BLOCKED, "guarded")
    assert "model.freeze.head = 1 would freeze every weight that still trains" in change.reason
    assert all(weight.grad is grad for weight, grad in zip(rig.model.head.parameters(), grads, strict=True))
    assert rig.engine.values()["model.freeze.head"] == 0.0
    rig.update()
    assert rig.propose("freeze.encoder", Set(0.0))[0].phase == "applied"
    rig.step()
    assert rig.propose("freeze.head", Set(1.0))[0].phase == "applied", "now something is left"


def test_the_last_part_of_one_optimizer_of_several_is_not_frozen_and_of_one_in_two_models_it_is() -> None:
    one, other = Loop().model, Loop().model
    optimizers = {"one": SGD(one.parameters(), 0.1), "other": SGD(other.parameters(), 0.1)}
    settings = Settings(live({"one": one, "other": other}, optimizers))
    settings.engine(MemoryJournal())

    def train() -> None:
        for model, optimizer in zip((one, other), optimizers.values(), strict=True):
            optimizer.zero_grad()
            model(torch.ones(2, 4)).sum().backward()  # fails where no weight of it is left
            optimizer.step()

    train()
    (first,) = settings.propose(Delta("one.freeze.encoder", Set(1.0), "by hand", "me"), 1)
    train()
    (last,) = settings.propose(Delta("one.freeze.head", Set(1.0), "by hand", "me"), 2)
    train()
    assert (first.phase, last.outcome) == ("applied", Outcome.BLOCKED)
    assert "every weight that still trains of the optimizer 'one'" in last.reason
    both = Settings(live({"one": one, "other": other}, SGD([*one.parameters(), *other.parameters()], 0.1)))
    both.engine(MemoryJournal())
    assert both.propose(Delta("one.freeze.head", Set(1.0), "by hand", "me"), 3)[0].phase == "applied"


class WithWeight(nn.Module):
    """As a transformer with positions of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.pos = nn.Parameter(torch.zeros(4))
        self.body = nn.Linear(4, 4)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("freeze.pos", "'pos' is a weight of WithWeight, and a module is frozen as a whole$"),
        ("freeze.body.bias", "a module is frozen as a whole; freeze.body freezes the whole module that has it$"),
        ("freeze.bodyy", "WithWeight has no module 'bodyy' to freeze; the nearest is body$"),
        ("freeze.xyz", "WithWeight has no module 'xyz' to freeze; its modules are body$"),
    ],
)
def test_what_is_no_module_is_told_in_words_with_what_there_is(name: str, told: str) -> None:
    net = WithWeight()
    settings = Settings(live(net, SGD(net.parameters(), lr=0.1)))
    with pytest.raises(NotFound, match=told):
        settings.resolve(name)


class WithPooler(nn.Module):
    """As a BERT whose loss looks at the tokens: the pooler is in the optimizer, and has no gradient."""

    uses_pooler: bool = False

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.pooler, self.head = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        encoded = self.encoder(x)
        return self.head(self.pooler(encoded) if self.uses_pooler else encoded)


class Pooled(Loop):
    """A loop over such a model, without optimizer state, whose gradients are away when a change is proposed."""

    def __init__(self, *, has_closure: bool) -> None:
        super().__init__()
        self.net, self.has_closure = WithPooler(), has_closure
        self.optimizer = SGD(self.net.parameters(), lr=0.1)
        self.settings = Settings(live(self.net, self.optimizer))
        self.engine = self.settings.engine(MemoryJournal())

    def backward(self, batch: Sequence[Tensor] | None = None) -> None:
        x, y = batch or self.batch()
        (self.net(x) - y).square().mean().backward()

    def update(self) -> None:
        self.optimizer.step(self.closure) if self.has_closure else self.optimizer.step()
        self.optimizer.zero_grad()
        self.num_steps += 1

    def closure(self) -> float:
        self.optimizer.zero_grad()
        self.backward()
        return 0.0


@pytest.fixture(params=[False, True], ids=["step", "step with a closure"])
def pooled(request: pytest.FixtureRequest) -> Pooled:
    return Pooled(has_closure=request.param)


def test_a_module_that_no_loss_uses_is_not_what_is_left_to_train(pooled: Pooled) -> None:
    pooled.step(2)
    assert pooled.propose("freeze.encoder", Set(1.0))[0].phase == "applied"
    pooled.step()
    (change,) = pooled.propose("freeze.head", Set(1.0))
    assert (change.outcome, change.guard_result and change.guard_result.guard) == (Outcome.BLOCKED, "trainable")
    pooled.step(2)  # which would fail, had the guard let it through
    assert pooled.propose("weight_decay", Set(0.1))[0].phase == "applied"


def test_modules_frozen_together_that_leave_only_an_unused_one_are_undone(pooled: Pooled) -> None:
    pooled.step(2)
    deltas = [Delta(f"model.freeze.{part}", Set(1.0), "by hand", "me") for part in ("encoder", "head")]
    assert {each.outcome for each in pooled.engine.propose_all(deltas, 2)} == {Outcome.FAILED}
    pooled.step()


def test_a_module_counts_from_its_first_gradient_on(pooled: Pooled) -> None:
    pooled.step()
    pooled.net.uses_pooler = True
    pooled.step()
    pooled.propose("freeze.encoder", Set(1.0))
    pooled.step()
    assert pooled.propose("freeze.head", Set(1.0))[0].phase == "applied"
    pooled.step()


def test_a_module_that_was_just_unfrozen_counts_before_its_first_step(pooled: Pooled) -> None:
    pooled.net.encoder.requires_grad_(False)
    pooled.step(2)
    pooled.net.encoder.requires_grad_(True)
    assert pooled.propose("freeze.head", Set(1.0))[0].phase == "applied"
    pooled.step()


def test_the_optimizer_is_left_as_it_was_when_the_settings_are_gone(pooled: Pooled) -> None:
    hooks = pooled.optimizer._optimizer_step_post_hooks
    assert len(hooks) == 1
    pooled.engine.close()
    del pooled.engine, pooled.settings
    gc.collect()
    assert not hooks


def test_parts_that_are_frozen_together_and_leave_nothing_are_undone() -> None:
    rig = Loop()
    deltas = [Delta(f"model.freeze.{part}", Set(1.0), "by hand", "me") for part in ("encoder", "head")]
    for change in rig.engine.propose_all(deltas, 0):
        assert change.outcome is Outcome.FAILED
        assert "no weight would be left to train" in change.reason
    assert all(weight.requires_grad for weight in rig.model.parameters())
