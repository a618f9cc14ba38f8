"""When a checkpoint is written, of which pass over the data it is, and what it knows of random numbers."""

import pytest
import torch
from loop_world import QUIET_RUNTIME, Work, committed
from torch.utils.data import DataLoader, TensorDataset

import seedbed
from seedbed.loop._checkpoint import read_checkpoint


class Stopped(Exception):
    pass


def written_after(path, run, work, *, at_head, steps=9, every=3, accumulated=1):
    """After how many steps a checkpoint of each call was written."""
    found = []
    batches = (batch for _ in range(99) for batch in work.loader)
    for _, (x, y) in run.steps(batches):
        if at_head and run.checkpoint(path, every=every):
            found.append(run.step)
        work.micro_step(x, y, is_last=run.iteration % accumulated == 0)
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
def test_a_resume_from_between_two_steps_is_unknown_and_said_so(tmp_path, capsys, between, known):
    def go(stop=None):
        work = Work()
        with work.start(tmp_path / "s", quiet=False) as run:
            run.restore(tmp_path / "c")
            for _, (x, y) in run.steps(work.loader):
                work.micro_step(x, y, is_last=run.iteration % 2 == 0)
                if run.iteration == stop:
                    run.checkpoint(tmp_path / "c")
                    raise Stopped
            run.result(x=1)
        return run

    with pytest.raises(Stopped):
        go(stop=5 if between else 6)
    run = go()
    assert ("written between two steps of the optimizer" in capsys.readouterr().err) is not known
    assert str(committed(run).snapshot.process["resume"]).startswith("known" if known else "unknown")
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


def test_each_path_has_its_own_pace_whatever_else_is_written(tmp_path):
    work = Work()
    written: dict[str, list[int]] = {"last": [], "keep": [], "best": []}
    with work.start(tmp_path / "s") as run:
        for step, (x, y) in run.steps(work.loader):
            work.step(x, y)
            if step in {3, 8}:
                run.checkpoint(tmp_path / "best", note=step)
                written["best"].append(step)
            if run.checkpoint(tmp_path / "last", every=2):
                written["last"].append(step)
            if run.checkpoint(tmp_path / f"keep-{step}", every=4):
                written["keep"].append(step)
        run.result(x=1)
    assert written == {"last": [2, 4, 6, 8, 10, 12], "keep": [4, 8, 12], "best": [3, 8]}


def test_a_multiple_that_is_passed_within_an_iteration_is_written(tmp_path):
    work, written = Work(), []
    with work.start(tmp_path / "s") as run:
        for x, y in [(work.x[:8], work.y[:8])] * 9:
            with run.one_step():
                for _ in range(1 if run.iteration == 1 else 2):
                    work.step(x, y)
                if run.checkpoint(tmp_path / "c", every=5):
                    written.append(run.step)
        run.result(x=1)
    assert written == [5, 11, 15]


@pytest.mark.parametrize("reason", ["except", "finally"])
def test_a_checkpoint_while_an_error_ends_the_loop_goes_on_within_the_pass(tmp_path, reason):
    def go(stop=None):
        work, seen = Work(), []
        with work.start(tmp_path / "s") as run:
            run.restore(tmp_path / "c")
            for _ in run.epochs(2):
                try:
                    for step, (x, y) in run.steps(work.loader):
                        work.step(x, y)
                        seen.append(x)
                        if step == stop:
                            raise Stopped
                except Stopped:
                    if reason == "except":
                        run.checkpoint(tmp_path / "c")
                    raise
                finally:
                    if reason == "finally" and stop is not None and run.step == stop:
                        run.checkpoint(tmp_path / "c")
            run.result(x=1)
        return seen, work.weights()

    whole, weights = go()
    with pytest.raises(Stopped):
        go(stop=5)
    rest, after = go()
    assert len(rest) == 19
    assert torch.equal(torch.cat(rest), torch.cat(whole[5:]))
    assert torch.equal(after, weights)


def test_an_epoch_counts_once_with_two_passes_and_with_an_iterator_that_was_given_up(tmp_path):
    work = Work()
    with work.start(tmp_path / "s") as run:
        epochs = []
        for epoch in run.epochs(3):
            epochs.append(epoch)
            for _ in range(2):
                for _, (x, y) in run.steps(work.loader):
                    work.step(x, y)
        assert (epochs, run.epoch) == ([0, 1, 2], 3)
        run.result(x=1)
    work = Work()
    with work.start(tmp_path / "s") as run:
        seen = []
        for epoch in run.epochs(3):
            seen.append((epoch, run.epoch))
            batches = iter(run.steps(work.loader))  # the one before is closed after this one has begun
            for _ in range(3):
                _, (x, y) = next(batches)
                work.step(x, y)
        assert (seen, run.epoch, run.step) == ([(0, 0), (1, 1), (2, 2)], 3, 9)
        run.result(x=1)


