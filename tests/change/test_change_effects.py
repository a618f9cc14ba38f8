"""A change is EFFECTIVE at the step whose update is that of the new value: compared with loops without the change."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from change_knob import turned
from torch.optim import SGD, Adam, Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from seedbed.change import (
    ChangeEngine,
    Delta,
    GroupSetting,
    LearningRate,
    OptimizerSetting,
    Parameter,
    Scale,
)
from seedbed.change.bindings.proof._optimizers import UPDATES, known_class
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def effects():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield import_module("effects")
    sys.modules.pop("effects", None)


def an_engine(optimizer: Optimizer) -> ChangeEngine:
    return ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", low=1e-9, high=1e3)])


def halve(engine: ChangeEngine, step: int) -> None:
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), step)


def a_step(optimizer: Optimizer, gradient: float | None = 1.0) -> None:
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = None if gradient is None else torch.full_like(weight, gradient) + weight.detach()
            if gradient == 0:
                weight.grad = torch.zeros_like(weight)
    optimizer.step()


def weights(num: int = 4) -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.linspace(0.5, 1.5, num))]


def test_every_class_of_torch_optim_is_classified(effects) -> None:
    assert set(effects.classes()) == set(UPDATES), "say how the update of a new class depends on a weight"
    for name, cls in effects.classes().items():
        assert known_class(cls([torch.nn.Parameter(torch.ones(2, 2))])) is cls, name


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(UPDATES))
def test_a_change_is_said_to_be_effective_where_the_weights_first_differ(effects, name: str) -> None:
    cells = list(effects.cells(name))
    assert len(cells) == len(effects.SITUATIONS) * len(effects.settings_of(effects.classes()[name]))
    assert [cell for cell in cells if not cell.is_right] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        (name, {option: True})
        for option, names in {
            "foreach": (
                "ASGD",
                "Adadelta",
                "Adafactor",
                "Adagrad",
                "AdamW",
                "NAdam",
                "RAdam",
                "RMSprop",
                "Rprop",
                "SGD",
            ),
            "fused": ("Adagrad", "Adam", "AdamW", "SGD"),
            "maximize": ("Adafactor", "AdamW", "Adagrad", "SGD", "SparseAdam"),
            "amsgrad": ("Adam", "AdamW"),
            "nesterov": ("SGD", "Muon"),
            "centered": ("RMSprop",),
        }.items()
        for name in names
    ]
    + [("LBFGS", {"line_search_fn": "strong_wolfe"}), ("SGD", {"nesterov": True, "foreach": True})],
    ids=str,
)
def test_the_same_holds_for_every_way_to_build_it(effects, name: str, options: dict[str, object]) -> None:
    for setting in effects.settings_of(effects.classes()[name]):
        for situation in ("gradients", "closure", "zero"):
            assert effects.measured(name, setting, situation, **options).is_right, (setting, situation)


def test_a_cell_is_wrong_when_it_is_said_too_early_too_late_or_of_nothing(effects) -> None:
    cell = effects.Cell("SGD", "lr", "gradients", 4, 4, "EFFECTIVE", "")
    assert cell.is_right
    for differs, effective, outcome in (
        (5, 4, "EFFECTIVE"),
        (4, 5, "EFFECTIVE"),
        (None, 4, "EFFECTIVE"),
        (4, None, "UNKNOWN"),
    ):
        assert not effects.Cell("SGD", "lr", "gradients", differs, effective, outcome, "").is_right


def test_a_rate_that_is_read_once_counts_when_it_is_set_before_that() -> None:
    optimizer = torch.optim.Rprop(weights(), lr=0.1)
    engine = an_engine(optimizer)
    halve(engine, 0)
    a_step(optimizer)
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_rate_that_is_read_once_counts_for_a_weight_that_takes_its_first_step_later() -> None:
    optimizer = torch.optim.Rprop([*weights(), *weights(3)], lr=0.1)
    late = optimizer.param_groups[0]["params"][1]
    late.requires_grad_(False)
    engine = an_engine(optimizer)
    for step in range(1, 7):
        a_step(optimizer)
        if step < 5:
            optimizer.state.pop(late, None)
        if step == 2:
            halve(engine, step)
    assert engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("gradient", [0.0, None])
@pytest.mark.parametrize("build", [lambda w: SGD(w, lr=0.1), lambda w: Adam(w, lr=0.1)], ids=["SGD", "Adam"])
def test_a_step_that_moves_nothing_used_no_rate_and_the_next_that_does_used_it(build, gradient: float | None) -> None:
    optimizer = build(weights())
    engine = an_engine(optimizer)
    halve(engine, 0)
    for _ in range(3):
        a_step(optimizer, gradient)
    assert engine.history[1].outcome is Outcome.UNKNOWN
    a_step(optimizer)
    assert (engine.history[1].outcome, engine.history[1].story[-1][1]["step"]) == (Outcome.EFFECTIVE, 4)


class ReadsDefaults(SGD):
    """An optimizer of somebody's own, whose rate is the one that it was built with."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                weight.add_(weight.grad, alpha=-self.defaults["lr"])


