"""A change of the batch size says how long a pass is now, and which schedule ends where it did."""

from typing import Any

import pytest
import torch
from loop_world import Work
from torch.optim import lr_scheduler as s
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from seedbed.change._summary import summary
from seedbed.loop.settings._pass_length import PassLength, schedule_ends

ERROR, RISES, STAYS, MADE = (
    "after which it raises an error",
    "after which the rate rises again",
    "after which it stays",
    "for which it was made",
)


def adam() -> torch.optim.Adam:
    return torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.1)


def of_transformers(optimizer: Any) -> Any:
    return pytest.importorskip("transformers").get_linear_schedule_with_warmup(optimizer, 2, 9)


def warm_then_cosine(optimizer: Any) -> Any:
    return s.SequentialLR(optimizer, [s.LinearLR(optimizer, total_iters=3), s.CosineAnnealingLR(optimizer, 5)], [3])


def chained(optimizer: Any) -> Any:
    return s.ChainedScheduler([s.ConstantLR(optimizer, total_iters=4), s.ExponentialLR(optimizer, 0.9)], optimizer)


@pytest.mark.parametrize(
    ("make", "num_steps", "then"),
    [
        (lambda o: s.OneCycleLR(o, 0.1, total_steps=8), 8, ERROR),
        (lambda o: s.OneCycleLR(o, 0.1, epochs=2, steps_per_epoch=5), 10, ERROR),
        (lambda o: s.CosineAnnealingLR(o, 6), 6, RISES),
        (lambda o: s.LinearLR(o, total_iters=6), 6, STAYS),
        (lambda o: s.PolynomialLR(o, total_iters=6), 6, STAYS),
        (warm_then_cosine, 8, RISES),
        (of_transformers, 9, MADE),
    ],
)
def test_the_end_that_is_told_of_a_schedule_is_where_it_ends(make, num_steps, then):
    optimizer = adam()
    schedule = make(optimizer)
    for done in range(num_steps):
        assert [(end.step, end.num_steps, end.then) for end in schedule_ends(schedule)] == [(done, num_steps, then)]
        optimizer.step()
        schedule.step()
    rates = [schedule.get_last_lr()[0]]
    if then is ERROR:
        with pytest.raises(ValueError, match=f"The specified number of total steps is {num_steps}"):
            schedule.step()
        return
    for _ in range(2):
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    if then is RISES:
        assert rates[0] < rates[1] < rates[2]
    elif then is MADE:
        assert rates[0] == 0.0
    else:
        assert rates == [rates[0]] * 3


def test_of_several_schedules_together_each_end_is_told_and_one_without_an_end_has_none():
    assert [(end.name, end.num_steps) for end in schedule_ends(chained(adam()))] == [("ConstantLR", 4)]
    for endless in (
        s.StepLR(adam(), 3),
        s.CyclicLR(adam(), 0.01, 0.1, cycle_momentum=False),
        s.LambdaLR(adam(), float),
    ):
        assert list(schedule_ends(endless)) == []


def test_a_loader_without_a_length_has_nothing_to_tell():
    class Stream(IterableDataset[int]):
        def __iter__(self):
            yield from range(4)

    stream: DataLoader[Any] = DataLoader(Stream(), batch_size=2)
    assert PassLength(stream, [s.OneCycleLR(adam(), 0.1, total_steps=8)]).told(None) == ""


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        (
            lambda o: s.OneCycleLR(o, 0.1, total_steps=48),
            "; OneCycleLR is at step 5 of 48, after which it raises an error",
        ),
        (lambda o: s.StepLR(o, 10), "; the schedule counts its steps as before"),
        (None, ""),
    ],
)
def test_the_story_of_a_smaller_batch_says_how_many_a_pass_has_now_and_where_the_schedule_ends(
    tmp_path, schedule, told
):
    work = Work()
    work.scheduler = schedule and schedule(work.optimizer)
    steps = work.step if schedule else lambda x, y: torch.zeros(1)
    num = []
    with work.start(tmp_path) as run:
        for _ in run.epochs(2):
            for step, (x, y) in run.steps(work.loader):
                steps(x, y) if schedule else (work.optimizer.step())
                if step == 5:
                    run.propose("batch_size", scale=0.5, why="smaller")
            num.append(run.step)
        run.result(x=1)
    assert num[1] - num[0] == 24, "a whole pass, of 96 points"
    story = summary(run.engine.history).changes[0].story
    assert f"applied: 4 read back, a whole pass has 24 batches, 12 before{told}" in story


def test_what_leaves_the_length_of_a_pass_alone_tells_none():
    work = Work()
    data = TensorDataset(work.x, work.y)
    length = PassLength(DataLoader(data, batch_size=8), [work.scheduler])
    assert (length.read(), length.told(12)) == (12, "")
