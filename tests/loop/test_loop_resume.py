"""Resumes: the same weights as a run that was never stopped, the next attempt, the data where it was."""

import pytest
import torch
from loop_world import Work, committed, logged

from seedbed.contracts import Outcome, RunStatus
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt


class Stopped(Exception):
    pass


def train(store, path, *, stop=None, every=1, epochs=3, shuffled=True, **more):
    """Three epochs with a planned change; stops after step `stop` as a crash would."""
    work = Work()
    if not shuffled:
        work.loader = [(work.x[at : at + 8], work.y[at : at + 8]) for at in range(0, 96, 8)]
    with work.start(store, **more) as run:
        run.propose_at(6, "lr", scale=0.5, why="planned")
        resumed = run.restore(path)
        for _ in run.epochs(epochs):
            for step, (x, y) in run.steps(work.loader):
                run.log(loss=work.step(x, y))
                run.checkpoint(path, every=every)
                if step == stop:
                    raise Stopped
        run.result(last=work.weights().sum())
    return work, run, resumed


@pytest.mark.parametrize(("stop", "every"), [(3, 1), (7, 1), (12, 1), (13, 5), (20, 6), (24, 12)])
def test_a_resumed_run_ends_with_the_weights_of_one_that_was_never_stopped(tmp_path, stop, every):
    whole, whole_run, _ = train(tmp_path / "s", tmp_path / "whole.pt", every=every)
    with pytest.raises(Stopped):
        train(tmp_path / "s", tmp_path / "c.pt", stop=stop, every=every)
    work, run, resumed = train(tmp_path / "s", tmp_path / "c.pt", every=every)
    assert resumed
    assert torch.equal(work.weights(), whole.weights())
    assert (run.record.attempt, run.step, run.iteration, run.epoch) == (2, 36, 36, 3)
    assert committed(run).snapshot.metrics == committed(whole_run).snapshot.metrics
    assert committed(run).snapshot.course["changes"] == committed(whole_run).snapshot.course["changes"]
    assert [record.outcome for record in run.engine.history.records if record.outcome][-1] is Outcome.EFFECTIVE
    assert run.witness.evidence(1.0).steps == 36


def test_a_checkpoint_of_a_finished_run_begins_a_new_run(tmp_path, capsys):
    _, first, _ = train(tmp_path / "s", tmp_path / "c.pt")
    _, second, resumed = train(tmp_path / "s", tmp_path / "c.pt", quiet=False)
    assert not resumed
    assert second.run_id != first.run_id
    assert (second.step, second.record.attempt) == (36, 1)
    assert "has finished: this is a new run" in capsys.readouterr().err


def test_a_resume_says_of_which_run_it_is_and_an_end_without_a_commit_names_the_last_checkpoint(tmp_path, capsys):
    with pytest.raises(Stopped):
        train(tmp_path / "s", tmp_path / "c.pt", stop=13, every=5, quiet=False)
    assert (
        f"ended as FAILED: Stopped: ; its last checkpoint is {tmp_path / 'c.pt'}, of step 10" in capsys.readouterr().err
    )
    _, run, _ = train(tmp_path / "s", tmp_path / "c.pt", every=5, quiet=False)
    assert f"resumed run {run.run_id} after step 10, from {tmp_path / 'c.pt'}\n" in capsys.readouterr().err


def test_an_attempt_before_its_first_checkpoint_begins_again(tmp_path):
    for stop in (4, None):
        if stop:
            with pytest.raises(Stopped):
                train(tmp_path / "s", tmp_path / "c.pt", stop=stop, every=100, run="r")
    work, run, resumed = train(tmp_path / "s", tmp_path / "c.pt", every=100, run="r")
    whole, _, _ = train(tmp_path / "s", tmp_path / "d.pt", every=100)
    assert not resumed
    assert run.record.attempt == 2
    assert torch.equal(work.weights(), whole.weights())
    assert run.store.find("r").status is RunStatus.FINISHED


def test_a_loader_that_is_a_list_goes_on_where_it_was(tmp_path):
    whole, _, _ = train(tmp_path / "s", tmp_path / "whole.pt", shuffled=False)
    with pytest.raises(Stopped):
        train(tmp_path / "s", tmp_path / "c.pt", stop=17, shuffled=False)
    work, _, _ = train(tmp_path / "s", tmp_path / "c.pt", shuffled=False)
    assert torch.equal(work.weights(), whole.weights())


def test_micro_batches_after_the_last_step_are_handed_out_again(tmp_path):
    def go(stop):
        work = Work()
        seen = []
        with work.start(tmp_path / "s") as run:
            run.restore(tmp_path / "c.pt")
            for place, (_, (x, y)) in enumerate(run.steps(work.loader), start=run.iteration + 1):
                seen.append(x)
                work.micro_step(x, y, is_last=place % 4 == 0)
                if place == stop:
                    run.checkpoint(tmp_path / "c.pt")
                    raise Stopped
            run.result(x=1)
        return seen

    with pytest.raises(Stopped):
        go(6)
    seen = go(None)
    assert len(seen) == 8  # batches 5 to 12
    everything = [x for x, _ in Work().loader]
    assert torch.equal(seen[0], everything[4])


