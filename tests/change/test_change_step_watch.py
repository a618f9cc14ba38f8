"""Watches of an optimizer's steps begin and end whenever they like, and are told of the steps that moved weights."""

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.optim import SGD, Optimizer

from seedbed.change.bindings._step_watch import StepWatch


def an_optimizer(*, fused: bool = False) -> Optimizer:
    return SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, fused=fused)


def a_step(optimizer: Optimizer, gradient: float = 1.0, scaler: torch.amp.GradScaler | None = None) -> None:
    weight = optimizer.param_groups[0]["params"][0]
    if scaler is None:
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
    else:
        weight.grad = None
        scaler.scale((weight * gradient).sum()).backward()
        scaler.step(optimizer)
        scaler.update()


def hooks(optimizer: Optimizer) -> int:
    return len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)


def test_before_and_after_are_told_around_each_step_with_its_number() -> None:
    optimizer = an_optimizer()
    told: list[tuple[str, int, float]] = []
    weight = optimizer.param_groups[0]["params"][0].detach()
    watch = StepWatch(
        optimizer,
        lambda n: told.append(("before", n, float(weight[0]))),
        lambda n: told.append(("after", n, float(weight[0]))),
    )
    a_step(optimizer)
    a_step(optimizer)
    watch.end()
    a_step(optimizer)
    assert told == [
        ("before", 1, 1.0),
        ("after", 1, pytest.approx(0.9)),
        ("before", 2, pytest.approx(0.9)),
        ("after", 2, pytest.approx(0.8)),
    ]
    assert hooks(optimizer) == 0


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_the_scaler_skips_is_told_neither_before_nor_after(fused: bool) -> None:
    optimizer = an_optimizer(fused=fused)
    told: list[int] = []
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    StepWatch(optimizer, lambda n: told.append(n), lambda n: told.append(-n))
    for gradient in (float("inf"), 1.0, float("inf"), 1.0):
        a_step(optimizer, gradient, scaler)
    assert told == [1, -1, 2, -2]
    assert float(optimizer.param_groups[0]["params"][0][0].detach()) == pytest.approx(0.8)


def test_once_proven_the_scalers_flag_is_read_no_more_since_that_waits_for_the_device() -> None:
    optimizer = an_optimizer(fused=True)
    told: list[int] = []
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    watch = StepWatch(optimizer, told.append)
    watch.proven()
    a_step(optimizer, float("inf"), scaler)
    assert told == [1]


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_watch_that_ends_within_a_step_disturbs_neither_the_others_nor_hooks_of_strangers(order: int) -> None:
    optimizer = an_optimizer()
    told: list[tuple[int | str, int]] = []
    watches: list[StepWatch] = []

    def leaving(step: int) -> None:
        told.append(("leaving", step))
        watches[order].end()

    def look_of(number: int) -> Callable[[int], None]:
        return lambda step: told.append((number, step))

    looks = [look_of(number) for number in range(3)]
    looks[order] = leaving
    watches += [StepWatch(optimizer, look) for look in looks]
    strangers = [
        optimizer.register_step_pre_hook(lambda *_: told.append(("stranger", 0))),
        optimizer.register_step_post_hook(lambda *_: told.append(("stranger", 0))),
    ]
    a_step(optimizer)
    a_step(optimizer)
    assert [told.count(each) for each in (("leaving", 1), ("leaving", 2), ("stranger", 0))] == [1, 0, 4]
    assert all(told.count((i, n)) == 1 for i in range(3) if i != order for n in (1, 2))
    for watch in watches:
        watch.end()
    for stranger in strangers:
        stranger.remove()
    assert hooks(optimizer) == 0


@pytest.mark.parametrize("stranger_after", [False, True])
def test_the_last_watch_to_end_within_a_step_leaves_nothing_or_what_does_nothing(stranger_after: bool) -> None:
    optimizer = an_optimizer()
    watches = [StepWatch(optimizer, lambda _: watches[0].end())]
    stranger = optimizer.register_step_post_hook(lambda *_: None) if stranger_after else None
    a_step(optimizer)
    a_step(optimizer)
    if stranger is None:
        assert hooks(optimizer) == 0
    else:
        watches[0].end()
        stranger.remove()
        assert hooks(optimizer) == 0


def test_a_watch_that_begins_within_a_step_is_told_of_the_next() -> None:
    optimizer = an_optimizer()
    told: list[int] = []
    later: list[StepWatch] = []

    def begin_another(step: int) -> None:
        if step == 1:
            later.append(StepWatch(optimizer, told.append, told.append))

    first = StepWatch(optimizer, begin_another)
    a_step(optimizer)
    assert (len(later), told) == (1, [])
    a_step(optimizer)
    assert told == [1, 1]
    first.end()


def test_a_copy_and_a_pickle_of_the_optimizer_are_not_watched() -> None:
    optimizer = an_optimizer()
    told: list[int] = []
    StepWatch(optimizer, told.append)
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        a_step(other)
        assert hooks(other) == 0
    assert told == []


def test_a_watch_that_is_ended_twice_takes_nothing_from_those_that_came_later() -> None:
    optimizer = an_optimizer()
    told: list[int] = []
    first = StepWatch(optimizer, told.append)
    first.end()
    later = StepWatch(optimizer, told.append)
    first.end()
    a_step(optimizer)
    assert told == [1]
    another = StepWatch(optimizer, told.append)
    assert hooks(optimizer) == 2, "both in one hub"
    later.end()
    another.end()
    assert hooks(optimizer) == 0


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_the_steps_of_a_forked_child_say_nothing_of_the_change_and_fail_nowhere(tmp_path: Path) -> None:
    program = """if True:
        import os, sys, torch
        from seedbed.change import ChangeEngine, Delta, LearningRate, Parameter, Set
        from seedbed.records import MemoryJournal, Store
        def a_step(optimizer):
            optimizer.param_groups[0]["params"][0].grad = torch.ones(2)
            optimizer.step()
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        with Store.open(sys.argv[1], create=True).start("forked") as run:
            limits = [Parameter("lr", "1", low=0.0, high=1.0)]
            engine = ChangeEngine(run.journal(), {"lr": LearningRate(optimizer)}, limits)
            engine.propose(Delta("lr", Set(0.2), "test", "me"), 0)
            child = os.fork()
            if child == 0:
                for _ in range(2):
                    a_step(optimizer)
                said = str(engine.history[1].outcome)
                own = ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizer)}, limits)
                own.propose(Delta("lr", Set(0.3), "test", "me"), 0)
                a_step(optimizer)
                print(said, own.history[1].outcome, flush=True)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print(engine.history[1].outcome, flush=True)
            a_step(optimizer)
            print(engine.history[1].story[-1][1]["step"], engine.history[1].outcome, flush=True)
            engine.close()
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, tmp_path / "store"], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["UNKNOWN EFFECTIVE", "UNKNOWN", "1 EFFECTIVE"], done.stderr


class Twice(SGD):
    """Its step calls that of its base, whose hooks PyTorch calls too once an optimizer of the base was built."""

    def step(self, closure=None):
        return super().step(closure)


def test_a_step_that_calls_the_step_of_its_base_counts_once_also_after_one_that_raised() -> None:
    an_optimizer()
    optimizer = Twice([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    told: list[int] = []
    calls: list[int] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append(1))
    StepWatch(optimizer, told.append)
    a_step(optimizer)
    assert (told, calls) == ([1], [1, 1])

    def refuse() -> float:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        optimizer.step(refuse)
    a_step(optimizer)
    a_step(optimizer)
    assert told == [1, 2, 3]
