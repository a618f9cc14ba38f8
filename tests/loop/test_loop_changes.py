"""Changes through the door: proposed now or for a step, felt by the weights, in the record and the gate."""

import threading

import pytest
import torch
from loop_world import Work, committed

import seedbed
from seedbed.contracts import Outcome
from seedbed.errors import Conflict, InvalidInput, NotFound
from seedbed.loop import Proposed


def weights_after_each_step(store, **proposal):
    work, trace = Work(), []
    with work.start(store) as run:
        if proposal:
            run.propose_at(4, "lr", why="a test", **proposal)
        for _, (x, y) in run.steps(work.loader):
            work.step(x, y)
            trace.append(work.weights())
        run.result(x=1)
    return trace, run


def test_a_planned_change_is_felt_by_the_step_after_and_said_to_be(tmp_path):
    plain, _ = weights_after_each_step(tmp_path)
    changed, run = weights_after_each_step(tmp_path, scale=0.5)
    first = [torch.equal(a, b) for a, b in zip(plain, changed, strict=True)].index(False) + 1
    [record] = run.engine.history.records
    assert first == 5
    assert record.outcome is Outcome.EFFECTIVE
    assert record.story[-1][1]["step"] == 5
    assert committed(run).snapshot.course["changes"]
    assert run.exit_code == 0


def test_a_proposal_within_a_step_is_that_of_the_steps_taken_so_far(tmp_path):
    work = Work()
    with work.start(tmp_path) as run:
        for step, (x, y) in run.steps(work.loader):
            if step == 3:
                run.propose("optimizer.lr", set=1e-3, why="before the step")
            work.step(x, y)
            if step == 8:
                run.propose("lr", add=1e-4, why="after the step")
        run.result(x=1)
    assert [(r.step, r.story[-1][1]["step"]) for r in run.engine.history.records] == [(2, 3), (8, 9)]


def two_groups(work):
    parts = [work.model[0].parameters(), work.model[3].parameters()]
    work.optimizer = torch.optim.Adam([{"params": parts[0], "lr": 1e-2}, {"params": parts[1], "lr": 1e-3}])
    work.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(work.optimizer, T_max=48)
    return work


def test_a_proposal_to_several_groups_returns_what_became_of_each(tmp_path):
    work = two_groups(Work())
    with work.start(tmp_path) as run:
        for step, (x, y) in run.steps(work.loader):
            if step == 3:
                made = run.propose("lr", scale=0.5, why="all of them")
            if step == 5:
                one = run.propose("lr.1", scale=0.5, why="one of them")
                held_back = run.propose("lr", scale=0.5, why="too soon for one of them")
            work.step(x, y)
        run.result(x=1)
    assert [each.delta.parameter for each in made] == ["optimizer.lr.0", "optimizer.lr.1"]
    assert (made.phase, made.outcome, len(made)) == ("applied", Outcome.UNKNOWN, 2)
    assert made.after == pytest.approx(made.before / 2)
    assert (len(one), one.phase) == (1, "applied")
    assert {each.outcome for each in held_back} == {Outcome.BLOCKED}
    assert held_back.outcome is Outcome.BLOCKED
    assert "1 must pass" in held_back.reason
    assert [each.outcome.value for each in run.engine.history.records] == ["EFFECTIVE"] * 3 + ["BLOCKED"] * 2


def test_what_a_proposal_says_of_itself_is_said_of_the_change_that_went_worst(tmp_path):
    work = two_groups(Work())
    work.optimizer.param_groups[1]["betas"] = (0.85, 0.99)
    with work.start(tmp_path) as run:
        for step, (x, y) in run.steps(work.loader):
            if step == 3:
                made = run.propose("beta1", set=0.8, why="all of them")
                work.optimizer.param_groups[1]["betas"] = (0.7, 0.99)  # other code overwrites one of them
            work.step(x, y)
        run.result(x=1)
    ended = Proposed(tuple(run.engine.history[each.id] for each in made))
    assert [each.outcome for each in ended] == [Outcome.EFFECTIVE, Outcome.FAILED]
    assert (ended.outcome, ended.worst.delta.parameter) == (Outcome.FAILED, "optimizer.beta1.1")
    assert run.exit_code == 1


@pytest.mark.parametrize("given", [{}, {"set": 1.0, "scale": 2.0}, {"scale": "half"}, {"add": True}])
def test_exactly_one_number_is_expected(tmp_path, given):
    with Work().start(tmp_path) as run:
        with pytest.raises(InvalidInput, match="propose"):
            run.propose("lr", why="a test", **given)
        run.result(x=1)


def test_an_unknown_setting_is_answered_with_those_that_there_are(tmp_path):
    with Work().start(tmp_path) as run:
        with pytest.raises(NotFound, match=r"the nearest (is|are) lr"):
            run.propose("lrr", scale=0.5, why="a slip")
        run.result(x=1)


