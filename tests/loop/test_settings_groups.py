"""Settings of several groups: named alike over a run and its resumes, and a factor that means the same for all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from loop_world import QUIET_RUNTIME
from settings_rig import live
from torch.optim import SGD, Optimizer, lr_scheduler

import seedbed
from seedbed.change import ChangeState, Delta, Operation, Scale, Set
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput
from seedbed.loop.settings import Settings
from seedbed.loop.steering import RemoteRun
from seedbed.records import Journal, MemoryJournal

CURVES: dict[str, Callable[[Optimizer], Any]] = {
    "one": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=40, eta_min=1e-3),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=8, eta_min=1e-3),
    "in a sequence": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=5), lr_scheduler.CosineAnnealingLR(o, 30, eta_min=1e-3)], [5]
    ),
    "in a product": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.CosineAnnealingLR(o, 30, eta_min=1e-3), lr_scheduler.ExponentialLR(o, 0.99)]
    ),
    "without a floor": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=40),
}


class Two:
    """Two groups of one weight each, whose gradient is always 1: a step lowers each by the rate that it used."""

    def __init__(self, *rates: float, curve: Callable[[Optimizer], Any] | None = None) -> None:
        self.weights = [torch.zeros(1, dtype=torch.float64, requires_grad=True) for _ in rates]
        self.optimizer = SGD(
            [{"params": [weight], "lr": rate} for weight, rate in zip(self.weights, rates, strict=True)]
        )
        self.scheduler = None if curve is None else curve(self.optimizer)
        self.used: list[list[float]] = []

    def step(self, *written: float) -> None:
        """A step, with the rates `written` before it by the loop's own line, if any."""
        for group, rate in zip(self.optimizer.param_groups, written, strict=False):
            group["lr"] = rate
        before = [weight.item() for weight in self.weights]
        for weight in self.weights:
            weight.grad = torch.ones_like(weight)
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        self.used.append([old - weight.item() for old, weight in zip(before, self.weights, strict=True)])


def trained(curve: str, name: str = "", op: Operation | None = None) -> tuple[Two, list[Outcome]]:
    """20 steps, with a change after the eighth; the outcomes."""
    two = Two(0.1, 0.01, curve=CURVES[curve])
    settings = Settings(live(optimizer=two.optimizer, scheduler=two.scheduler))
    engine = settings.engine(MemoryJournal())
    for number in range(20):
        if number == 8 and op is not None:
            settings.propose(Delta(name, op, "half-way", "a test"), number)
        two.step()
    return two, [each.outcome for each in engine.history.records]


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize(("name", "halved"), [("lr", {0, 1}), ("lr.0", {0}), ("lr.1", {1})])
def test_half_of_a_rate_is_half_of_its_whole_curve_for_one_group_and_for_all(
    curve: str, name: str, halved: set[int]
) -> None:
    plain, _ = trained(curve)
    changed, outcomes = trained(curve, name, Scale(0.5))
    assert outcomes == [Outcome.EFFECTIVE] * len(halved)
    for place in (0, 1):
        factors = [one[place] / other[place] for one, other in zip(changed.used, plain.used, strict=True)]
        assert factors == pytest.approx([1.0] * 8 + [0.5 if place in halved else 1.0] * 12)


def test_a_value_for_all_groups_scales_their_curves_in_proportion() -> None:
    plain, _ = trained("one")
    rate = plain.used[8][0]
    changed, outcomes = trained("one", "lr", Set(rate / 4))
    assert outcomes == [Outcome.EFFECTIVE] * 2
    for place in (0, 1):
        assert [each[place] for each in changed.used[8:]] == pytest.approx([each[place] / 4 for each in plain.used[8:]])


def keys(settings: Settings) -> list[str]:
    return [each.key for each in settings.view(0).settings if ".lr" in each.key]


@pytest.mark.parametrize(
    ("built", "written", "expected"),
    [
        ((0.1, 0.01), (0.05, 0.05), ["optimizer.lr", "optimizer.lr.0", "optimizer.lr.1"]),
        ((0.1, 0.1), (0.05, 0.02), ["optimizer.lr"]),
    ],
    ids=["differed", "were equal"],
)
@pytest.mark.parametrize("finds_first", [True, False])
def test_a_resume_names_groups_as_the_run_began_and_not_as_the_loop_has_set_them(
    tmp_path: Path, built: tuple[float, ...], written: tuple[float, ...], expected: list[str], finds_first: bool
) -> None:
    two = Two(*built)
    settings = Settings(live(optimizer=two.optimizer))
    engine = settings.engine(Journal.open(tmp_path / "changes.log"))
    settings.propose(Delta("lr", Scale(0.5), "before", "a test"), 0)
    two.step(*written)
    state = ChangeState.model_validate_json(engine.state(1).model_dump_json())
    saved, values = two.optimizer.state_dict(), engine.values()
    engine.close()
    later = Two(*built)
    found = Settings(live(optimizer=later.optimizer)) if finds_first else None
    later.optimizer.load_state_dict(saved)
    settings = found or Settings(live(optimizer=later.optimizer))
    settings.prepare(state)
    engine = settings.engine(Journal.open(tmp_path / "changes.log"))
    engine.resume(state)
    assert keys(settings) == expected
    assert engine.values() == values
    later.step(*written)
    assert later.used == two.used == [pytest.approx([0.5 * each for each in written])]


