"""The store on a simulated file system: schedules of writers, deaths, power cuts and stale names, drawn from seeds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from simulated import REMOVALS, Kind, Removal, Violation, removed, run_schedule
from simulated._model import Acknowledged, Model

from seedbed.errors import SeedbedError, StoreDamaged
from seedbed.records import _store
from seedbed.records.storage import _durable

PROGRAM = Path(__file__).with_name("records_simulated_program.py")
FEW = 400  # schedules within which each removed promise must be missed


def program(*arguments: object, hash_seed: str = "0") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(("kind", "befell"), [("disk", "cuts"), ("nfs", "kills"), ("lies", "gone")])
def test_whatever_befalls_the_writers_of_a_schedule_nothing_acknowledged_is_lost(kind, befell):
    found = [run_schedule(seed, kind) for seed in range(12)]
    assert sum(each.acknowledged for each in found) > 20
    assert sum(getattr(each, befell) for each in found) > 0


@pytest.mark.slow
def test_three_hundred_schedules_of_all_kinds_keep_every_promise():
    done = program("--seeds", 0, 300)
    found = json.loads(done.stdout)
    assert found["failed"] == []
    assert (done.returncode, found["points"]) == (0, 300)
    assert found["stood"] > 900
    assert min(found["kills"], found["cuts"]) > 100
    assert found["gone"] > 10, "the disks that lie lose nothing"


def test_a_seed_makes_the_same_calls_again_in_any_process():
    first, second = (program("--seed", 3, "--trace", hash_seed=seed) for seed in ("1", "2"))
    assert first.stdout == second.stdout
    assert first.stdout.count("\n") > 500
    assert " link " in first.stdout


def first_failure(kind: Kind, first: int = 0) -> tuple[int, BaseException]:
    """The first seed from `first` on of which a schedule fails, and how."""
    for seed in range(first, first + FEW):
        try:
            run_schedule(seed, kind)
        except Exception as problem:
            return seed, problem
    pytest.fail(f"none of {FEW} seeds from {first} on fails")


def test_a_schedule_that_fails_names_its_seed():
    with removed(REMOVALS["the sync of an unnamed file"]):
        seed, problem = first_failure("disk")
    assert f"seed {seed} (disk), call " in problem.__notes__[0]


def test_nothing_is_left_standing_in_for_the_real_calls():
    run_schedule(0)
    assert _durable.os is os


@pytest.mark.slow
@pytest.mark.parametrize("name", REMOVALS)
def test_a_promise_that_is_removed_is_missed(name, monkeypatch):
    # A store is made on no file system on which a name can be used twice; here one is.
    monkeypatch.setattr(_store, "require_create_only", lambda *_: None)
    with removed(REMOVALS[name]):
        _, problem = first_failure(REMOVALS[name].kind, REMOVALS[name].first)
    assert isinstance(problem, Violation | SeedbedError | StoreDamaged | OSError)


def test_a_removal_of_what_is_not_there_is_refused():
    nothing = removed(Removal(_durable.create, "os.link"))
    with pytest.raises(ValueError, match=r"create does not hold the text 'os\.link' once"), nothing:
        pass


def test_a_commit_that_is_gone_and_known_must_be_named():
    model = Model(may_lose=True, acknowledged={"r1": Acknowledged("r1", 1, "d1", 0)})
    assert model.check_losses([], [], {}) == 1, "nothing is left of it"
    with pytest.raises(Violation, match="is gone, and not named"):
        model.check_losses([], [], {"log/flights/00000000000000000002.json": b"{}"})
    with pytest.raises(Violation, match="is gone, and not named"):
        model.check_losses([], [], {"runs/flights/r1/TRAINING/snapshot.json": b'{"digest":"d1"}'})
