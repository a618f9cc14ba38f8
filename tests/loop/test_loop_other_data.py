"""After a resume, data that are known are those of a loop that was never stopped; what may differ is unknown."""

import random
from collections import namedtuple
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from loop_world import QUIET_RUNTIME, committed
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, default_collate

import seedbed

ROWS, SIZE, PASS = 48, 4, 12
KNOWN = "known"


class Stopped(Exception):
    pass


def rows() -> Any:
    return torch.arange(float(ROWS * 4)).reshape(ROWS, 4) / 100


class Noise:
    """A transform, or a collate_fn, with a generator of its own."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __call__(self, found):
        batch = default_collate(found) if isinstance(found, list) else found
        return batch + float(self.rng.normal())


class Points(Dataset):
    """Rows by number, each through `transform`."""

    def __init__(self, transform=lambda row: row):
        self.rows, self.transform = rows(), transform

    def __len__(self):
        return ROWS

    def __getitem__(self, at):
        return self.transform(self.rows[at])


class Loader:
    """A loader of one's own, with a generator of its own that is kept in its state only if it has one."""

    def __init__(self):
        self._random, self._order, self._at = random.Random(5), [], 0

    def __iter__(self):
        if not self._order:
            self._order = self._random.sample(range(PASS), PASS)
        while self._at < PASS:
            self._at += 1
            yield torch.full((SIZE, 4), float(self._order[self._at - 1]))
        self._order, self._at = [], 0


class Stateful(Loader):
    """Its orders come from torch's generator, and it keeps its place."""

    def __iter__(self):
        if not self._order:
            self._order = torch.randperm(PASS).tolist()
        return super().__iter__()

    def state_dict(self):
        return {"order": [*self._order], "at": self._at}

    def load_state_dict(self, state):
        self._order, self._at = state["order"], state["at"]


def global_noise(row):
    return row + torch.randn(())


def noisy_batch(found):
    return default_collate(found) + torch.randn(())


def batches():
    return list(rows().split(SIZE))


def listed() -> Any:
    return list(rows())


def shuffled_in_place(loader):
    random.shuffle(loader)


def in_place(loader):
    loader[:] = [each + 1 for each in loader]


SAME = {
    "rows by number": lambda: DataLoader(Points(), SIZE, shuffle=True),
    "global noise": lambda: DataLoader(Points(global_noise), SIZE, shuffle=True),
    "a part": lambda: DataLoader(Subset(TensorDataset(rows()), range(ROWS)), SIZE, shuffle=True),
    "single rows": lambda: DataLoader(Points(), batch_size=None, shuffle=True),
    "a list": batches,
    "a tuple": lambda: rows().split(SIZE),
    "a state": Stateful,
}
OTHER = {
    "a collate_fn": lambda: DataLoader(rows(), SIZE, shuffle=True, collate_fn=Noise()),
    "a transform": lambda: DataLoader(Points(Noise()), SIZE, shuffle=True),
    "a loader": Loader,
}


def go(folder, make, stop=None, before=lambda loader: None, passes=3):
    """Two iterations make a step; each batch by its iteration. Stops with a checkpoint after iteration `stop`."""
    torch.manual_seed(0)
    random.seed(0)
    model, seen = nn.Linear(4, 1), {}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with seedbed.start(model, optimizer, project="p", store=folder / "s", runtime=QUIET_RUNTIME, quiet=True) as run:
        run.restore(folder / "c")
        loader = make()
        for _ in run.epochs(passes):
            before(loader)
            for _, batch in run.steps(loader):
                x = batch[0] if isinstance(batch, list) else batch
                seen[run.iteration] = x.clone()
                model(x).square().mean().backward()
                if run.iteration % 2 == 0:
                    optimizer.step()
                    optimizer.zero_grad()
                if run.iteration == stop and stop % PASS:
                    run.checkpoint(folder / "c")
                    raise Stopped
            if run.iteration == stop:
                run.checkpoint(folder / "c")
                raise Stopped
        run.result(x=1)
    return seen, str(committed(run).snapshot.process["data_order"])


def resumed(tmp_path, make, *stops, **more):
    """Whether a loop that was stopped there, each time, gets the batches of a whole one; and what is known of them."""
    (tmp_path / "whole").mkdir()
    whole, _ = go(tmp_path / "whole", make, **more)
    for stop in stops:
        with pytest.raises(Stopped):
            go(tmp_path, make, stop, **more)
    seen, told = go(tmp_path, make, **more)
    assert min(seen) == stops[-1] // 2 * 2 + 1
    assert max(seen) == max(whole)
    return all(torch.equal(whole[at], seen[at]) for at in seen), told


