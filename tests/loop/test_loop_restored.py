"""What a restore takes up and sets back, which resume of several counts, and which values a checkpoint writes."""

from typing import Any

import pytest
import torch
from loop_world import Work, committed, logged
from torch.optim import lr_scheduler

from seedbed.errors import Conflict


class Stopped(Exception):
    pass


class Unloadable:
    """A scheduler whose `load_state_dict` has an error of its own."""

    def __init__(self, optimizer, problem):
        self.optimizer, self._problem, self.num = optimizer, problem, 0

    def step(self):
        self.num += 1

    def state_dict(self):
        return {"num": self.num}

    def load_state_dict(self, state):
        raise self._problem


def in_parts(optimizer, num):
    parts: list[Any] = [lr_scheduler.ConstantLR(optimizer, 1.0) for _ in range(num)]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[10 * at for at in range(1, num)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda of: in_parts(of, 3), lambda of: in_parts(of, 2)),
        *[
            (lambda of: Unloadable(of, None), lambda of, problem=problem: Unloadable(of, problem))
            for problem in (AttributeError("extra"), TypeError("extra"), IndexError("extra"))
        ],
    ],
)
def test_a_restore_that_fails_in_one_part_sets_back_the_others_whatever_the_error_is(tmp_path, first, second):
    work = Work()
    work.scheduler = first(work.optimizer)
    with work.start(tmp_path / "s") as run:
        for _, (x, y) in run.steps(work.loader):
            work.step(x, y)
        run.checkpoint(tmp_path / "c")
        run.abandon("stopped")
    again = Work()
    again.scheduler = second(again.optimizer)
    before = again.weights()
    with again.start(tmp_path / "s") as run:
        with pytest.raises(Conflict, match="scheduler does not fit"):
            run.restore(tmp_path / "c")
        assert torch.equal(again.weights(), before)
        assert not again.optimizer.state
        run.abandon("refused")


def test_the_state_of_a_run_that_has_finished_is_refused(tmp_path):
    work = Work()
    with work.start(tmp_path / "s") as run:
        for _, (x, y) in run.steps(work.loader):
            work.step(x, y)
        state = run.state_dict()
        run.result(x=1)
    other = Work()
    with other.start(tmp_path / "s") as run:
        with pytest.raises(Conflict, match="has finished"):
            run.load_state_dict(state)
        for _, (x, y) in run.steps(other.loader):  # it is a new run
            other.step(x, y)
        run.result(x=1)
    assert run.step == 12


def test_of_several_restores_the_last_one_counts(tmp_path):
    def go(*names):
        work = Work()
        with work.start(tmp_path / "s") as run:
            for name in names:
                run.restore(tmp_path / name)
            for step, (x, y) in run.steps(work.loader):
                if step % 3 == 0 and not names:
                    run.checkpoint(tmp_path / f"between-{step}")
                work.step(x, y)
                if step == 3 and not names:
                    run.checkpoint(tmp_path / "good")
                if step == 6 and not names:
                    raise Stopped
            run.result(x=1)
        return {name: str(committed(run).snapshot.process[name]) for name in ("data_order", "resume")}

    def go_elsewhere():
        work = Work()
        with work.start(tmp_path / "s") as run:
            run.restore(tmp_path / "good")
            with run.one_step():
                work.step(work.x, work.y)
            run.checkpoint(tmp_path / "elsewhere")
            raise Stopped

    with pytest.raises(Stopped):
        go()
    with pytest.raises(Stopped):
        go_elsewhere()
    assert go("elsewhere", "between-6", "good") == {"data_order": "known", "resume": "known"}


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("stop", [None, 8])
def test_a_checkpoint_before_or_after_the_log_leaves_one_mean_for_each_step(tmp_path, is_before, stop):
    def go(stop):
        work = Work()
        with work.start(tmp_path / "s") as run:
            run.restore(tmp_path / "c")
            for _, (x, y) in run.steps(work.loader):
                torch.nn.functional.cross_entropy(work.model(x), y).backward()
                if run.iteration % 4 == 0:
                    work.optimizer.step()
                    work.optimizer.zero_grad()
                if is_before:
                    run.checkpoint(tmp_path / "c", every=2)
                run.log(number=run.iteration)
                if not is_before:
                    run.checkpoint(tmp_path / "c", every=2)
                if run.iteration == stop:
                    raise Stopped
            run.result(x=1)
        return {(point.attempt, point.step): point.values["number"] for point in logged(run)}, len(logged(run))

    if stop:
        with pytest.raises(Stopped):
            go(stop)
    found, num = go(None)
    last_attempt = {step: value for (_, step), value in sorted(found.items())}
    assert last_attempt == {1: 2.5, 2: 6.0 if stop and is_before else 6.5, 3: 10.5}
    assert num == len(found)


def test_a_checkpoint_within_a_step_says_that_other_optimizers_step_again(tmp_path):
    def go(stop):
        work = Work()
        critic = torch.nn.Linear(4, 1)
        of_critic = torch.optim.SGD(critic.parameters(), lr=0.1)
        with work.start(tmp_path / "s") as run:
            run.bind({"critic": critic}, {"critic": of_critic})
            run.restore(tmp_path / "c")
            for _, (x, y) in run.steps(work.loader):
                critic(x).mean().backward()
                of_critic.step()
                if run.iteration % 3 == 0:
                    work.step(x, y)
                if run.iteration == stop:
                    run.checkpoint(tmp_path / "c")
                    raise Stopped
            run.result(x=1)
        return str(committed(run).snapshot.process["resume"])

    with pytest.raises(Stopped):
        go(5)
    assert "in the steps of other optimizers" in go(None)
