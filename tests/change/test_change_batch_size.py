"""A batch size counts as changed when the loop got batches of it; a learning rate moves along or nothing moves."""

from math import sqrt

import pytest
import torch
from change_knob import turned
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from seedbed.change import (
    BatchSize,
    ChangeEngine,
    Delta,
    LearningRate,
    Parameter,
    RateRule,
    ResizableBatchSampler,
    Set,
    Use,
    UseReport,
    num_rows,
    summary,
    track_batches,
)
from seedbed.errors import InvalidInput
from seedbed.records import MemoryJournal
from seedbed.records.snapshot._course import course_of

DATA = TensorDataset(torch.arange(96.0))
SIZE = Parameter("size", unit="1", low=1, high=96)


def an_optimizer(lr: float = 0.1) -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def a_step(optimizer: SGD) -> None:
    optimizer.param_groups[0]["params"][0].grad = torch.ones(1)
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("workers", [0, 2])
def test_the_report_waits_for_the_first_step_on_a_batch_of_the_new_size(workers: int) -> None:
    batches = ResizableBatchSampler(range(96), 4)
    loader = DataLoader(DATA, batch_sampler=batches, num_workers=workers)
    optimizer = an_optimizer()
    seen: list[UseReport] = []
    sizes: list[float] = []
    binding = BatchSize(batches, optimizer)
    for number, (batch,) in enumerate(track_batches(loader, batches)):
        if number == 2:
            binding.write(8.0)
            binding.watch(seen.append)
            assert loader.batch_size is None
        sizes.append(len(batch))
        a_step(optimizer)
        assert bool(seen) is (8 in sizes), "not before a batch of the new size, and then at once"
    late = sizes.index(8) - 2  # batches of the old size that were handed over after the change
    assert seen == [UseReport(late + 1, 8.0, 8.0, Use.USED)]
    assert late >= 2 * workers, "workers had fetched ahead"


def test_every_row_is_handed_over_once_whatever_the_sizes() -> None:
    batches = ResizableBatchSampler(range(96), 7)
    rows: list[float] = []
    for number, (batch,) in enumerate(track_batches(DataLoader(DATA, batch_sampler=batches), batches)):
        rows += batch.tolist()
        batches.resize(1 + number % 5)
    assert rows == list(range(96))


@pytest.mark.slow
@given(st.integers(0, 50), st.integers(1, 60), st.booleans())
def test_the_length_is_the_number_of_batches(rows: int, size: int, drop_last: bool) -> None:
    batches = ResizableBatchSampler(range(rows), size, drop_last=drop_last)
    made = list(batches)
    assert len(batches) == len(made)
    assert [each for batch in made for each in batch] == list(range(rows - rows % size if drop_last else rows))


def test_a_sampler_without_length_has_no_number_of_batches() -> None:
    with pytest.raises(InvalidInput, match="has no length"):
        len(ResizableBatchSampler(iter(range(4)), 2))


def test_the_short_batch_that_ends_a_pass_proves_nothing() -> None:
    batches = ResizableBatchSampler(range(6), 5)
    loader = DataLoader(TensorDataset(torch.zeros(6)), batch_sampler=batches)
    optimizer = an_optimizer()
    binding = BatchSize(batches, optimizer)
    feed = track_batches(loader, batches)
    next(feed)
    seen = turned(binding, 4.0)
    next(feed)
    a_step(optimizer)
    assert seen == []
    next(track_batches(loader, batches))
    a_step(optimizer)
    assert seen == [UseReport(2, 4.0, 4.0, Use.USED)]


def test_a_window_of_mixed_sizes_proves_nothing() -> None:
    batches = ResizableBatchSampler(range(96), 4)
    optimizer = an_optimizer()
    feed = track_batches(DataLoader(DATA, batch_sampler=batches, num_workers=0), batches)
    seen = turned(BatchSize(batches, optimizer), 8.0)
    batches.delivered(4)  # fetched before
    next(feed)
    a_step(optimizer)
    assert seen == []
    next(feed)
    a_step(optimizer)
    assert seen == [UseReport(2, 8.0, 8.0, Use.USED)]


@pytest.mark.parametrize(("rule", "factor"), [(RateRule.LINEAR, 4.0), (RateRule.SQRT, 2.0)])
def test_the_rate_follows_by_the_rule_and_its_schedule_with_it(rule: RateRule, factor: float) -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + t))
    batches = ResizableBatchSampler(range(96), 4)
    binding = BatchSize(batches, optimizer, LearningRate(optimizer, scheduler), rule)
    before = binding.state()
    binding.write(16.0)
    assert (binding.read(), optimizer.param_groups[0]["lr"]) == (16.0, pytest.approx(0.1 * factor))
    a_step(optimizer)
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * factor / 2)
    binding.restore(before)
    assert binding.state() == before
    assert RateRule.SQRT.factor(2.0) == sqrt(2.0)


