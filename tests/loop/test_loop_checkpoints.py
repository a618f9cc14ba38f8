"""When a checkpoint is written, of which pass over the data it is, and what it knows of random numbers."""

import pytest
import torch
from loop_world import QUIET_RUNTIME, Work, committed
from torch.utils.data import DataLoader, TensorDataset

import seedbed


class Stopped(Exception):
    pass


def written_after(path, run, work, *, at_head, steps=9, every=3, accumulated=1):
    """After how many steps a checkpoint of each call was written."""
    found = []
    batches = (batch for _ in range(99) for batch in work.loader)
    for _, (x, y) in run.steps(batches):
        if at_head and run.checkpoint(path, every=every):
            found.append(run.step)
        loss = torch.nn.functional.cross_entropy(work.model(x), y)
        loss.backward()
        if run.iteration % accumulated == 0:
            work.optimizer.step()
            work.optimizer.zero_grad()
        if not at_head and run.checkpoint(path, every=every):
            found.append(run.step)
        if run.step == steps and run.iteration % accumulated == 0:
            break
    if run.checkpoint(path, every=every):
        found.append(run.step)
    return found


@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("at_head", [False, True])
def test_a_checkpoint_is_written_once_after_each_step_that_every_divides(tmp_path, at_head, accumulated):
    work = Work()
    with work.start(tmp_path / "s") as run:
        assert written_after(tmp_path / "c", run, work, at_head=at_head, accumulated=accumulated) == [3, 6, 9]
        run.result(x=1)


def test_without_an_optimizer_the_step_in_progress_is_in_the_checkpoint(tmp_path):
    def go(stop=None):
        weights, seen = torch.zeros(1), []
        with seedbed.start(project="p", store=tmp_path / "s", runtime=QUIET_RUNTIME, quiet=True) as run:
            if run.restore(tmp_path / "c"):
                weights = run.restored["weights"]
            for step, batch in run.steps(list(range(8))):
                seen.append(batch)
                weights += batch
                written = run.checkpoint(tmp_path / "c", every=2, weights=weights)
                assert written == (step % 2 == 0)
                if step == stop:
                    raise Stopped
            run.result(sum=float(weights))
        return seen, float(weights)

    with pytest.raises(Stopped):
        go(stop=5)
    assert go() == ([4, 5, 6, 7], 28.0)


@pytest.mark.parametrize("other", [4, 12])
def test_a_place_in_one_loader_is_not_taken_for_one_in_another(tmp_path, capsys, other):
    def loaders():
        torch.manual_seed(3)
        of = [TensorDataset(torch.arange(float(num)).reshape(-1, 1)) for num in (16, other)]
        return [DataLoader(each, batch_size=2, shuffle=True) for each in of]

    def go(stop=None):
        first, second = loaders()
        seen = []
        with seedbed.start(project="p", store=tmp_path / "s", runtime=QUIET_RUNTIME) as run:
            run.restore(tmp_path / "c")
            for loader in (first, second):
                for _ in run.steps(loader):
                    seen.append(loader is first)
                    run.checkpoint(tmp_path / "c")
                    if len(seen) == stop:
                        raise Stopped
            run.result(x=1)
        return seen, run

    with pytest.raises(Stopped):
        go(stop=9)  # within the second
    seen, run = go()
    assert seen.count(True) == 8
    assert f"a DataLoader of TensorDataset, {other} long" in capsys.readouterr().err
    assert "the loop goes on with a DataLoader of TensorDataset, 16 long" in str(
        committed(run).snapshot.process["data_order"]
    )


def test_a_restored_place_is_kept_in_a_checkpoint_before_the_pass_goes_on(tmp_path):
    def go(*, stop=None, only_look=False):
        work, seen = Work(), []
        with work.start(tmp_path / "s") as run:
            run.restore(tmp_path / "c")
            if only_look:
                run.checkpoint(tmp_path / "c")
                raise Stopped
            for step, (x, y) in run.steps(work.loader):
                work.step(x, y)
                seen.append(x)
                if step == stop:
                    run.checkpoint(tmp_path / "c")
                    raise Stopped
            run.result(x=1)
        return seen

    whole = go()
    with pytest.raises(Stopped):
        go(stop=5)
    with pytest.raises(Stopped):
        go(only_look=True)
    rest = go()
    assert len(rest) == 7
    assert torch.equal(torch.cat(rest), torch.cat(whole[5:]))


@pytest.mark.parametrize(("between", "known"), [(False, True), (True, False)])
def test_random_numbers_after_a_checkpoint_between_two_steps_are_unknown_and_said_so(tmp_path, capsys, between, known):
    def go(stop=None):
        work = Work()
        with work.start(tmp_path / "s", quiet=False) as run:
            run.restore(tmp_path / "c")
            for _, (x, y) in run.steps(work.loader):
                torch.nn.functional.cross_entropy(work.model(x), y).backward()
                if run.iteration % 2 == 0:
                    work.optimizer.step()
                    work.optimizer.zero_grad()
                if run.iteration == stop:
                    run.checkpoint(tmp_path / "c")
                    raise Stopped
            run.result(x=1)
        return run

    with pytest.raises(Stopped):
        go(stop=5 if between else 6)
    run = go()
    assert ("written between two steps of the optimizer" in capsys.readouterr().err) is not known
    assert str(committed(run).snapshot.process["random_numbers"]).startswith("known" if known else "unknown")
    assert committed(run).snapshot.process["data_order"] == "known"


@pytest.mark.parametrize("counts", [False, True])
def test_a_resumed_loop_over_range_is_told_that_it_trains_again(tmp_path, capsys, counts):
    def go(stop=None):
        work = Work()
        with work.start(tmp_path / "s", quiet=False) as run:
            run.restore(tmp_path / "c")
            for _ in run.epochs(2) if counts else range(2):
                for step, (x, y) in run.steps(work.loader):
                    work.step(x, y)
                    if step == stop:
                        run.checkpoint(tmp_path / "c")
                        raise Stopped
            run.result(x=1)
        return run

    with pytest.raises(Stopped):
        go(stop=15)
    run = go()
    assert ("one over run.epochs(n) does not" in capsys.readouterr().err) is not counts
    assert run.step == (24 if counts else 36)
    assert committed(run).snapshot.process["steps"] == run.step


def test_a_checkpoint_of_a_run_that_goes_on_is_refused_at_that_line(tmp_path):
    with Work().start(tmp_path / "s") as run:
        run.checkpoint(tmp_path / "c")
        with Work().start(tmp_path / "s") as other:
            with pytest.raises(seedbed.errors.Conflict, match="which still goes on"):
                other.restore(tmp_path / "c")
            other.result(x=1)
        run.result(x=1)
    assert other.run_id != run.run_id
