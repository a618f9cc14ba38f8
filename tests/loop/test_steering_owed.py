"""A checkpoint that what runs the loop writes later: the request is open until it is there, or cannot be."""

from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import seedbed
from seedbed.loop import Run, StopRequested, steering
from seedbed.loop.steering import RemoteRun
from seedbed.records import Store
from seedbed.testing import FakeClock

RUNTIME = {"sdpa": "off", "flash": "off", "amp": "off", "cdc": "off"}


class Loop:
    """A run whose checkpoints are owed, with the loop that takes its steps."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.store = Store.open(folder, create=True, clock=self.clock)
        self.weight = torch.zeros(1, requires_grad=True)
        self.optimizer = torch.optim.SGD([self.weight], lr=0.1)
        self.run: Run = seedbed.start(
            None, self.optimizer, project="owed", store=self.store, runtime=RUNTIME, quiet=True
        )
        self.run.checkpoint_by(lambda: None)

    def ask(self, *verbs: str) -> None:
        for verb in verbs:
            steering.ask(self.run.run_id, verb, store=self.store)
        self.clock.advance(2.0)

    def owes(self) -> bool:
        return self.run.owes_checkpoint

    def step(self) -> None:
        self.run.begin_step()
        self.weight.sum().backward()
        self.optimizer.step()
        self.run.end_step()

    @property
    def answers(self) -> list[str]:
        return [each.told for each in RemoteRun.open(self.run.run_id, self.store).requests()]


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    made = Loop(tmp_path / "store")
    made.step()
    return made


def test_it_is_answered_when_it_is_written_and_not_before(loop: Loop) -> None:
    loop.ask("checkpoint")
    assert not loop.owes()
    for _ in range(3):
        loop.step()
        loop.clock.advance(2.0)
    assert loop.owes()
    assert loop.answers == ["no answer yet"]
    loop.run.write_owed(lambda: "wrote it")
    assert not loop.owes()
    assert loop.answers == ["DONE: wrote it"]
    loop.run.finish()


def test_what_is_not_owed_is_not_written(loop: Loop) -> None:
    loop.run.write_owed(lambda: pytest.fail("nobody asked"))
    loop.ask("checkpoint")
    loop.step()
    loop.run.abandon("left")
    loop.run.write_owed(lambda: pytest.fail("it has ended"))


def test_what_cannot_be_written_is_answered_as_failed_and_the_run_goes_on(loop: Loop) -> None:
    def fail() -> str:
        raise OSError("no space is left")

    loop.ask("checkpoint")
    loop.step()
    loop.run.write_owed(fail)
    assert loop.answers == ["FAILED: no checkpoint was written: OSError: no space is left"]
    loop.step()
    assert loop.run.step == 3
    loop.run.finish()


def test_a_stop_ends_the_loop_at_once_and_is_answered_when_what_is_owed_is_written(loop: Loop) -> None:
    loop.ask("checkpoint", "stop")
    with pytest.raises(StopRequested):
        loop.step()
    assert loop.answers == ["no answer yet"] * 2
    loop.step()  # to its end, as a library does
    loop.run.write_owed(lambda: "wrote it")
    assert loop.answers == ["DONE: wrote it", "DONE: stopped after step 3; wrote it"]
    loop.run.abandon("stopped")


def test_once_it_is_asked_to_stop_a_run_takes_nothing_more(loop: Loop) -> None:
    loop.ask("stop")
    with pytest.raises(StopRequested):
        loop.step()
    loop.ask("pause", "checkpoint")
    loop.step()
    loop.run.write_owed(lambda: "wrote it")
    assert loop.answers == ["DONE: stopped after step 3; wrote it", *["no answer yet"] * 2]
    loop.run.abandon("stopped")
    assert [each.partition(":")[0] for each in loop.answers] == ["DONE", "no answer", "no answer"]


@pytest.mark.parametrize("verb", ["checkpoint", "stop"])
def test_a_run_that_ends_first_answers_as_failed_with_the_reason(loop: Loop, verb: str) -> None:
    loop.ask(verb)
    with suppress(StopRequested):
        loop.step()
    with pytest.raises(ValueError, match="a bad batch"), loop.run:
        raise ValueError("a bad batch")
    stopped = "stopped after step 2; " if verb == "stop" else ""
    ended = "the attempt ended first: ValueError: a bad batch"
    assert loop.answers == [f"FAILED: {stopped}no checkpoint was written: {ended}"]


def test_a_run_that_finishes_first_answers_as_failed(loop: Loop) -> None:
    loop.ask("checkpoint", "pause")
    with loop.run as run:
        loop.step()
        run.result(loss=0.5)
    assert loop.answers == [
        "FAILED: no checkpoint was written: the run has finished first",
        "REFUSED: the run has finished first",
    ]


def test_a_pause_waits_for_what_is_owed_and_the_run_is_paused_again_after_another_one(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []

    def wait(_: float) -> None:
        waited.append(loop.run.step)
        loop.ask("checkpoint" if len(waited) == 1 else "continue")

    monkeypatch.setattr("seedbed.loop.live._requests.time", SimpleNamespace(sleep=wait))
    loop.ask("checkpoint", "pause")
    loop.step()
    assert waited == []
    loop.run.write_owed(lambda: "wrote the first")
    assert (waited, loop.owes()) == ([2], True)
    assert loop.answers == ["DONE: wrote the first", "DONE: paused after step 2", "no answer yet"]
    loop.run.write_owed(lambda: "wrote the second")
    assert waited == [2, 2]
    assert loop.answers[2:] == ["DONE: wrote the second", "DONE: the run goes on"]
    loop.run.finish()
