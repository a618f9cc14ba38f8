"""Accelerate's own objects in a loop of one's own: prepared, wrapped, accumulated and saved by Accelerate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from training_world import (
    ACCUMULATED,
    CLIPPED_TO,
    NUM_EPOCHS,
    NUM_STEPS,
    RATE,
    ROWS,
    RUNTIME,
    cosine,
    epoch,
    logged,
    loss_of,
    outcomes,
    same_weights,
    small_net,
    status_of,
    twin,
)

import seedbed
from seedbed.contracts import RunStatus
from seedbed.errors import NotFound
from seedbed.integrations import AccelerateTracker
from seedbed.loop import Run

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _one_process() -> Iterator[None]:
    yield
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    accelerate.state.GradientState._reset_state()


def prepared(*trackers: Any) -> Any:
    """The accelerator, and the net, optimizer, loader and schedule that it prepared."""
    accelerator = accelerate.Accelerator(
        cpu=True, gradient_accumulation_steps=ACCUMULATED, log_with=list(trackers), step_scheduler_with_optimizer=True
    )
    net = small_net()
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2 * NUM_STEPS)
    loader: Any = torch.utils.data.DataLoader(torch.cat(epoch()), batch_size=ROWS)  # type: ignore[arg-type]
    accelerator.init_trackers("small")
    return accelerator, *accelerator.prepare(net, optimizer, loader, schedule)


def start(folder: Path, *objects: Any) -> Run:
    return seedbed.start(*objects, project="small", store=folder / "store", runtime=RUNTIME, quiet=True)


def train(run: Run, accelerator: Any, net: Any, optimizer: Any, loader: Any, schedule: Any) -> Iterator[int]:
    """A loop as Accelerate's documentation has it; yields the number of steps after each."""
    for _ in run.epochs(NUM_EPOCHS):
        for _, batch in run.steps(loader):
            with accelerator.accumulate(net):
                loss = loss_of(net, batch)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(net.parameters(), CLIPPED_TO)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            accelerator.log({"loss": loss, "note": "no number"}, step=run.iteration)
            if accelerator.sync_gradients:
                yield run.step


def halved_after(step: int) -> Any:
    return lambda each: cosine(each) / (1 if each <= step else 2)


def test_a_loop_of_accelerate_is_a_run_that_counts_optimizer_steps(tmp_path: Path) -> None:
    accelerator, net, optimizer, loader, schedule = prepared(AccelerateTracker())
    with start(tmp_path, net, optimizer, schedule) as run:
        for step in train(run, accelerator, net, optimizer, loader, schedule):
            if step == 3:
                run.propose("lr", scale=0.5, why="the loss is noisy")
        run.result(loss=0.5)
    assert (run.step, run.iteration) == (NUM_STEPS, NUM_STEPS * ACCUMULATED)
    assert outcomes(run) == ["EFFECTIVE"]
    expected, losses = twin(halved_after(3))
    assert same_weights(net, expected)
    assert logged(run, "loss") == pytest.approx(dict(enumerate(losses, 1)))


def train_until_it_breaks(run: Run, accelerator: Any, *objects: Any, folder: Path) -> None:
    """Halve the rate after step 3, keep a checkpoint of step 4, break at step 6."""
    accelerator.register_for_checkpointing(run)
    for step in train(run, accelerator, *objects):
        if step == 3:
            run.propose("lr", scale=0.5, why="the loss is noisy")
        if step == 4:
            accelerator.save_state(str(folder))
        _ = 1 / (6 - step)


def test_a_run_is_saved_and_resumed_with_accelerates_own_checkpoint(tmp_path: Path) -> None:
    accelerator, *objects = prepared(AccelerateTracker())
    net, optimizer, _, schedule = objects
    with pytest.raises(ZeroDivisionError), start(tmp_path, net, optimizer, schedule) as first:
        train_until_it_breaks(first, accelerator, *objects, folder=tmp_path / "kept")
    assert status_of(first) is RunStatus.FAILED
    accelerator, *objects = prepared(AccelerateTracker())
    net, optimizer, _, schedule = objects
    with start(tmp_path, net, optimizer, schedule) as second:
        accelerator.register_for_checkpointing(second)
        accelerator.load_state(str(tmp_path / "kept"))
        for _ in train(second, accelerator, *objects):
            pass
        second.result(loss=0.5)
    assert (second.run_id, second.record.attempt, second.step) == (first.run_id, 2, NUM_STEPS)
    assert outcomes(second) == ["EFFECTIVE"]
    expected, losses = twin(halved_after(3))
    assert same_weights(net, expected)
    assert logged(second, "loss") == pytest.approx(dict(enumerate(losses, 1)))


def test_the_tracker_logs_beside_others_to_the_run_that_it_was_given_or_that_is_open(tmp_path: Path) -> None:
    given = start(tmp_path)
    tracker = AccelerateTracker(given)
    accelerator, *_ = prepared(tracker, AccelerateTracker())
    assert [each.tracker for each in accelerator.trackers] == [given, given]
    assert accelerator.get_tracker("seedbed", unwrap=True) is given
    given.abandon("done")
    with pytest.raises(NotFound, match=r"call seedbed\.start first"):
        AccelerateTracker().log({"loss": 1.0})
