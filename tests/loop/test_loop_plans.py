"""Plans of a run that is resumed: the script as it is now counts, and what differs is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from loop_world import Work

import seedbed
from seedbed.errors import InvalidInput

Plan = Callable[[seedbed.Run], None]


class Stopped(Exception):
    pass


def half(*steps: int, why: str = "half", scale: float = 0.5) -> Plan:
    def plan(run: seedbed.Run) -> None:
        for step in steps:
            run.propose_at(step, "lr", scale=scale, why=why)

    return plan


def go(folder: Path, plan: Plan, stop: int | None = None, *, first: bool = False, early: bool = False) -> Any:
    """One attempt over 12 steps: the steps at which the changes of all attempts were made, and the weights."""
    work = Work()
    with work.start(folder / "store", quiet=False) as run:
        if first:
            plan(run)
        run.restore(folder / "c.pt")
        if early:
            run.log(begins=1.0)
        if not first:
            plan(run)
        for step, (x, y) in run.steps(work.loader):
            work.step(x, y)
            if step == stop:
                run.checkpoint(folder / "c.pt")
                raise Stopped
        run.result(x=1)
    return [record.step for record in run.engine.history.records if record.outcome], work.weights()


def stopped(folder: Path, plan: Plan, stop: int = 4) -> None:
    with pytest.raises(Stopped):
        go(folder, plan, stop)


@pytest.mark.parametrize("first", [True, False], ids=["before restore", "after restore"])
@pytest.mark.parametrize("early", [True, False], ids=["begun before", "begun by the first step"])
@pytest.mark.parametrize("steps", [(8,), (12,), (), (6, 10), (8, 8)])
def test_what_the_script_plans_now_is_made_and_no_more(tmp_path, capsys, steps, early, first):
    stopped(tmp_path, half(8))
    capsys.readouterr()
    made, weights = go(tmp_path, half(*steps), first=first, early=early)
    assert made == list(steps)
    said = "an earlier attempt planned for step 8 what this one does not: optimizer.lr scale=0.5 (half)"
    assert (said in capsys.readouterr().err) == (8 not in steps)
    _, whole = go(tmp_path / "whole", half(*steps))
    assert torch.equal(weights, whole)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("stop", [4, 5])
def test_a_plan_that_is_due_as_the_checkpoint_is_written_is_the_scripts_too(tmp_path, stop, first):
    """It is written in the body of the step at whose end the plan is due."""
    stopped(tmp_path, half(stop), stop)
    assert go(tmp_path, half(stop), first=first)[0] == [stop]
    stopped(tmp_path / "again", half(stop), stop)
    assert go(tmp_path / "again", half(7), first=first)[0] == [7]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("steps", "made"), [((3,), [3]), ((12,), [3, 12]), ((), [3])])
def test_what_was_made_stays_made_and_is_told_where_the_script_plans_it_no_more(tmp_path, capsys, steps, made, first):
    stopped(tmp_path, half(3))
    capsys.readouterr()
    assert go(tmp_path, half(*steps), first=first)[0] == made
    said = "an earlier attempt made at step 3 what this one does not plan: optimizer.lr scale=0.5 (half)"
    assert (said in capsys.readouterr().err) == (3 not in steps)


@pytest.mark.parametrize("first", [True, False])
def test_a_plan_that_comes_too_late_is_left_out_and_told(tmp_path, capsys, first):
    stopped(tmp_path, half(8))
    capsys.readouterr()
    assert go(tmp_path, half(2, 8), first=first)[0] == [8]
    said = capsys.readouterr().err
    assert "what is planned for step 2 comes too late: optimizer.lr scale=0.5 (half)" in said
    assert "the run has taken 4" in said


def test_a_plan_with_another_value_or_reason_takes_the_place_of_the_former(tmp_path, capsys):
    stopped(tmp_path, half(8))
    _, weights = go(tmp_path, half(8, scale=0.25, why="a quarter"))
    assert torch.equal(weights, go(tmp_path / "whole", half(8, scale=0.25))[1])
    assert "planned for step 8 what this one does not: optimizer.lr scale=0.5 (half)" in capsys.readouterr().err


def test_a_plan_goes_through_several_attempts(tmp_path):
    stopped(tmp_path, half(10), 2)
    stopped(tmp_path, half(3, 10), 5)
    stopped(tmp_path, half(3, 11), 7)
    assert go(tmp_path, half(3, 11))[0] == [3, 11]


def test_an_unchanged_script_says_nothing(tmp_path, capsys):
    stopped(tmp_path, half(3, 8))
    capsys.readouterr()
    assert go(tmp_path, half(3, 8))[0] == [3, 8]
    assert "earlier attempt" not in capsys.readouterr().err


def test_a_plan_that_the_loop_made_in_an_epoch_that_is_over_goes_on(tmp_path):
    def epochs(stop: bool) -> list[int]:
        work = Work()
        with work.start(tmp_path / "store") as run:
            run.restore(tmp_path / "c.pt")
            for epoch in run.epochs(2):
                if epoch == 0:
                    half(16)(run)  # before the first step, and not made again in the second epoch
                for _, (x, y) in run.steps(work.loader):
                    work.step(x, y)
                if stop:
                    run.checkpoint(tmp_path / "c.pt")
                    raise Stopped
            run.result(x=1)
        return [record.step for record in run.engine.history.records if record.outcome]

    with pytest.raises(Stopped):
        epochs(stop=True)
    assert epochs(stop=False) == [16]


def test_within_the_loop_a_step_that_is_over_is_refused_in_a_resumed_run_too(tmp_path):
    stopped(tmp_path, half())
    work = Work()
    with work.start(tmp_path / "store") as run:
        run.restore(tmp_path / "c.pt")
        for _, (x, y) in run.steps(work.loader):
            work.step(x, y)
            with pytest.raises(InvalidInput, match="step 2 is over"):
                half(2)(run)
        run.result(x=1)


def test_a_checkpoint_before_the_first_step_of_an_attempt_keeps_what_waits(tmp_path):
    stopped(tmp_path, half(8))
    with Work().start(tmp_path / "store") as run:
        run.restore(tmp_path / "c.pt")
        run.checkpoint(tmp_path / "c.pt")
        run.abandon("stopped before its first step")
    assert go(tmp_path, half(8))[0] == [8]


def test_what_is_planned_for_a_step_that_never_comes_is_told_at_the_end(tmp_path, capsys):
    made, _ = go(tmp_path, half(4, 100, why="late"))
    assert made == [4]
    told = "what was planned for step 100 was not made: optimizer.lr scale=0.5 (late), proposed by loop; the run has"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("step", ["5", 5.0, None])
def test_a_plan_for_no_step_is_refused_where_it_is_made(tmp_path, step):
    run = Work().start(tmp_path)
    with pytest.raises(InvalidInput, match="expected the number of a step"):
        run.propose_at(step, "lr", scale=0.5, why="x")
    run.abandon("enough")