@pytest.mark.parametrize("stop", [8, PASS, PASS + 1, PASS + 2, PASS + 3])
@pytest.mark.parametrize("name", OTHER)
def test_what_draws_from_a_generator_of_its_own_is_known_only_within_the_first_pass(tmp_path, name, stop):
    is_same, told = resumed(tmp_path, OTHER[name], stop)
    assert is_same == (stop < PASS)
    assert told == KNOWN if is_same else told.startswith("unknown: ")


@pytest.mark.parametrize("stop", [9, PASS, PASS + 1, PASS + 7])
@pytest.mark.parametrize("name", ["rows by number", "a part", "a list", "a tuple"])
def test_what_draws_from_the_generators_of_the_process_is_known(tmp_path, name, stop):
    assert resumed(tmp_path, SAME[name], stop) == (True, KNOWN)


@pytest.mark.parametrize("stop", [9, PASS, PASS + 7])
def test_a_loader_with_a_state_is_known(tmp_path, stop):
    assert resumed(tmp_path, SAME["a state"], stop) == (True, KNOWN)


@pytest.mark.parametrize("stop", [8, PASS, PASS + 6])
def test_noise_from_the_generator_of_the_process_is_known_after_a_step(tmp_path, stop):
    assert resumed(tmp_path, SAME["global noise"], stop) == (True, KNOWN)


@pytest.mark.parametrize("stop", [8, 48, 50])
def test_rows_that_come_one_by_one_are_known(tmp_path, stop):
    assert resumed(tmp_path, SAME["single rows"], stop) == (True, KNOWN)


@pytest.mark.parametrize("name", [name for name in SAME if name != "global noise"])
def test_a_second_resume_within_a_step_is_known_too(tmp_path, name):
    assert resumed(tmp_path, SAME[name], PASS + 6, PASS + 9) == (True, KNOWN)


@pytest.mark.parametrize(
    ("alter", "stop"),
    [
        (shuffled_in_place, PASS),
        (shuffled_in_place, PASS + 1),
        (shuffled_in_place, PASS + 4),
        (in_place, PASS + 1),
        (in_place, 2 * PASS),
    ],
)
@pytest.mark.parametrize("make", [batches, lambda: DataLoader(listed(), SIZE)])
def test_a_list_that_the_loop_alters_between_passes_is_unknown(tmp_path, make, alter, stop):
    def before(loader):
        alter(getattr(loader, "dataset", loader))

    is_same, told = resumed(tmp_path, make, stop, before=before)
    assert not is_same
    assert told.startswith("unknown: ")


def test_batches_of_other_classes_are_compared_by_their_attributes(tmp_path):
    class Held:
        def __init__(self, x):
            self.x = x

    pair = namedtuple("pair", "x")
    for kind in (Held, pair):
        (tmp_path / kind.__name__).mkdir()
        told = compared(tmp_path / kind.__name__, partial(Wrapping, kind), lambda held: held.x)
        assert told == [KNOWN, "unknown: the last batch before the resume is another one when it is drawn again"]


def test_batches_that_hold_nothing_to_compare_are_unknown(tmp_path):
    class Bare:
        __slots__ = ("x",)

        def __init__(self, x):
            self.x = x

    told = compared(tmp_path, partial(Wrapping, Bare), lambda held: held.x)
    assert set(told) == {"unknown: its batches hold nothing that could be compared"}


class Wrapping:
    """A loader whose batches are of another class, in the order that `seed` gives."""

    def __init__(self, wrap, seed):
        self._wrap, self._random = wrap, random.Random(seed)

    def __iter__(self):
        order = self._random.sample(range(PASS), PASS)
        return iter([self._wrap(torch.full((SIZE, 4), float(at))) for at in order])