class Keeping:
    """A loader that keeps its own place, as a StatefulDataLoader does."""

    def __init__(self, batches: list[int]) -> None:
        self.batches, self.at = batches, 0

    def __iter__(self):
        while self.at < len(self.batches):
            self.at += 1
            yield self.batches[self.at - 1]
        self.at = 0

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


def test_a_loader_with_a_state_is_asked_for_it(tmp_path):
    def go(stop):
        work, seen = Work(), []
        loader = Keeping(list(range(10)))
        with work.start(tmp_path / "s") as run:
            run.restore(tmp_path / "c.pt")
            for step, batch in run.steps(loader):
                seen.append(batch)
                work.step(work.x, work.y)
                if step == stop:
                    run.checkpoint(tmp_path / "c.pt", note="kept", numbers=[1, 2])
                    raise Stopped
            run.result(x=1)
        return seen, run

    with pytest.raises(Stopped):
        go(4)
    seen, run = go(None)
    assert seen == [4, 5, 6, 7, 8, 9]
    assert run.restored == {"note": "kept", "numbers": [1, 2]}


def test_a_state_in_the_checkpoint_of_the_loop_itself_is_enough(tmp_path):
    def go(stop, saved=None):
        work = Work()
        with work.start(tmp_path / "s") as run:
            if saved is not None:
                work.model.load_state_dict(saved["model"])
                work.optimizer.load_state_dict(saved["optimizer"])
                work.scheduler.load_state_dict(saved["scheduler"])
                run.load_state_dict(saved["run"])
            for _ in run.epochs(2):
                for step, (x, y) in run.steps(work.loader):
                    work.step(x, y)
                    if step == stop:
                        parts = {"model": work.model, "optimizer": work.optimizer, "scheduler": work.scheduler}
                        states = {name: part.state_dict() for name, part in parts.items()}
                        torch.save({**states, "run": run.state_dict()}, tmp_path / "own.pt")
                        raise Stopped
            run.result(x=1)
        return work, run

    whole, _ = go(None)
    with pytest.raises(Stopped):
        go(15)
    work, run = go(None, torch.load(tmp_path / "own.pt", weights_only=True))
    assert torch.equal(work.weights(), whole.weights())
    assert run.record.attempt == 2


def test_the_points_of_all_attempts_are_in_the_record(tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path / "s", tmp_path / "c.pt", stop=10, every=4)
    _, run, _ = train(tmp_path / "s", tmp_path / "c.pt", every=4)
    attempts = {(event.attempt, event.step) for event in logged(run)}
    assert {(1, 10), (2, 9), (2, 36)} <= attempts
    assert (2, 8) not in attempts


@pytest.mark.parametrize("data", [b"", b"not a checkpoint", b"PK\x03\x04 torn"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, data):
    (tmp_path / "c.pt").write_bytes(data)
    with Work().start(tmp_path / "s") as run:
        with pytest.raises(StoreCorrupt, match=r"c\.pt"):
            run.restore(tmp_path / "c.pt")
        run.result(x=1)


def test_a_file_that_would_execute_code_is_refused_and_not_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'done')!r}, 'w')",))

    torch.save({"run": Evil(), "given": {}, "models": {}, "optimizers": {}, "schedulers": {}}, tmp_path / "c.pt")
    with Work().start(tmp_path / "s") as run:
        with pytest.raises(StoreCorrupt):
            run.restore(tmp_path / "c.pt")
        run.result(x=1)
    assert not (tmp_path / "done").exists()


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    with Work().start(tmp_path / "s") as run:
        with pytest.raises(InvalidInput, match="state_dict"):
            run.checkpoint(tmp_path / "c.pt", mine=object())
        assert not (tmp_path / "c.pt").exists()
        run.result(x=1)


def test_a_restore_after_the_first_step_and_of_other_objects_is_refused(tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path / "s", tmp_path / "c.pt", stop=3)
    with Work().start(tmp_path / "s") as run:
        run.log(x=1.0)
        with pytest.raises(Conflict, match="before its first step"):
            run.restore(tmp_path / "c.pt")
        run.result(x=1)
    with Work().start(tmp_path / "s", project="other") as run:
        with pytest.raises(Conflict, match="project"):
            run.restore(tmp_path / "c.pt")
        run.result(x=1)
    with Work().start(tmp_path / "t") as run:
        with pytest.raises(NotFound, match="does not have"):
            run.restore(tmp_path / "c.pt")
        run.result(x=1)


