"""The data after a resume: that of a loop that was never stopped, bit by bit, or unknown, and said so."""

import random

import pytest
import torch
from loop_world import Work, committed
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from seedbed.records import diff as diff_of
from seedbed.records import why

ROWS, SIZE, PASS = 24, 4, 6


class Stopped(Exception):
    pass


class Drawn(IterableDataset):
    """Rows that are drawn from the generator of the process."""

    def __iter__(self):
        for _ in range(ROWS):
            yield torch.randn(4)


class OwnDraws:
    """A loader that draws from a generator of its own."""

    def __init__(self):
        self._random = random.Random(5)

    def __iter__(self):
        for _ in range(PASS):
            yield torch.full((SIZE, 4), self._random.random())


class Stateful:
    """A loader with a generator of its own that keeps its state, as a StatefulDataLoader does."""

    def __init__(self):
        self._generator, self._at, self._order = torch.Generator().manual_seed(3), 0, None

    def __iter__(self):
        if self._order is None:
            self._order = torch.randperm(PASS, generator=self._generator)
        while self._at < PASS:
            self._at += 1
            yield torch.full((SIZE, 4), float(self._order[self._at - 1]))
        self._at, self._order = 0, None

    def state_dict(self):
        return {"at": self._at, "order": self._order, "generator": self._generator.get_state()}

    def load_state_dict(self, state):
        self._at, self._order = state["at"], state["order"]
        self._generator.set_state(state["generator"])


def rows():
    return torch.arange(float(ROWS * 4)).reshape(ROWS, 4) / 100


def generator():
    return torch.Generator().manual_seed(8)


def of_sampler(sampler, **more):
    return DataLoader(rows(), sampler=sampler, batch_size=SIZE, **more)


KNOWN = {
    "shuffled": lambda: DataLoader(rows(), SIZE, shuffle=True),
    "a generator of its own": lambda: DataLoader(rows(), SIZE, shuffle=True, generator=generator()),
    "a sampler with a generator": lambda: of_sampler(RandomSampler(range(ROWS), generator=generator())),
    "with replacement": lambda: of_sampler(RandomSampler(range(ROWS), replacement=True, num_samples=ROWS)),
    "weighted": lambda: of_sampler(WeightedRandomSampler([1.0 + row for row in range(ROWS)], ROWS)),
    "a subset": lambda: of_sampler(SubsetRandomSampler(range(ROWS), generator=generator())),
    "in order": lambda: of_sampler(SequentialSampler(range(ROWS))),
    "a batch sampler": lambda: DataLoader(rows(), batch_sampler=BatchSampler(RandomSampler(range(ROWS)), SIZE, False)),
    "tuples": lambda: DataLoader(TensorDataset(rows(), rows()), SIZE, shuffle=True),
    "a list": lambda: [rows()[at : at + SIZE] for at in range(0, ROWS, SIZE)],
    "a state": Stateful,
}
WORKERS = {
    "workers": lambda: DataLoader(rows(), SIZE, shuffle=True, num_workers=2),
    "workers that stay": lambda: DataLoader(rows(), SIZE, shuffle=True, num_workers=2, persistent_workers=True),
    "workers that stay, a generator": lambda: DataLoader(
        rows(), SIZE, shuffle=True, num_workers=2, persistent_workers=True, generator=generator()
    ),
}


def train(folder, make, *, stop=None, between=False, act=lambda run, step: None, quiet=True):
    """Three passes; what the loop got, by step, and its weights. Stops with a checkpoint at `stop`."""
    work, seen = Work(), {}
    with work.start(folder / "s", quiet=quiet) as run:
        if stop is None:
            run.restore(folder / "c.pt")
        loader = make()
        for _ in run.epochs(3):
            for step, batch in run.steps(loader):
                x = batch[0] if isinstance(batch, list) else batch
                seen[step] = (x.clone(), torch.rand(()))
                work.step(x, (x.sum(1) > 2).long())
                act(run, step)
                if step == stop and not between:
                    run.checkpoint(folder / "c.pt")
                    raise Stopped
            if run.step == stop:
                run.checkpoint(folder / "c.pt")
                raise Stopped
        run.result(x=1)
    return seen, work.weights(), run


def resumed(tmp_path, make, **how):
    """The same loop whole, and stopped and resumed."""
    (tmp_path / "whole").mkdir()
    whole = train(tmp_path / "whole", make, act=how.get("act", lambda run, step: None))
    with pytest.raises(Stopped):
        train(tmp_path, make, **how)
    torch.manual_seed(99)
    random.seed(99)
    after = train(tmp_path, make, quiet=False, act=how.get("act", lambda run, step: None))
    return whole, after


