"""A checkpoint that is asked for spares each file of the loop, and the script, started again, goes on from it."""

import pytest
import torch
from loop_world import Work, committed

from seedbed.errors import StoreCorrupt
from seedbed.loop._checkpoint import read_checkpoint


class Stopped(Exception):
    pass


def step_in(path):
    found = read_checkpoint(path)
    assert found is not None
    return found["run"]["steps"]["step"]


def attempt(store, *, ask_at=0, write=lambda run: None, restore=None, say=False):
    """One attempt of a loop of 12 steps, that is asked for a checkpoint after `ask_at` and lost then; what it told."""
    work, told = Work(), ""
    with work.start(store, quiet=not say) as run:
        is_resumed = restore is not None and run.restore(restore)
        begun = run.step
        for step, (x, y) in run.steps(work.loader):
            work.step(x, y)
            write(run)
            if step == ask_at:
                told = str(run._live.checkpoints.asked())
                run.abandon("it was stopped")
                return told, run, work, (is_resumed, begun)
        run.result(x=1)
    return told, run, work, (is_resumed, begun)


LOOPS = {
    "each": lambda run, folder: run.checkpoint(folder / "last.ckpt"),
    "every": lambda run, folder: run.checkpoint(folder / "last.ckpt", every=4),
    "best": lambda run, folder: run.step in {2, 5} and run.checkpoint(folder / "last.ckpt"),
    "numbered": lambda run, folder: run.checkpoint(folder / f"step{run.step}.ckpt", every=3),
    "milestone": lambda run, folder: (
        run.checkpoint(folder / "last.ckpt", every=4) and run.checkpoint(folder / f"keep-{run.step}.ckpt", every=2)
    ),
    "state": lambda run, folder: run.checkpoint(folder / "last.ckpt", every=4, best=run.step),
}


@pytest.mark.parametrize("kind", LOOPS)
def test_no_file_of_the_loop_is_changed_by_what_is_asked_for(tmp_path, kind):
    told, *_ = attempt(tmp_path / "s", ask_at=11, write=lambda run: LOOPS[kind](run, tmp_path / "a"))
    attempt(tmp_path / "t", write=lambda run: run.step <= 11 and LOOPS[kind](run, tmp_path / "b"))
    own, twin = ({each.name: step_in(each) for each in (tmp_path / name).glob("*.ckpt")} for name in "ab")
    asked = {name: own.pop(name) for name in list(own) if "-asked" in name}
    assert own == twin
    assert list(asked.values()) == [11]
    assert f"/{next(iter(asked))} after step 11" in told


@pytest.mark.parametrize("asked_at", [2, 4, 7, 12])
def test_the_script_that_is_started_again_goes_on_from_what_was_asked_for(tmp_path, asked_at):
    """As a twin that was not stopped, weight by weight; also where the loop had not written its own yet."""
    path = tmp_path / "last.ckpt"

    def write(run):
        run.checkpoint(path, every=4)

    *_, twin, _ = attempt(tmp_path / "t")
    told, *_ = attempt(tmp_path / "s", ask_at=asked_at, write=write, restore=path)
    name = "last.ckpt" if asked_at < 4 else "last-asked.ckpt"
    assert told == f"wrote {tmp_path / name} after step {asked_at}"
    _, run, work, resumed = attempt(tmp_path / "s", write=write, restore=path)
    assert resumed == (True, asked_at)
    assert torch.equal(work.weights(), twin.weights())
    assert committed(run).snapshot.process["resume"] == "known"


def test_what_was_asked_for_before_the_own_checkpoint_is_not_taken(tmp_path):
    def write(run):
        run.checkpoint(tmp_path / "last.ckpt", every=4)

    attempt(tmp_path / "s", ask_at=7, write=write, restore=tmp_path / "last.ckpt")
    *_, resumed = attempt(tmp_path / "s", ask_at=8, write=write, restore=tmp_path / "last.ckpt")
    assert resumed == (True, 7)
    (tmp_path / "last-asked.ckpt").unlink()
    attempt(tmp_path / "s", ask_at=9, write=write, restore=tmp_path / "last.ckpt")
    work = Work()
    with work.start(tmp_path / "s") as run:
        run.restore(tmp_path / "last.ckpt")
        assert run.step == 9
        for _, (x, y) in run.steps(work.loader):
            work.step(x, y)
            if run.step == 11:
                run.checkpoint(tmp_path / "last.ckpt")
                break
        run.abandon("later than what was asked for")
    *_, resumed = attempt(tmp_path / "s", ask_at=12, restore=tmp_path / "last.ckpt")
    assert resumed == (True, 11)


def test_a_stop_before_the_resumed_loop_writes_again_is_beside_what_it_restored(tmp_path):
    def write(run):
        run.checkpoint(tmp_path / "last.ckpt", every=6)

    attempt(tmp_path / "s", ask_at=6, write=write, restore=tmp_path / "last.ckpt")
    told, *_ = attempt(tmp_path / "s", ask_at=8, write=write, restore=tmp_path / "last.ckpt")
    assert "last-asked.ckpt after step 8" in told
    *_, resumed = attempt(tmp_path / "s", ask_at=9, write=write, restore=tmp_path / "last.ckpt")
    assert resumed == (True, 8)