class OwnUpdate(Adam):
    """Replaces a method that takes part in the update."""

    def _init_group(self, *args, **kwargs):
        return super()._init_group(*args, **kwargs)


class OnlyNamed(Adam):
    """Adam under another name, with a constructor of its own."""

    def __init__(self, params) -> None:
        super().__init__(params, lr=0.1)


def test_an_optimizer_of_somebody_s_own_that_does_not_read_the_rate_has_not_shown_a_use() -> None:
    optimizer = ReadsDefaults(weights(), lr=0.1)
    engine = an_engine(optimizer)
    halve(engine, 0)
    for _ in range(3):
        a_step(optimizer)
    engine.close()
    assert engine.history[1].outcome is Outcome.UNKNOWN
    assert "ReadsDefaults is no optimizer of torch.optim, and the update is the same" in engine.history[1].reason


def test_a_subclass_that_replaces_a_part_of_the_update_is_no_known_one_and_a_copy_of_it_shows_the_use() -> None:
    optimizer = OwnUpdate(weights(), lr=0.1)
    assert known_class(optimizer) is None
    engine = an_engine(optimizer)
    halve(engine, 0)
    a_step(optimizer)
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_subclass_that_replaces_nothing_of_the_update_is_known() -> None:
    optimizer = OnlyNamed(weights())
    assert known_class(optimizer) is Adam
    engine = an_engine(optimizer)
    halve(engine, 0)
    a_step(optimizer)
    assert engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("restores", [False, True])
def test_a_hook_registered_later_that_sets_the_former_rate_is_caught_at_once(restores: bool) -> None:
    optimizer = SGD(weights(), lr=0.1)
    engine = an_engine(optimizer)
    halve(engine, 0)
    optimizer.register_step_pre_hook(lambda o, *_: o.param_groups[0].update(lr=0.1))
    if restores:
        optimizer.register_step_post_hook(lambda o, *_: o.param_groups[0].update(lr=0.05))
    a_step(optimizer)
    change = engine.history[1]
    assert (change.outcome, change.story[-1][1]["found"]) == (Outcome.FAILED, 0.1)
    assert change.reason.startswith("at step 1: expected 0.05, found 0.1")


def clipped(optimizer: Optimizer, *_: object) -> None:
    optimizer.param_groups[0]["params"][0].grad.mul_(0.25)


def test_a_hook_registered_later_that_clips_gradients_changes_nothing_of_the_proof() -> None:
    optimizer = SGD(weights(), lr=0.1, momentum=0.9)
    engine = an_engine(optimizer)
    halve(engine, 0)
    optimizer.register_step_pre_hook(clipped)
    a_step(optimizer)
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_an_update_that_nobody_can_explain_is_no_proof() -> None:
    optimizer = SGD(weights(), lr=0.1)
    engine = an_engine(optimizer)
    halve(engine, 0)
    optimizer.register_step_post_hook(lambda o, *_: o.param_groups[0]["params"][0].data.mul_(0.5))
    handles = dict(optimizer._optimizer_step_post_hooks)
    optimizer._optimizer_step_post_hooks.clear()  # its hook runs before the watch looks
    optimizer._optimizer_step_post_hooks.update(reversed(handles.items()))
    a_step(optimizer)
    engine.close()
    assert engine.history[1].outcome is Outcome.UNKNOWN
    assert "neither the one that the new value gives" in engine.history[1].reason


@pytest.mark.parametrize("rate", [0.1, 0.05])
def test_an_optimizer_rebuilt_after_the_change_is_named_unless_it_has_the_new_rate(rate: float) -> None:
    theirs = weights()
    optimizer = SGD(theirs, lr=0.1)
    engine = an_engine(optimizer)
    a_step(optimizer)
    halve(engine, 1)
    a_step(optimizer)
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    rebuilt, stranger = SGD(theirs, lr=rate), SGD(weights(), lr=0.3)
    for _ in range(3):
        a_step(stranger)
        a_step(rebuilt)
    change = engine.history[1]
    if rate == 0.05:
        assert change.outcome is Outcome.EFFECTIVE
    else:
        assert (change.outcome, change.story[-1][1]["step"]) == (Outcome.FAILED, 3)
        assert "another optimizer, SGD, steps these weights" in change.reason