def are_alike(whole, after):
    return torch.equal(whole[1], after[1]) and all(
        torch.equal(whole[0][step][place], after[0][step][place]) for step in after[0] for place in (0, 1)
    )


def check_known(tmp_path, make, stop, between):
    whole, after = resumed(tmp_path, make, stop=stop, between=between)
    assert sorted(after[0]) == list(range(stop + 1, 3 * PASS + 1))
    assert are_alike(whole, after)
    assert committed(after[2]).snapshot.process["data_order"] == "known"


@pytest.mark.parametrize(("stop", "between"), [(PASS, True), (9, False)])
@pytest.mark.parametrize("name", KNOWN)
def test_a_resumed_loop_gets_the_data_of_one_that_was_never_stopped(tmp_path, name, stop, between):
    check_known(tmp_path, KNOWN[name], stop, between)


@pytest.mark.slow
@pytest.mark.usefixtures("_ends_workers")
@pytest.mark.parametrize(
    ("name", "stop", "between"),
    [
        ("workers", 9, False),
        ("workers that stay", PASS, True),
        ("workers that stay", 9, False),
        ("workers that stay, a generator", 9, False),
    ],
)
def test_with_workers_too(tmp_path, name, stop, between):
    check_known(tmp_path, WORKERS[name], stop, between)


@pytest.mark.parametrize(
    ("make", "stop", "between", "why"),
    [
        (OwnDraws, 9, False, "is another one when it is drawn again"),
        (lambda: DataLoader(Drawn(), SIZE), 9, False, "is another one when it is drawn again"),  # dropout draws too
        (OwnDraws, PASS, True, "a OwnDraws may draw from a generator of its own"),
        (lambda: DataLoader(Drawn(), SIZE), PASS, True, "a Drawn may draw from a generator of its own"),
        (lambda: iter([rows()[:SIZE]] * 30), 3, False, "is an iterator, which no resume can begin again"),
    ],
)
def test_data_that_no_resume_can_know_is_unknown_and_said_so(tmp_path, capsys, make, stop, between, why):
    _, after = resumed(tmp_path, make, stop=stop, between=between)
    assert why in str(committed(after[2]).snapshot.process["data_order"])
    assert f"the order of data is unknown: {after[2]._steps.position.unknown}" in " ".join(
        capsys.readouterr().err.split()
    )


def test_after_a_batch_size_that_changed_within_the_pass_the_order_is_unknown(tmp_path):
    def act(run, step):
        if step == 8:
            run.propose("batch_size", set=2, why="less noise")

    _, after = resumed(tmp_path, KNOWN["shuffled"], stop=10, act=act)
    assert "the batch size was changed within the pass" in str(committed(after[2]).snapshot.process["data_order"])


def test_after_a_batch_size_that_changed_in_an_earlier_pass_the_order_is_known(tmp_path):
    def act(run, step):
        if step == PASS and run.epoch == 0:
            run.propose("batch_size", set=6, why="less noise")

    whole, after = resumed(tmp_path, KNOWN["shuffled"], stop=9, act=act)
    assert are_alike(whole, after)
    assert committed(after[2]).snapshot.process["data_order"] == "known"


def test_of_a_loop_that_takes_its_batches_from_elsewhere_the_order_is_unknown_after_a_resume_alone(tmp_path):
    def go(stop):
        work = Work()
        with work.start(tmp_path / "s") as run:
            run.restore(tmp_path / "c.pt")
            while run.step < 6:
                with run.one_step() as step:
                    work.step(work.x, work.y)
                if step == stop:
                    run.checkpoint(tmp_path / "c.pt")
                    raise Stopped
            run.result(x=step)
        return committed(run)

    whole = go(None)
    with pytest.raises(Stopped):
        go(3)
    after = go(None)
    assert whole.snapshot.process["data_order"] == "known"
    assert "from elsewhere than run.steps" in str(after.snapshot.process["data_order"])
    found = why(whole.snapshot, after.snapshot, diff_of(whole, after.snapshot), [])
    assert any(cause.name == "/data/order" for cause in found.causes)


def test_a_resume_of_a_resume_keeps_saying_that_the_order_is_unknown(tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path, OwnDraws, stop=9)
    work = Work()
    with work.start(tmp_path / "s") as run:
        run.restore(tmp_path / "c.pt")
        for _, x in run.steps(OwnDraws()):
            work.step(x, (x.sum(1) > 2).long())
            run.checkpoint(tmp_path / "c.pt")
            break
        run.abandon("stopped")
    _, _, last = train(tmp_path, OwnDraws)
    assert "drawn again" in str(committed(last).snapshot.process["data_order"])