def door(store: Path, path: Path, *, stop: int | None = None) -> tuple[Two, "seedbed.Run"]:
    """12 steps of a loop that writes one rate into both groups, which were built with different ones."""
    two = Two(0.1, 0.01)
    run = seedbed.start(optimizer=two.optimizer, project="tests", store=store, runtime=QUIET_RUNTIME, quiet=True)
    run.propose_at(3, "lr.1", scale=0.5, why="planned")
    run.propose_at(9, "lr", scale=0.5, why="planned")
    run.restore(path)
    while run.step < 12:
        with run.one_step():
            two.step(*[0.1 * 0.9**run.step] * 2)
        if run.step == stop:
            run.checkpoint(path)
            run.abandon("stopped")
            return two, run
    run.result(x=1)
    run.finish()
    return two, run


def test_a_loop_that_writes_one_rate_into_groups_of_different_ones_is_resumed(tmp_path: Path) -> None:
    whole, _ = door(tmp_path / "s", tmp_path / "none.pt")
    first, _ = door(tmp_path / "s", tmp_path / "c.pt", stop=6)
    second, run = door(tmp_path / "s", tmp_path / "c.pt")
    assert first.used + second.used == [pytest.approx(each) for each in whole.used]
    assert [each.outcome for each in run.engine.history.records] == [Outcome.EFFECTIVE] * 3
    assert run.record.attempt == 2


def test_bounds_of_a_resumed_run_are_those_that_it_began_with(tmp_path: Path) -> None:
    def begun(two: Two) -> "seedbed.Run":
        return seedbed.start(
            optimizer=two.optimizer, project="tests", store=tmp_path / "s", runtime=QUIET_RUNTIME, quiet=True
        )

    two = Two(0.1)
    run = begun(two)
    bounds = run.settings().settings[0].high
    with run.one_step():
        two.step(5.0)
    run.checkpoint(tmp_path / "c.pt")
    run.abandon("stopped")
    run = begun(Two(0.1))
    assert run.restore(tmp_path / "c.pt")
    assert run.settings().settings[0].high == bounds == 1.0
    run.abandon("it is seen")


def test_a_request_to_change_several_groups_is_answered_for_all_of_them(tmp_path: Path) -> None:
    two = Two(0.1, 0.01)
    run = seedbed.start(
        optimizer=two.optimizer, project="tests", store=tmp_path / "s", runtime=QUIET_RUNTIME, quiet=True
    )
    run.log(loss=1.0)  # it has begun, and looks for requests after its first step
    asked = seedbed.propose(run.run_id, "lr", scale=0.5, why="noisy", store=tmp_path / "s")
    for _ in range(3):
        with run.one_step():
            two.step()
    run.result(x=1)
    run.finish()
    assert two.used[1:] == [pytest.approx([0.05, 0.005])] * 2
    answer = RemoteRun.open(run.run_id, tmp_path / "s").requests()[asked.number - 1].last
    assert answer is not None
    assert (answer.state, answer.is_final) == ("EFFECTIVE", True)
    assert "optimizer.lr.0" in answer.told
    assert "optimizer.lr.1" in answer.told


def test_weight_decays_that_are_all_0_have_one_name_too_and_the_way_is_said() -> None:
    weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    groups = [{"params": [weight], "name": name} for weight, name in zip(weights, ("body", "head"), strict=True)]
    settings = Settings(live(optimizer=SGD(groups, lr=0.1)))
    settings.engine(MemoryJournal())
    with pytest.raises(InvalidInput, match=r"propose optimizer.weight_decay.body, optimizer.weight_decay.head each"):
        settings.propose(Delta("weight_decay", Set(0.1), "why", "me"), 0)
    (change,) = settings.propose(Delta("weight_decay.head", Set(0.1), "why", "me"), 0)
    assert change.phase == "applied"
