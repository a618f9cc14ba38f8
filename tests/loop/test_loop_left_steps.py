"""Steps that a loop leaves unfinished: what was not made is not judged, counted or written as if it were."""

import pytest
import torch
from loop_world import QUIET_RUNTIME, Work, logged

import seedbed
from seedbed.loop.live._live_run import LiveRun

SAMPLED = {**QUIET_RUNTIME, "sample_every": "1"}


def leave_by_error(run, work, after):
    for step, (x, y) in run.steps(work.loader):
        if step == 3 and not after:
            work.model(x)
            _ = 1 / 0
        run.log(loss=work.step(x, y))
        if step == 3:
            _ = 1 / 0


def leave_by_error_in_a_block(run, work, after):
    batches = iter(work.loader)
    for _ in range(2):
        with run.one_step():
            run.log(loss=work.step(*next(batches)))
    with run.one_step():
        if after:
            run.log(loss=work.step(*next(batches)))
        _ = 1 / 0


def leave_by_break(run, work, after):
    for step, (x, y) in run.steps(work.loader):
        if step == 3 and not after:
            break
        run.log(loss=work.step(x, y))
        if step == 3:
            break
    _ = 1 / 0


@pytest.mark.parametrize("leave", [leave_by_error, leave_by_error_in_a_block, leave_by_break])
@pytest.mark.parametrize("after", [False, True])
def test_a_step_that_was_left_is_counted_only_if_the_optimizer_stepped(tmp_path, leave, after):
    work = Work()
    with work.start(tmp_path, runtime=SAMPLED) as run:
        with pytest.raises(ZeroDivisionError):
            leave(run, work, after)
        run.result(x=1)
    made = 3 if after else 2
    is_judged = after and leave is not leave_by_error_in_a_block  # there the error is known
    assert (run.step, run.evidence().steps_sampled) == (made, 3 if is_judged else 2)
    assert [point.step for point in logged(run)] == list(range(1, made + 1))
    assert work.hooks() == 0


def test_without_an_optimizer_a_step_that_an_error_ended_was_not_made(tmp_path):
    with seedbed.start(project="p", store=tmp_path, runtime=QUIET_RUNTIME, quiet=True) as run:
        with run.one_step():
            run.log(x=1)
        block = run.one_step()
        block.__enter__()
        assert not block.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
        assert run.step == 1
        run.result(x=1)


def test_values_of_iterations_after_the_last_step_are_of_the_step_that_they_began(tmp_path):
    work = Work()
    with work.start(tmp_path) as run:
        for number, (x, y) in enumerate([(work.x[:8], work.y[:8])] * 5, start=1):
            run.begin_step()
            loss = torch.nn.functional.cross_entropy(work.model(x), y)
            loss.backward()
            run.log(number=number)
            if number % 2 == 0:
                work.optimizer.step()
                work.optimizer.zero_grad()
        run.result(x=1)
    assert [(point.step, point.values["number"]) for point in logged(run)] == [(1, 1.5), (2, 3.5), (3, 5.0)]
    assert run.step == 2


def test_an_optimizer_that_is_bound_after_the_first_value_is_counted(tmp_path):
    work = Work()
    with seedbed.start(work.model, project="p", store=tmp_path, runtime=QUIET_RUNTIME, quiet=True) as run:
        run.log(before=1)
        run.bind(optimizer=work.optimizer, scheduler=work.scheduler)
        for number, (x, y) in run.steps(work.loader):
            assert number == run.step + 1
            if run.iteration % 3 == 0:
                work.step(x, y)
        run.result(x=1)
    assert (run.step, run.iteration) == (4, 12)


def test_a_bind_that_is_refused_binds_nothing(tmp_path):
    work, other = Work(), Work()
    with seedbed.start(work.model, work.optimizer, project="p", store=tmp_path, quiet=True) as run:
        run.log(x=1)
        listed = [each.key for each in run.settings().settings]
        for wrong in (
            {"optimizer": other.optimizer},
            {"model": {"b": other.model}, "optimizer": {"b": work.optimizer}},
        ):
            with pytest.raises(seedbed.errors.Conflict):
                run.bind(**wrong)
            assert [each.key for each in run.settings().settings] == listed
        run.checkpoint(tmp_path / "c.pt")  # of what is bound
        run.result(x=1)


def test_requests_wait_for_the_end_of_a_step_of_several_iterations(tmp_path, monkeypatch):
    work, looks = Work(), []
    monkeypatch.setattr("seedbed.loop.live._live_run._LOOK_SECONDS", 0.0)
    monkeypatch.setattr(LiveRun, "_look", lambda live, step: looks.append((step, live.steps.is_between)))
    with work.start(tmp_path) as run:
        for _, (x, y) in run.steps(work.loader):
            torch.nn.functional.cross_entropy(work.model(x), y).backward()
            if run.iteration % 3 == 0:
                work.optimizer.step()
        run.result(x=1)
    assert looks == [(1, False), (2, False), (3, False), (4, False)]
    looks.clear()
    monkeypatch.setattr("seedbed.loop.live._live_run._LONG_STEP", 0.0)  # a step that lasts too long to wait for
    with Work().start(tmp_path) as run:
        for _ in run.steps(work.loader):
            pass
        run.result(x=1)
    assert looks == [(0, True)] * 12