def test_gradients_over_the_end_of_a_pass_are_said_to_be_lost(tmp_path, capsys):
    def go(stop=None):
        work = Work()
        loader = [(work.x[at : at + 8], work.y[at : at + 8]) for at in range(0, 56, 8)]
        with work.start(tmp_path / "s", quiet=False) as run:
            run.restore(tmp_path / "c")
            for epoch in run.epochs(2):
                for _, (x, y) in run.steps(loader):
                    work.micro_step(x, y, is_last=run.iteration % 2 == 0)
                run.checkpoint(tmp_path / "c")
                if epoch == stop:
                    raise Stopped
            run.result(x=1)
        return run

    with pytest.raises(Stopped):
        go(stop=0)
    run = go()
    assert "the gradients of its last iterations are lost" in capsys.readouterr().err
    assert "are lost" in str(committed(run).snapshot.process["resume"])


def test_a_restore_that_is_refused_changes_nothing_and_one_that_is_repeated_counts_its_time_once(tmp_path):
    work = Work()
    run = work.start(tmp_path / "s")
    for _, (x, y) in run.steps(work.loader):
        work.step(x, y)
    run.checkpoint(tmp_path / "c")
    run.abandon("it goes on later")
    other = Work(1)
    other.optimizer = torch.optim.SGD([{"params": [each]} for each in other.model.parameters()], lr=0.1)
    other.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(other.optimizer, T_max=48)
    before = other.weights()
    with other.start(tmp_path / "s") as run:
        with pytest.raises(seedbed.errors.Conflict, match="its optimizer does not fit"):
            run.restore(tmp_path / "c")
        assert torch.equal(other.weights(), before)
        run.abandon("it does not fit")
    work = Work()
    run = work.start(tmp_path / "s")
    elapsed = []
    for _ in range(3):
        assert run.restore(tmp_path / "c")
        elapsed.append(run.evidence().wall_time)
    assert elapsed[2] - elapsed[0] < elapsed[0] + 1
    run.abandon("enough")


def test_weights_of_half_a_step_are_named_where_an_error_wrote_the_checkpoint(tmp_path):
    class Torn(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for place, weight in enumerate(group["params"]):
                    if place and run.step == 3:
                        raise Stopped
                    weight.add_(weight.grad, alpha=-group["lr"])

    def write(work, *, is_torn):
        work.optimizer = (Torn if is_torn else torch.optim.SGD)(work.model.parameters(), lr=0.1)
        work.scheduler = torch.optim.lr_scheduler.ExponentialLR(work.optimizer, 0.9)
        with work.start(tmp_path / f"s{is_torn}") as run:
            yield run
            try:
                for _, (x, y) in run.steps(work.loader):
                    work.micro_step(x, y, is_last=is_torn or run.iteration % 2 == 0)
                    if not is_torn and run.iteration == 7:
                        break
            except Stopped:
                run.checkpoint(tmp_path / "c")
            else:
                run.checkpoint(tmp_path / "c")
            run.abandon("seen")

    for is_torn in (True, False):
        going = write(Work(), is_torn=is_torn)
        run = next(going)
        list(going)
        found = read_checkpoint(tmp_path / "c")
        assert found is not None
        assert found["run"]["steps"]["step"] == 3
        assert ("some of the weights have made that step" in found["run"]["unknown"]) is is_torn


def test_what_a_resume_will_lack_is_told_where_the_file_is_written_and_once(tmp_path, capsys):
    work = Work()
    loader = [(work.x[at : at + 8], work.y[at : at + 8]) for at in range(0, 56, 8)]
    with work.start(tmp_path / "s", quiet=False) as run:
        for epoch in run.epochs(4):
            for _, (x, y) in run.steps(loader):
                work.micro_step(x, y, is_last=run.iteration % 2 == 0)
            told = capsys.readouterr().err
            run.checkpoint(tmp_path / "c")
            told = capsys.readouterr().err
            assert ("the gradients of its last iterations are lost" in told) is (epoch == 0)
        run.abandon("seen")


def test_what_draws_from_a_generator_of_its_own_is_unknown_between_passes_too(tmp_path):
    class Noisy(TensorDataset):
        def __init__(self, *tensors):
            super().__init__(*tensors)
            self.noise = torch.Generator().manual_seed(1)

    work = Work()
    work.loader = DataLoader(Noisy(work.x, work.y), batch_size=8)
    run = work.start(tmp_path / "s")
    for _, (x, y) in run.steps(work.loader):
        work.step(x, y)
    run.checkpoint(tmp_path / "c")
    run.abandon("it goes on later")
    with work.start(tmp_path / "s") as run:
        run.restore(tmp_path / "c")
        run.result(x=1)
    assert "Noisy may draw from a generator of its own" in str(committed(run).snapshot.process["data_order"])