def test_a_step_that_is_over_and_a_state_that_moved_are_refused(tmp_path):
    work = Work()
    with work.start(tmp_path) as run:
        seen = run.engine.state_hash()
        for step, (x, y) in run.steps(work.loader):
            work.step(x, y)
            if step == 4:
                with pytest.raises(InvalidInput, match="is over"):
                    run.propose_at(2, "lr", scale=0.5, why="late")
                with pytest.raises(Conflict):
                    run.propose("lr", scale=0.5, why="stale", against=seen)
        run.result(x=1)
    assert run.engine.history.records == ()


def test_a_failed_change_fails_the_gate(tmp_path):
    work = Work()
    work.scheduler = None
    with work.start(tmp_path) as run:
        for step, (x, y) in run.steps(work.loader):
            loss = torch.nn.functional.cross_entropy(work.model(x), y)
            work.optimizer.zero_grad()
            loss.backward()
            work.optimizer.step()
            if step == 4:
                run.propose("beta2", set=0.99, why="a test")
                work.optimizer.param_groups[0]["betas"] = (0.9, 0.95)  # other code overwrites it
        run.result(x=1)
    assert run.engine.history.records[0].outcome is Outcome.FAILED
    assert run.exit_code == 1


def test_objects_are_bound_again_before_the_first_step_only(tmp_path):
    work, other = Work(), Work(1)
    with work.start(tmp_path) as run:
        run.bind(other.model, other.optimizer, other.scheduler)
        for _, (x, y) in run.steps(work.loader):
            other.step(x, y)
        assert run.step == 12
        with pytest.raises(Conflict, match="before its first step"):
            run.bind(work.model)
        run.result(x=1)
    assert work.hooks() == other.hooks() == 0


@pytest.mark.parametrize("proposal", [{"set": 0.005}, {"scale": 0.5}])
def test_after_the_run_the_optimizer_is_the_loops_own_again(tmp_path, proposal):
    work = Work()
    work.optimizer = torch.optim.SGD(work.model.parameters(), lr=0.01)
    with seedbed.start(work.model, work.optimizer, project="tests", store=tmp_path, quiet=True) as run:
        for step, (x, y) in run.steps(work.loader):
            torch.nn.functional.cross_entropy(work.model(x), y).backward()
            work.optimizer.step()
            if step == 3:
                run.propose("lr", why="a test", **proposal)
        run.result(x=1)
    assert work.optimizer.param_groups[0]["lr"] == 0.005  # what its next step would have used
    work.optimizer.param_groups[0]["lr"] = 0.1
    before, gradient = work.model[0].weight.detach().clone(), work.model[0].weight.grad
    work.optimizer.step()
    assert torch.allclose(work.model[0].weight, before - 0.1 * gradient)
    assert work.hooks() == 0


def test_a_proposal_from_another_thread_is_refused_and_the_journal_stays_whole(tmp_path):
    work = Work()
    said: list[str] = []

    def propose():
        try:
            run.propose("lr", scale=0.99, why="from elsewhere")
        except Conflict as problem:
            said.append(str(problem))

    with work.start(tmp_path) as run:
        for _, (x, y) in run.steps(work.loader):
            work.step(x, y)
            thread = threading.Thread(target=propose)
            thread.start()
            thread.join()
        run.propose("lr", scale=0.5, why="from the loop")
        run.result(x=1)
    assert len(said) == 12
    assert "seedbed.propose" in said[0]
    assert len(run.engine.history.records) == 1


def test_the_loop_proposes_in_the_thread_of_its_steps_whichever_thread_began_the_run(tmp_path):
    work = Work()
    run = work.start(tmp_path)
    run.propose_at(3, "lr", scale=0.5, why="planned")
    said: list[str] = []

    def loop():
        for step, (x, y) in run.steps(work.loader):
            work.step(x, y)
            if step == 6:
                run.propose("dropout", set=0.2, why="in the loop")

    def begin():
        with run.evaluation():
            work.model(work.x)
        run.log(temperature=60.0)

    for do in (begin, loop):
        thread = threading.Thread(target=do)
        thread.start()
        thread.join()
    try:
        run.propose("lr", scale=0.5, why="in the thread that began neither")
    except Conflict as problem:
        said.append(str(problem))
    run.result(x=1)
    run.finish()
    assert [each.delta.reason for each in run.engine.history.records] == ["planned", "in the loop"]
    assert len(said) == 1


def test_two_threads_that_begin_a_run_at_once_begin_it_once(tmp_path):
    for number in range(10):
        told: list[object] = []

        class Tracker:
            def __init__(self, told):
                self.told = told

            def begin(self, project, run_id, config):
                self.told.append("begin")

            def log(self, step, values):
                self.told.append(step)

            def finish(self, commit):
                self.told.append("finish")

        run = Work().start(tmp_path / str(number), mirror=Tracker(told))
        begins = threading.Barrier(2)

        def log(run=run, begins=begins):
            begins.wait(60)
            run.log(temperature=60.0)

        thread = threading.Thread(target=log)
        thread.start()
        log()
        thread.join()
        run.abandon("enough")
        assert told[0] == "begin"
        assert told.count("begin") == told.count("finish") == 1