@pytest.mark.parametrize("restored", ["step3.ckpt", "last.ckpt"])
def test_a_loop_that_wrote_other_files_than_it_restored_finds_it_beside_either(tmp_path, restored):
    """Whether its files are numbered, or it keeps milestones before it writes the one that it restores again."""

    def write(run):
        run.checkpoint(tmp_path / f"step{run.step}.ckpt", every=3)
        if run.step == 3:
            run.checkpoint(tmp_path / "last.ckpt")

    attempt(tmp_path / "s", ask_at=3, write=write)
    attempt(tmp_path / "s", ask_at=7, write=write, restore=tmp_path / restored)
    steps = {each.name: step_in(each) for each in tmp_path.glob("*.ckpt")}
    assert steps["step6-asked.ckpt"] == steps[restored.replace(".", "-asked.")] == 7
    assert (steps["step3.ckpt"], steps["step6.ckpt"], steps["last.ckpt"]) == (3, 6, 3)
    *_, resumed = attempt(tmp_path / "s", ask_at=8, restore=tmp_path / restored)
    assert resumed == (True, 7)


def test_what_lacks_the_state_of_the_loop_is_not_taken_and_the_person_is_told_both_steps(tmp_path, capsys):
    def write(run):
        run.checkpoint(tmp_path / "last.ckpt", every=4, best=0.5)

    attempt(tmp_path / "s", ask_at=7, write=write, restore=tmp_path / "last.ckpt")
    _, run, _, resumed = attempt(tmp_path / "s", ask_at=5, restore=tmp_path / "last.ckpt", say=True)
    assert resumed == (True, 4)
    told = capsys.readouterr().err
    assert "last.ckpt, after step 4, with what the loop keeps in it (best)" in told
    assert f"last-asked.ckpt, which somebody asked for, is of run {run.run_id} after step 7" in told


def test_what_was_asked_of_another_run_is_told_and_not_taken(tmp_path, capsys):
    path = tmp_path / "last.ckpt"
    attempt(tmp_path / "s", write=lambda run: run.checkpoint(path, every=6), restore=path)  # it has finished
    _, other, *_ = attempt(tmp_path / "s", ask_at=3, restore=path)
    capsys.readouterr()
    *_, resumed = attempt(tmp_path / "s", ask_at=2, restore=path, say=True)
    assert resumed == (False, 0)
    assert (
        f"last-asked.ckpt, which somebody asked for, is of run {other.run_id} after step 3" in capsys.readouterr().err
    )
    path.unlink()
    *_, resumed = attempt(tmp_path / "s", ask_at=2, restore=path, say=True)
    assert resumed == (False, 0)
    assert "there is no " in capsys.readouterr().err


def test_a_loop_with_no_file_of_its_own_is_told_where_in_the_store_it_lies(tmp_path, capsys):
    told, run, *_ = attempt(tmp_path / "s", ask_at=3, say=True)
    assert told == (
        f"wrote runs/tests/{run.run_id}/TRAINING/checkpoint of the store after step 3; run.restore takes its path"
    )
    path = tmp_path / "s" / "runs" / "tests" / run.run_id / "TRAINING" / "checkpoint"
    assert f"wrote {path}" in capsys.readouterr().err
    *_, resumed = attempt(tmp_path / "s", ask_at=5, restore=path)
    assert resumed == (True, 3)


def test_the_path_of_what_was_asked_for_can_be_restored_itself(tmp_path):
    def write(run):
        run.checkpoint(tmp_path / "last.ckpt", every=4, best=0.5)

    attempt(tmp_path / "s", ask_at=7, write=write, restore=tmp_path / "last.ckpt")
    asked = tmp_path / "last-asked.ckpt"
    *_, resumed = attempt(tmp_path / "s", ask_at=9, write=write, restore=asked)
    assert resumed == (True, 7)
    assert {each.name: step_in(each) for each in tmp_path.glob("*.ckpt")} == {"last.ckpt": 8, "last-asked.ckpt": 9}


def test_a_loop_whose_own_file_is_named_so_keeps_it(tmp_path):
    own = tmp_path / "x-asked.ckpt"
    attempt(tmp_path / "s", ask_at=5, write=lambda run: run.checkpoint(own, every=4), restore=own)
    assert {each.name: step_in(each) for each in tmp_path.glob("*.ckpt")} == {own.name: 4, "x-asked-asked.ckpt": 5}


def test_a_damaged_file_beside_it_is_refused_and_nothing_is_loaded(tmp_path):
    path = tmp_path / "last.ckpt"
    attempt(tmp_path / "s", ask_at=7, write=lambda run: run.checkpoint(path, every=4), restore=path)
    asked = tmp_path / "last-asked.ckpt"
    asked.write_bytes(asked.read_bytes()[:-9])
    work = Work()
    with work.start(tmp_path / "s") as run:
        with pytest.raises(StoreCorrupt, match=r"last-asked\.ckpt"):
            run.restore(path)
        asked.unlink()
        assert run.restore(path)
        assert run.step == 4
        run.abandon("seen")