def compared(folder, make, unwrap):
    """What is known of the data after a stop within the first pass, where the loader is the same, and where not."""
    told = []
    for seed in (1, 2):
        path = folder / str(seed)
        for stop, used in ((3, 1), (None, seed)):
            model = nn.Linear(4, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            with seedbed.start(model, optimizer, project="p", store=path, runtime=QUIET_RUNTIME, quiet=True) as run:
                run.restore(path / "c")
                for step, batch in run.steps(make(used)):
                    model(unwrap(batch)).mean().backward()
                    optimizer.step()
                    if step == stop:
                        run.checkpoint(path / "c")
                        run.abandon("stopped")
                        break
                if stop is None:
                    run.result(x=1)
        told.append(str(committed(run).snapshot.process["data_order"]))
    return told


def drawn_beside(folder, *, stop):
    """What a loop draws for itself from the generator of its loader, by step; it stops with a checkpoint."""
    torch.manual_seed(0)
    model, drawn = nn.Linear(4, 1), {}
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    shared = torch.Generator().manual_seed(5)
    loader = DataLoader(TensorDataset(rows()), SIZE, shuffle=True, generator=shared)
    with seedbed.start(model, optimizer, project="p", store=folder / "s", runtime=QUIET_RUNTIME, quiet=True) as run:
        run.restore(folder / "c")
        for _ in run.epochs(2):
            for step, (x,) in run.steps(loader):
                noise = torch.rand(1, generator=shared)
                drawn[step] = float(x.sum() + noise)
                optimizer.zero_grad()
                model(x).square().mean().backward()
                optimizer.step()
                if step == stop:
                    run.checkpoint(folder / "c")
                    raise Stopped
        run.result(x=1)
    return drawn, str(committed(run).snapshot.process["data_order"])


@pytest.mark.parametrize("stop", [1, 5, PASS, PASS + 1])
def test_a_generator_that_the_loop_shares_with_its_loader_goes_on_where_both_left_it(tmp_path, stop):
    whole, _ = drawn_beside(tmp_path / "whole", stop=None)
    with pytest.raises(Stopped):
        drawn_beside(tmp_path, stop=stop)
    rest, told = drawn_beside(tmp_path, stop=None)
    assert rest == {step: whole[step] for step in range(stop + 1, 2 * PASS + 1)}
    assert told == KNOWN


def test_of_two_loaders_with_generators_of_their_own_the_order_is_unknown(tmp_path):
    def go_over_two(folder, *, stop):
        model, seen = nn.Linear(4, 1), []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loaders = [DataLoader(rows(), SIZE, shuffle=True, generator=torch.Generator().manual_seed(at)) for at in (1, 2)]
        with seedbed.start(model, optimizer, project="p", store=folder / "s", runtime=QUIET_RUNTIME, quiet=True) as run:
            run.restore(folder / "c")
            for _ in run.epochs(2):
                for loader in loaders:
                    for _, x in run.steps(loader):
                        model(x).mean().backward()
                        optimizer.step()
                        seen.append(x)
                if stop:
                    run.checkpoint(folder / "c")
                    raise Stopped
            run.result(x=1)
        return seen, str(committed(run).snapshot.process["data_order"])

    (tmp_path / "whole").mkdir()
    whole, told = go_over_two(tmp_path / "whole", stop=False)
    assert told == KNOWN
    with pytest.raises(Stopped):
        go_over_two(tmp_path, stop=True)
    seen, told = go_over_two(tmp_path, stop=False)
    assert len(seen) == 2 * PASS
    assert not torch.equal(torch.stack(seen), torch.stack(whole[2 * PASS :]))
    assert told.startswith("unknown: the loop goes over several loaders")


@pytest.mark.slow
@pytest.mark.usefixtures("_ends_workers")
@pytest.mark.parametrize(
    ("make", "is_known"),
    [
        (lambda: DataLoader(rows(), SIZE, shuffle=True, num_workers=1, persistent_workers=True), True),
        (lambda: DataLoader(Points(), SIZE, shuffle=True, num_workers=1, persistent_workers=True), True),
        (lambda: DataLoader(Points(Noise()), SIZE, shuffle=True, num_workers=1), True),
        (lambda: DataLoader(Points(global_noise), SIZE, num_workers=1, persistent_workers=True), False),
        (lambda: DataLoader(Points(Noise()), SIZE, num_workers=1, persistent_workers=True), False),
        (lambda: DataLoader(rows(), SIZE, num_workers=1, persistent_workers=True, collate_fn=noisy_batch), False),
    ],
)
@pytest.mark.parametrize("stop", [PASS, PASS + 4])
def test_workers_that_stay_keep_what_they_draw_from(tmp_path, make, is_known, stop):
    is_same, told = resumed(tmp_path, make, stop)
    assert is_same == is_known
    assert told == KNOWN if is_known else told.startswith("unknown: ")