@pytest.mark.parametrize(("rule", "rate"), [(RateRule.LINEAR, 0.4), (RateRule.SQRT, 0.2), (RateRule.NONE, None)])
def test_the_rate_that_followed_stands_in_the_record_as_an_input(rule: RateRule, rate: float | None) -> None:
    batches, optimizer = ResizableBatchSampler(range(96), 4), an_optimizer()
    coupled = None if rate is None else LearningRate(optimizer)
    engine = ChangeEngine(MemoryJournal(), {"size": BatchSize(batches, optimizer, coupled, rule)}, [SIZE])
    for number, _ in enumerate(track_batches(DataLoader(DATA, batch_sampler=batches), batches)):
        if number == 1:
            engine.propose(Delta("size", Set(16), "larger", "me"), number)
        a_step(optimizer)
    engine.close()
    document = summary(engine.history).model_dump(mode="json")
    course = course_of({"changes": document}, {}, 0)["changes"]
    assert course == {"size": [[3, 16]]} | ({} if rate is None else {"size.rate": [[3, rate]]})
    assert optimizer.param_groups[0]["lr"] == (rate or 0.1)


def test_a_rate_that_cannot_follow_leaves_the_size_as_it_was() -> None:
    optimizer = an_optimizer(lr=0.0)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1.0)
    batches = ResizableBatchSampler(range(96), 4)
    binding = BatchSize(batches, optimizer, LearningRate(optimizer, scheduler), RateRule.LINEAR)
    before = binding.state()
    with pytest.raises(InvalidInput, match="learning rate of 0"):
        binding.write(8.0)
    assert binding.state() == before


def test_a_state_that_holds_no_size_restores_neither() -> None:
    optimizer = an_optimizer()
    binding = BatchSize(ResizableBatchSampler(range(96), 4), optimizer, LearningRate(optimizer), RateRule.LINEAR)
    before = binding.state()
    for wrong in ({"batch_size": 0.5, "rate.groups.0.lr": 9.0}, {"batch_size": 8.0, "rate.groups.7.lr": 9.0}):
        with pytest.raises(InvalidInput):
            binding.restore(wrong)
        assert binding.state() == before


@pytest.mark.slow
def test_a_rate_that_is_taken_back_is_a_loss_of_the_change() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1.0)  # and nobody declares it
    batches = ResizableBatchSampler(range(96), 4)
    binding = BatchSize(batches, optimizer, LearningRate(optimizer), RateRule.LINEAR)
    feed = track_batches(DataLoader(DATA, batch_sampler=batches), batches)
    seen = turned(binding, 8.0)
    for _ in range(3):
        next(feed)
        a_step(optimizer)
        scheduler.step()
    assert seen[0] == UseReport(1, 8.0, 8.0, Use.USED)
    assert len(seen) == 2
    assert "the learning rate that goes with it was lost: expected 0.2, found 0.1" in seen[1].why
    assert "LambdaLR, which is not declared" in seen[1].why
    binding.watch(None)
    assert not optimizer._optimizer_step_pre_hooks


def test_the_rates_own_watch_takes_no_offence_at_the_rule() -> None:
    optimizer = an_optimizer()
    rate = LearningRate(optimizer)
    seen = turned(rate, 0.2)
    a_step(optimizer)
    batches = ResizableBatchSampler(range(96), 4)
    BatchSize(batches, optimizer, rate, RateRule.LINEAR).write(8.0)
    a_step(optimizer)
    assert (seen, rate.read()) == ([UseReport(1, 0.2, 0.2, Use.USED)], 0.4)


def test_a_rule_without_a_rate_and_a_rate_without_a_rule_are_refused() -> None:
    optimizer = an_optimizer()
    batches = ResizableBatchSampler(range(96), 4)
    with pytest.raises(InvalidInput, match="or neither"):
        BatchSize(batches, optimizer, rule=RateRule.SQRT)
    with pytest.raises(InvalidInput, match="or neither"):
        BatchSize(batches, optimizer, LearningRate(optimizer))


@pytest.mark.parametrize("size", [0.0, 2.5, -4.0])
def test_a_size_that_is_no_number_of_rows_is_refused(size: float) -> None:
    binding = BatchSize(ResizableBatchSampler(range(96), 4), an_optimizer())
    with pytest.raises(InvalidInput, match="whole number of 1 or more"):
        binding.write(size)
    assert binding.read() == 4.0


@pytest.mark.parametrize(
    "batch", [torch.zeros(3, 2), [torch.zeros(3), torch.zeros(5)], {"x": (torch.zeros(3, 1),), "y": 2}]
)
def test_the_rows_of_a_batch_are_the_first_size_of_its_first_tensor(batch: object) -> None:
    assert num_rows(batch) == 3


@pytest.mark.parametrize("batch", ["text", 3, [], torch.tensor(1.0)])
def test_a_batch_without_rows_is_refused_unless_the_loop_counts_them(batch: object) -> None:
    batches = ResizableBatchSampler(range(4), 2)
    with pytest.raises(InvalidInput, match="rows=your function"):
        list(track_batches([batch], batches))
    assert list(track_batches([batch], batches, rows=lambda _: 7)) == [batch]
    assert batches.used() == {7}
