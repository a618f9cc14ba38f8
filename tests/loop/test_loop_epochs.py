"""Epochs and passes over a resume: several passes in one epoch, passes in turn, and those that were left."""

from typing import Any

import pytest
import torch
from loop_world import QUIET_RUNTIME, committed
from torch import nn
from torch.utils.data import DataLoader

import seedbed

PASS = 4
DATA: Any = torch.arange(32.0).reshape(8, 4) / 10
_LOST = "unknown: the checkpoint was written between two passes of the first epoch"


class Stopped(Exception):
    pass


def while_handling(do, *given):
    """Do that while an error is handled, as a loop that is tried again after a lack of memory."""
    try:
        raise MemoryError
    except MemoryError:
        do(*given)


class Loop:
    """A model that is trained by what each test makes of it; `seen` are the epoch, the pass and the batch."""

    def __init__(self, folder):
        torch.manual_seed(0)
        self.path, self.seen = folder / "c", []
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        self.loader = DataLoader(DATA, 2, shuffle=True)
        self.run = seedbed.start(
            self.model, self.optimizer, project="p", store=folder / "s", runtime=QUIET_RUNTIME, quiet=True
        )
        self.run.restore(self.path)

    def step(self, *what):
        self.model(what[-1]).square().mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.seen.append((*what[:-1], what[-1].flatten().tolist()))

    def stop(self):
        self.run.checkpoint(self.path)
        raise Stopped

    def known(self):
        self.run.result(x=1)
        self.run.finish()
        process = committed(self.run).snapshot.process
        return str(process["data_order"]), str(process["resume"])


def passes_of_two(folder, *, at=None, after=None, epochs=3):
    """Two passes in each epoch; stops after the step `at`, or after the pass `after`."""
    loop, num = Loop(folder), 0
    with loop.run:
        for epoch in loop.run.epochs(epochs):
            for part in range(2):
                for step, x in loop.run.steps(loop.loader):
                    loop.step(epoch, part, x)
                    if step == at:
                        loop.stop()
                num += 1
                if num == after:
                    loop.stop()
        return loop, loop.known()


def whole_and_resumed(tmp_path, go, **stop):
    (tmp_path / "whole").mkdir()
    whole, known = go(tmp_path / "whole")
    assert known == ("known", "known")
    with pytest.raises(Stopped):
        go(tmp_path, **stop)
    return whole, *go(tmp_path)


@pytest.mark.parametrize("at", [2, PASS, PASS + 2, 2 * PASS, 2 * PASS + 2, 3 * PASS + 2])
def test_a_resumed_epoch_goes_on_in_the_pass_of_the_checkpoint(tmp_path, at):
    whole, loop, known = whole_and_resumed(tmp_path, passes_of_two, at=at)
    assert loop.seen == whole.seen[at:]
    assert (loop.run.step, loop.run.epoch) == (whole.run.step, whole.run.epoch)
    assert torch.equal(loop.model.weight, whole.model.weight)
    assert known[0] == "known"
    is_later = PASS < at <= 2 * PASS or at > 3 * PASS
    assert known[1].startswith("unknown: the checkpoint is of a later pass") == is_later


def test_between_two_passes_of_a_later_epoch_none_is_lost(tmp_path):
    whole, loop, known = whole_and_resumed(tmp_path, passes_of_two, after=3)
    assert loop.seen == whole.seen[3 * PASS :]
    assert known[0] == "known"


def test_between_two_passes_of_the_first_epoch_what_is_lost_is_told(tmp_path):
    whole, loop, known = whole_and_resumed(tmp_path, passes_of_two, after=1)
    assert loop.seen != whole.seen[PASS:]
    assert known[0].startswith(_LOST)


def test_after_all_passes_of_the_first_epoch_nothing_is_lost(tmp_path):
    whole, loop, known = whole_and_resumed(tmp_path, passes_of_two, after=2)
    assert loop.seen == whole.seen[2 * PASS :]
    assert known == ("known", "known")


def test_passes_that_are_taken_in_turn_begin_again_and_are_unknown(tmp_path):
    def go(folder, at=None):
        loop = Loop(folder)
        second: Any = DataLoader(DATA + 100, 2, shuffle=True)
        with loop.run as run:
            for epoch in run.epochs(3):
                for (_, x), (_, y) in zip(run.steps(loop.loader), run.steps(second), strict=True):
                    loop.step(epoch, x + y)
                    if run.step == at:
                        loop.stop()
            return loop, loop.known()

    (tmp_path / "whole").mkdir()
    assert go(tmp_path / "whole")[1] == ("known", "known")
    for at in (1, PASS + 2, PASS + 3):  # the second resume goes on from the first one
        with pytest.raises(Stopped):
            go(tmp_path, at)
    loop, known = go(tmp_path)
    assert [epoch for epoch, _ in loop.seen] == [1] * PASS + [2] * PASS
    assert known[0].startswith("unknown: the loop takes batches of several passes in turn")


@pytest.mark.parametrize("handled", [False, True])
def test_a_pass_that_was_left_by_break_is_over_also_while_an_earlier_error_is_handled(tmp_path, handled):
    def go(stop):
        loop = Loop(tmp_path)
        with loop.run as run:
            for epoch in run.epochs(3):
                for _, x in run.steps(loop.loader):
                    loop.step(epoch, x)
                    if len(loop.seen) % 2 == 0:
                        break
                if stop:
                    loop.stop()
            return loop, loop.known()

    with pytest.raises(Stopped):
        while_handling(go, True) if handled else go(True)
    loop, known = go(False)
    assert [epoch for epoch, _ in loop.seen] == [1, 1, 2, 2]
    assert known == ("known", "known")


def test_an_error_on_its_way_keeps_the_pass_also_while_an_earlier_one_is_handled(tmp_path):
    def go(stop):
        loop = Loop(tmp_path)
        try:
            for epoch in loop.run.epochs(2):
                for _, x in loop.run.steps(loop.loader):
                    loop.step(epoch, x)
                    _ = 1 / (len(loop.seen) != stop)
        except ZeroDivisionError:
            loop.stop()
        return loop, loop.known()

    with pytest.raises(Stopped):
        while_handling(go, 2)
    loop, known = go(None)
    assert [epoch for epoch, _ in loop.seen] == [0, 0, 1, 1, 1, 1]
    data_order, resume = known
    assert data_order == "known"
    assert resume.startswith("unknown: an error was on its way")  # the lines after the step may not have been done


@pytest.mark.parametrize("place", ["after the step", "after the pass"])
def test_what_an_error_kept_from_being_done_after_a_step_or_a_pass_is_unknown_in_the_resume(tmp_path, place):
    def go(fails):
        loop = Loop(tmp_path)
        try:
            for epoch in loop.run.epochs(2):
                for _, x in loop.run.steps(loop.loader):
                    loop.step(epoch, x)
                    if fails and place == "after the step":
                        raise ValueError  # before a scheduler's step
                if fails:
                    raise ValueError  # before an evaluation
        except ValueError:
            loop.stop()
        return loop.known()

    with pytest.raises(Stopped):
        go(True)
    assert go(False)[1].startswith("unknown: an error was on its way")


def test_after_a_break_out_of_the_epochs_passes_are_counted(tmp_path):
    loop = Loop(tmp_path)
    with loop.run as run:
        for epoch in run.epochs(5):
            for _, x in run.steps(loop.loader):
                loop.step(x)
            if epoch == 1:
                break
        for _ in range(3):
            for _, x in run.steps(loop.loader):
                loop.step(x)
        run.result(x=1)
    assert (run.epoch, run.step) == (5, 5 * PASS)
