"""What is asked of a run from outside: when it is carried out, and where a checkpoint that is asked for lies."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from loop_world import Work

import seedbed
from seedbed.loop import steering
from seedbed.loop._state_file import unpacked
from seedbed.loop.live._live_run import LiveRun
from seedbed.records import Store

PER_STEP = 4


class Clock:
    """Time goes on where the test says so."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.at


def answer_of(run: "seedbed.Run") -> str:
    """How the only request stands."""
    (told,) = steering.RemoteRun.open(run.run_id, run.store).requests()
    return told.told


def iteration_in(path: Path) -> int:
    """The iteration from which a resume of that checkpoint goes on."""
    return int(unpacked(path.read_bytes())["run"]["steps"]["iteration"])


def train(folder, seconds, *, num=24, asked_in=9):
    """Steps of four iterations, of which each takes the `seconds` for its number; one of them asks for a checkpoint."""
    work, clock = Work(), Clock()
    run = work.start(Store.open(folder, create=True, clock=clock), project="asked")
    for _ in range(num):
        with run.one_step():
            clock.at += seconds(run.iteration)
            work.micro_step(work.x, work.y, is_last=run.iteration % PER_STEP == 0)
            if run.iteration == asked_in:
                steering.ask(run.run_id, "checkpoint", store=run.store)
    return run


@pytest.mark.parametrize(
    ("seconds", "asked_in"),
    [
        (lambda number: 0.3, 9),
        (lambda number: 0.3, 10),
        (lambda number: 6.0 if number == 9 else 0.3, 9),  # an evaluation at the head of a body, in which it is asked
        (lambda number: 6.0 if number == 8 else 0.3, 8),  # one at the end of a step
        (lambda number: 60.0 if number == 4 else 0.3, 9),  # long ago
        (lambda number: 1.2, 9),  # a step of less than five seconds
    ],
)
def test_what_is_asked_waits_for_the_end_of_the_step_however_long_the_last_look_is_ago(tmp_path, seconds, asked_in):
    run = train(tmp_path, seconds, asked_in=asked_in)
    assert answer_of(run).startswith("DONE: wrote checkpoint after step ")
    assert "within step" not in answer_of(run)
    assert iteration_in(run.record.folder / "checkpoint") % PER_STEP == 0
    run.abandon("enough")


def test_within_a_step_that_lasts_long_it_is_carried_out_there_and_the_answer_says_so(tmp_path):
    run = train(tmp_path, lambda number: 3.0)
    told = answer_of(run)
    assert told.startswith("DONE: wrote checkpoint after step 2, within step 3: a resume from it may be another run; ")
    work = Work()
    again = work.start(tmp_path, project="asked", run=run.run_id)  # it ends the other one
    assert again.restore(run.record.folder / "checkpoint")
    assert again.step == 2
    again.result(x=1)
    commit = again.finish()
    assert commit is not None
    assert str(commit.snapshot.process["resume"]).startswith("unknown: the checkpoint was written between two steps")


def test_a_pause_counts_as_no_time_of_the_step_after_it(tmp_path, monkeypatch):
    work, clock = Work(), Clock()
    looks: list[int] = []

    def look(live, step):
        real(live, step)
        looks.append(live.steps.iteration)
        clock.at += 60.0 * (step == 2)  # as a pause after the second step

    real = LiveRun._look
    monkeypatch.setattr(LiveRun, "_look", look)
    run = work.start(Store.open(tmp_path, create=True, clock=clock), project="asked")
    for _ in range(24):
        with run.one_step():
            clock.at += 0.3
            work.micro_step(work.x, work.y, is_last=run.iteration % PER_STEP == 0)
    assert looks == [4, 8, 12, 16, 20, 24]
    run.abandon("enough")


class Attempts:
    """Attempts of one run, each by the same script, which restores its checkpoint and may write it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        self.store = Store.open(folder / "s", create=True, clock=self.clock)

    def go(self, num, restores="own.ckpt", asks="", own=None) -> "seedbed.Run":
        """So many steps, with the loop's own checkpoint after each where `own` says how; the last one asks first."""
        work = Work()
        run = work.start(self.store, project="asked", run="r")
        run.restore(self.folder / restores)
        run.log(x=1)
        for number in range(num):
            if asks and number == num - 1:
                steering.ask("r", asks, store=self.store)
            try:
                with run.one_step():
                    self.clock.at += 2.0
                    work.step(work.x, work.y)
            except KeyboardInterrupt:
                break
            if own is not None:
                run.checkpoint(self.folder / "own.ckpt", **own)
        run.abandon("the machine goes down")
        return run

    def step_in(self, name: Path | str) -> int:
        return int(unpacked((self.folder / name).read_bytes())["run"]["steps"]["step"])

    def answer(self) -> str:
        return steering.RemoteRun.open("r", self.store).requests()[-1].told


@pytest.mark.parametrize("verb", ["stop", "checkpoint"])
def test_a_stop_before_the_first_checkpoint_of_an_attempt_is_gone_on_from_by_the_script(tmp_path, verb):
    script = Attempts(tmp_path)
    script.go(2, own={"every": 1})
    script.go(3, asks=verb)
    assert script.answer().endswith("wrote own.ckpt after step 5")
    assert script.step_in("own.ckpt") == 5
    assert script.go(1).step == 6
    assert script.go(1, asks=verb).step == 6  # the one before wrote none
    assert script.step_in("own.ckpt") == 6


@pytest.mark.parametrize("own", [{}, {"every": 1, "best": 0.9}, {"best": 0.9}])
def test_what_the_loop_chose_to_keep_is_spared_by_the_attempts_after_it_too(tmp_path, own):
    script = Attempts(tmp_path)
    script.go(2, own=own)
    script.go(2, asks="stop")
    assert script.answer().endswith(", beside own.ckpt, which only the loop writes")
    assert (script.step_in("own.ckpt"), script.step_in("own-asked.ckpt")) == (2, 4)
    script.go(2, restores="own-asked.ckpt", asks="stop")
    assert script.answer().endswith("wrote own-asked.ckpt after step 6")
    assert (script.step_in("own.ckpt"), script.step_in("own-asked.ckpt")) == (2, 6)


def test_a_loop_that_writes_none_goes_on_from_the_one_in_the_folder_of_the_run_and_it_is_written_again(tmp_path):
    script = Attempts(tmp_path)
    path = script.go(2, asks="stop").record.folder / "checkpoint"
    assert "it is in the run's folder" in script.answer()
    script.go(2, restores=path, asks="stop")
    assert script.answer().endswith("wrote checkpoint after step 4")
    assert script.step_in(path) == 4