def test_a_planned_change_comes_at_the_same_step_after_a_resume(tmp_path):
    """A checkpoint in the body of the step at whose end the change is due, and a plan that was made within the loop."""

    def go(path, stop):
        work, rates = Work(), []
        with work.start(tmp_path / "s") as run:
            run.restore(path)
            for step, (x, y) in run.steps(work.loader):
                if step == 2:
                    run.propose_at(8, "lr", scale=0.5, why="planned within the loop")
                work.step(x, y)
                if step == 4 and not run.restored:
                    run.propose_at(4, "lr", scale=0.5, why="planned")
                run.checkpoint(path, every=4)
                rates.append(work.optimizer.param_groups[0]["lr"])
                if step == stop:
                    raise Stopped
            run.result(x=1)
        return work, [(record.step, record.delta.reason) for record in run.engine.history.records if record.outcome]

    whole, said = go(tmp_path / "whole.pt", None)
    with pytest.raises(Stopped):
        go(tmp_path / "c.pt", 4)
    work, again = go(tmp_path / "c.pt", None)
    assert again[-2:] == said == [(4, "planned"), (8, "planned within the loop")]
    assert torch.equal(work.weights(), whole.weights())


def test_a_restored_run_may_be_used_before_its_loader_comes(tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path / "s", tmp_path / "c.pt", stop=8)
    work = Work()
    with work.start(tmp_path / "s") as run:
        run.propose_at(6, "lr", scale=0.5, why="planned")
        assert run.restore(tmp_path / "c.pt")
        with run.evaluation():
            work.model(work.x)
        run.log(x=1.0)
        assert [record.outcome for record in run.engine.history.records] == [Outcome.EFFECTIVE]
        for _, (x, y) in run.steps(work.loader):
            work.step(x, y)
        assert run.step == 12
        run.result(x=1)


def test_a_batch_size_that_was_changed_is_restored_with_the_loader(tmp_path):
    def go(stop):
        work, sizes = Work(), []
        with work.start(tmp_path / "s") as run:
            run.restore(tmp_path / "c.pt")
            run.log(x=1.0)  # before the loader has come
            for _ in run.epochs(2):
                for step, (x, y) in run.steps(work.loader):
                    work.step(x, y)
                    sizes.append(len(x))
                    if step == 11:
                        run.propose("batch_size", set=16, why="a test")
                if run.epoch == 1 and stop:
                    run.checkpoint(tmp_path / "c.pt")
                    raise Stopped
            run.result(x=1)
        return sizes

    with pytest.raises(Stopped):
        go(stop=True)
    assert go(stop=False) == [16] * 6


def test_a_refused_restore_leaves_everything_as_it_was(tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path / "s", tmp_path / "c.pt", stop=3)
    for project, first in (("tests", True), ("other", False)):
        work = Work(seed=3)
        before = work.weights()
        with work.start(tmp_path / "s", project=project) as run:
            if first:
                run.log(x=1.0)
            with pytest.raises(Conflict):
                run.restore(tmp_path / "c.pt")
            assert torch.equal(work.weights(), before)
            run.result(x=1)


def test_a_pass_that_was_left_by_break_is_over_also_after_a_resume(tmp_path):
    def go(stop):
        work, seen = Work(), []
        with work.start(tmp_path / "s") as run:
            run.restore(tmp_path / "c.pt")
            for epoch in run.epochs(3):
                for place, (_, (x, y)) in enumerate(run.steps(work.loader), start=1):
                    work.step(x, y)
                    seen.append((epoch, place))
                    if place == 4:
                        break
                run.checkpoint(tmp_path / "c.pt")
                if stop:
                    raise Stopped
            run.result(x=1)
        return seen

    with pytest.raises(Stopped):
        go(stop=True)
    assert go(stop=False) == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (2, 3), (2, 4)]


def test_what_was_logged_before_a_checkpoint_is_in_the_record_with_it(tmp_path):
    work = Work()
    with work.start(tmp_path / "s") as run:
        for step, (x, y) in run.steps(work.loader):
            run.log(loss=work.step(x, y))
            if step == 7:
                run.checkpoint(tmp_path / "c.pt")
                assert [event.step for event in logged(run)] == [1, 2, 3, 4, 5, 6, 7]
        run.result(x=1)


def test_a_scaler_of_gradients_that_the_loop_keeps_goes_on_as_it_was(tmp_path):
    def go(stop=None):
        work = Work()
        scaler = torch.amp.GradScaler("cpu", init_scale=3e38)  # so that some steps are skipped
        with work.start(tmp_path / "s") as run:
            if run.restore(tmp_path / "c.pt"):
                scaler.load_state_dict(run.restored["scaler"])
            for _, (x, y) in run.steps(work.loader):
                work.optimizer.zero_grad()
                scaler.scale(8 * torch.nn.functional.cross_entropy(work.model(x), y)).backward()
                scaler.step(work.optimizer)
                scaler.update()
                if run.iteration == stop:
                    run.checkpoint(tmp_path / "c.pt", scaler=scaler.state_dict())
                    raise Stopped
            run.result(x=1)
        return run.step, work.weights(), scaler.get_scale()

    steps, whole, scale = go()
    assert steps < 12
    with pytest.raises(Stopped):
        go(stop=7)
    again, weights, found = go()
    assert (again, found) == (steps, scale)
    assert torch.equal(weights, whole)