def test_two_optimizers_that_take_turns_on_the_same_weights_are_not_taken_for_a_rebuilt_one() -> None:
    theirs = weights()
    optimizer, other = SGD(theirs, lr=0.1), SGD(theirs, lr=0.3)
    engine = an_engine(optimizer)
    halve(engine, 0)
    for _ in range(4):
        a_step(other)
        a_step(optimizer)
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_rebuilt_optimizer_with_the_former_setting_is_named_too() -> None:
    theirs = weights()
    seen = turned(GroupSetting(SGD(theirs, lr=0.1, weight_decay=0.2), OptimizerSetting.WEIGHT_DECAY), 0.1)
    rebuilt = SGD(theirs, lr=0.1, weight_decay=0.2)
    for _ in range(3):
        a_step(rebuilt)
    assert [(each.steps_after, each.expected, each.found) for each in seen] == [(1, 0.1, 0.2)]
    assert "another optimizer, SGD, steps these weights with a value that the change did not reach" in seen[0].why


def test_an_optimizer_that_was_there_before_the_change_is_not_said_to_have_been_built_since() -> None:
    theirs = weights()
    optimizer, other = SGD(theirs, lr=0.1), SGD(theirs, lr=0.3)
    engine = an_engine(optimizer)
    for is_changed in (False, True):
        if is_changed:
            halve(engine, 1)
        for each in (optimizer, other, other):
            a_step(each)
    change = engine.history[1]
    assert change.outcome is Outcome.FAILED
    assert "two such steps came without one of the bound optimizer between them" in change.reason
    assert "built" not in change.reason


@pytest.mark.parametrize("rate", [None, 0.3, 0.05])
def test_a_group_added_with_the_default_rate_is_named_and_one_with_a_rate_of_its_own_is_not(rate: float | None) -> None:
    optimizer = SGD(weights(), lr=0.1)
    engine = an_engine(optimizer)
    halve(engine, 0)
    a_step(optimizer)
    optimizer.add_param_group({"params": weights(3)} | ({} if rate is None else {"lr": rate}))
    for _ in range(2):
        a_step(optimizer)
    change = engine.history[1]
    if rate is None:
        assert "group 1 was added after the change and runs with the optimizer's default" in change.reason
    assert change.outcome is (Outcome.FAILED if rate is None else Outcome.EFFECTIVE)


def test_a_large_weight_is_sampled_where_its_gradient_is() -> None:
    weight = torch.nn.Parameter(torch.ones(1000, 8))
    optimizer = SGD([weight], lr=0.1)
    engine = an_engine(optimizer)
    halve(engine, 0)
    weight.grad = torch.zeros_like(weight)
    weight.grad[777, 3] = -1e-3
    optimizer.step()
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_rows_of_a_sparse_gradient_of_a_large_weight_are_sampled() -> None:
    weight = torch.nn.Parameter(torch.ones(1000, 8))
    optimizer = torch.optim.SparseAdam([weight], lr=0.1)
    engine = an_engine(optimizer)
    halve(engine, 0)
    rows = torch.tensor([[900, 31, 900]])
    weight.grad = torch.sparse_coo_tensor(rows, torch.ones(3, 8), weight.shape, check_invariants=True)
    optimizer.step()
    assert engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.complex64])
def test_the_proof_holds_for_other_numbers_than_float32(dtype: torch.dtype) -> None:
    weight = torch.nn.Parameter(torch.linspace(0.5, 1.5, 700).to(dtype))
    optimizer = Adam([weight], lr=0.1)
    engine = an_engine(optimizer)
    halve(engine, 0)
    weight.grad = weight.detach().clone()
    optimizer.step()
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_no_hook_of_the_user_runs_more_often_for_the_proof() -> None:
    calls: list[str] = []
    handle = register_optimizer_step_pre_hook(lambda *_: calls.append("all"))
    optimizer = Adam(weights(), lr=0.1)
    optimizer.register_step_post_hook(lambda *_: calls.append("own"))
    engine = an_engine(optimizer)
    halve(engine, 0)
    for _ in range(3):
        a_step(optimizer)
    handle.remove()
    assert calls == ["all", "own"] * 3
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_watch_that_nothing_decides_looks_less_often_after_a_while_and_still_sees_the_use() -> None:
    optimizer = SGD(weights(), lr=0.1)
    engine = an_engine(optimizer)
    halve(engine, 0)
    for _ in range(100):
        a_step(optimizer, 0.0)
    for _ in range(16):
        a_step(optimizer)
    assert engine.history[1].outcome is Outcome.EFFECTIVE
