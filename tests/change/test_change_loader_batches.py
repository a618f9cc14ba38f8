"""The batch size of a plain DataLoader: read by its own sampler, seen in the rows that reach the loop."""

from collections.abc import Iterator

import pytest
import torch
from change_knob import Reports, turned
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, TensorDataset

from seedbed.change import BatchSize, LoaderBatches, Use, track_batches
from seedbed.errors import InvalidInput

ROWS = TensorDataset(torch.arange(24.0)[:, None])


class Loop:
    def __init__(self, *, drop_last: bool = False, workers: int = 0) -> None:
        self.model = nn.Linear(1, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)
        # Not a fork of this process, in which the threads of other tests may hold a lock.
        start = "forkserver" if workers else None
        self.loader = DataLoader(
            ROWS, batch_size=4, drop_last=drop_last, num_workers=workers, multiprocessing_context=start
        )
        self.batches = LoaderBatches(self.loader.batch_sampler)
        self.binding = BatchSize(self.batches, self.optimizer)

    def passes(self) -> Iterator[Tensor]:
        for _ in range(2):
            for (x,) in track_batches(self.loader, self.batches):
                self.optimizer.zero_grad()
                self.model(x).square().mean().backward()
                self.optimizer.step()
                yield x


def trained(loop: Loop, size: int, after: int) -> tuple[Reports, list[int]]:
    """The reports, and the rows of each batch, of two passes with the size changed after so many batches."""
    seen, rows = Reports(loop.binding), []
    for number, x in enumerate(loop.passes(), start=1):
        rows.append(len(x))
        if number == after:
            seen = turned(loop.binding, size)
    return seen, rows


def test_the_next_batch_has_the_new_size_and_proves_it() -> None:
    loop = Loop()
    seen, rows = trained(loop, 8, after=2)
    assert rows == [4, 4, 8, 8, 8, 8, 8]
    assert [(each.steps_after, each.use) for each in seen] == [(1, Use.USED)]
    assert len(loop.loader) == 3


def test_with_drop_last_the_next_pass_has_it() -> None:
    seen, rows = trained(Loop(drop_last=True), 8, after=2)
    assert rows == [4] * 6 + [8] * 3
    assert [(each.steps_after, each.use) for each in seen] == [(5, Use.USED)]


@pytest.mark.slow
def test_batches_that_workers_fetched_before_come_first_and_prove_nothing() -> None:
    seen, rows = trained(Loop(workers=1), 8, after=1)
    first = rows.index(8)
    assert first > 1
    assert [(each.steps_after, each.use) for each in seen] == [(first, Use.USED)]


def test_other_code_that_sets_the_size_back_is_caught() -> None:
    loop = Loop()
    seen = Reports(loop.binding)
    for step, _ in enumerate(loop.passes(), start=1):
        if step == 2:
            seen = turned(loop.binding, 8)
        if step == 3:
            assert isinstance(loop.loader.batch_sampler, BatchSampler)
            loop.loader.batch_sampler.batch_size = 4
    assert [each.use for each in seen] == [Use.USED, Use.LOST]


def test_another_batch_sampler_is_refused_by_its_name() -> None:
    class Mine(BatchSampler):
        pass

    with pytest.raises(InvalidInput, match=r"Mine cannot be changed: .* use seedbed.change.ResizableBatchSampler"):
        LoaderBatches(Mine(SequentialSampler(ROWS), 4, drop_last=False))
    LoaderBatches(BatchSampler(RandomSampler(ROWS), 4, drop_last=False))


@pytest.mark.parametrize("size", [0, 2.5, float("nan")])
def test_a_size_that_is_no_number_of_rows_is_refused(size: float) -> None:
    loop = Loop()
    with pytest.raises(InvalidInput, match="expected a whole number of 1 or more"):
        loop.binding.write(size)
    assert loop.batches.batch_size == 4
