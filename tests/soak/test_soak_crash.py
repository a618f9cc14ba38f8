"""A soak that is ended anywhere, by a kill, the disk, a stop or the clock, reaches the end of one that never was."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from soak_crash_program import Listener, content_of, folder_of, go_on, logs_of, never, plan_of, survives

from seedbed.change import Kind, Parameter, Registry
from seedbed.errors import Conflict, ContractBroken
from seedbed.records import atomic_write_json, read_json_with_hash
from seedbed.soak import Flaw, Soak, SoakFolder, assemble, mock_registry, verify_soak

HERE = Path(__file__).parent
PLAN = plan_of()
# A change may be used three iterations late. For a dropped one, only a count kept over a resume shows late from lost.
LAGGING = Registry(
    Parameter(**{name: getattr(each, name) for name in each.__slots__} | {"lag_steps": 3}) for each in mock_registry()
)


def run_program(name, *arguments):
    found = subprocess.run(
        [sys.executable, HERE / name, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def lagging(plan):
    return replace(assemble(plan), registry=LAGGING)


def calls_of(times):
    """A condition that is true from its n-th call on."""
    asked = count(1)
    return lambda: next(asked) >= times


def verified(root, plan=PLAN, make=assemble):
    return [(each.flaw, each.what) for each in verify_soak(SoakFolder(root / "a"), make, strict=True).accusations]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    assert go_on(root, PLAN)
    return content_of(root, PLAN)


# How many points each program tries, thinned out; without options it tries them all.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "options", "points"),
    [
        ("kill", ["--every", 23], 8),
        ("kill", ["--every", 31, "--first", 60, "--fault", "rounded"], 4),
        ("kill", ["--every", 41, "--first", 90, "--fault", "dropped"], 3),
        ("again", ["--every", 80], 4),
        ("refused", ["--every", 50], 6),
    ],
)
def test_a_soak_that_is_ended_at_any_durable_call_is_resumed_to_the_same_end(tmp_path, program, options, points):
    found = run_program("soak_crash_program.py", program, tmp_path, *options)
    assert found["points"] >= points
    assert found["begun"] > 0


@pytest.fixture(scope="module")
def left_open(tmp_path_factory):
    """A soak whose process died with a change intended, and one whose process died with it written; in this order."""
    found: dict[str, Path] = {}
    for at in count(35):
        root = tmp_path_factory.mktemp("left")
        assert not survives(lambda root=root: go_on(root, PLAN), at)
        kinds = [entry.kind for entry in logs_of(root)["changes.log"]]
        if kinds[-1:] == [Kind.INTENT] and kinds.count(Kind.INTENT) == 4:
            values = mock_registry().get_all(read_json_with_hash(SoakFolder(root / "a").settings_path)[0])
            found.setdefault("written" if values["base_spread_bps"] == 19.8 else "intended", root)
        if len(found) == 2:
            return found
    raise AssertionError("no durable call lies between intent and applied")


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["intended", "written"])
def test_a_change_of_which_nobody_can_say_whether_it_was_made_stops_the_run(tmp_path, left_open, moment):
    shutil.copytree(left_open[moment], tmp_path / "soak", symlinks=True)
    folder = SoakFolder(tmp_path / "soak" / "a")
    values = mock_registry().get_all(read_json_with_hash(folder.settings_path)[0])
    atomic_write_json(folder.settings_path, mock_registry().document({**values, "base_spread_bps": 15.0}))
    before = logs_of(tmp_path / "soak")["evidence.log"]
    for _ in range(2):  # and it stays stopped
        with pytest.raises(ContractBroken, match=r"base_spread_bps, 22 -> 19\.8, is UNKNOWN.*15, neither old nor new"):
            Soak(folder, assemble(PLAN), Listener())
    after = logs_of(tmp_path / "soak")["evidence.log"]
    assert [entry.kind for entry in after[len(before) :]] in (["held"], [])


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["intended", "written"])
def test_what_a_crash_left_open_is_resumed_without_delivering_twice(tmp_path, left_open, whole, moment):
    shutil.copytree(left_open[moment], tmp_path / "soak", symlinks=True)
    assert go_on(tmp_path / "soak", PLAN)
    assert content_of(tmp_path / "soak", PLAN) == whole
    delivered = [
        entry.payload["state_hash"] for entry in logs_of(tmp_path / "soak")["evidence.log"] if entry.kind == "held"
    ]
    assert len(delivered) == len(set(delivered))


@pytest.mark.slow
def test_a_proposal_that_was_cut_short_and_superseded_is_held_against_nobody(tmp_path):
    for at in count(35):
        root = tmp_path / str(at)
        assert not survives(lambda root=root: go_on(root, PLAN), at)
        if [entry.kind for entry in logs_of(root)["changes.log"]] == [Kind.PROPOSED, Kind.PROPOSED]:
            break
    assert go_on(root, PLAN)
    assert verified(root) == []


@pytest.mark.slow
def test_asked_to_stop_at_every_iteration_in_turn_a_soak_comes_to_the_same_end(tmp_path, whole):
    rounds = 0
    while not go_on(tmp_path, PLAN, stop=calls_of(2)):
        rounds += 1
        assert rounds == sum(entry.kind == "measured" for entry in logs_of(tmp_path)["evidence.log"])
    assert rounds == PLAN.iterations - 1
    assert content_of(tmp_path, PLAN) == whole
    assert verified(tmp_path) == []


@pytest.mark.slow
def test_a_rollback_that_had_nothing_to_set_is_not_made_up_for_when_a_soak_is_resumed(tmp_path):
    """At iteration 8 of this soak a rollback is lost whose setting is back already, and another change is made."""
    plan = plan_of("reverted").model_copy(update={"iterations": 12, "fault_from": 5, "seed": 99, "control": False})
    assert go_on(tmp_path / "whole", plan)
    while not go_on(tmp_path / "cut", plan, stop=calls_of(2)):
        pass
    assert content_of(tmp_path / "cut", plan) == content_of(tmp_path / "whole", plan)
    assert verified(tmp_path / "cut", plan) == []


@pytest.mark.slow
def test_a_soak_that_had_ended_is_resumed_to_what_it_is(tmp_path, whole):
    for _ in range(2):
        assert go_on(tmp_path, PLAN)
        logs = logs_of(tmp_path)
    assert logs == logs_of(tmp_path)
    assert content_of(tmp_path, PLAN) == whole


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 4, 5, 6])
def test_when_time_is_up_a_soak_ramps_down_and_is_resumed_to_that_end(tmp_path, at):
    assert go_on(tmp_path / "whole", PLAN, time_is_up=calls_of(at))
    whole = content_of(tmp_path / "whole", PLAN)
    assert whole["length"] == min(at - 1 + 2, PLAN.iterations)
    assert verified(tmp_path / "whole") == []
    assert not go_on(tmp_path / "cut", PLAN, stop=calls_of(at + 1), time_is_up=calls_of(at))
    assert go_on(tmp_path / "cut", PLAN)
    assert content_of(tmp_path / "cut", PLAN) == whole
    assert verified(tmp_path / "cut") == []


@pytest.mark.slow
def test_how_long_a_change_was_waited_for_is_not_forgotten_when_a_soak_is_resumed(tmp_path):
    plan = plan_of("dropped")
    assert go_on(tmp_path / "whole", plan, make=lagging)
    while not go_on(tmp_path / "cut", plan, make=lagging, stop=calls_of(2)):
        pass
    whole = content_of(tmp_path / "whole", plan, lagging)
    failed = [why for each in whole["iterations"] for *_, why in each["changes"] if why]
    assert failed
    assert all("still, 3 steps after" in why for [why] in failed)
    assert content_of(tmp_path / "cut", plan, lagging) == whole
    assert verified(tmp_path / "cut", plan, lagging) == verified(tmp_path / "whole", plan, lagging)


@pytest.mark.slow
def test_a_second_process_is_refused_and_writes_nothing(tmp_path):
    folder = folder_of(tmp_path, PLAN)
    soak = Soak(folder, assemble(PLAN), Listener())
    try:
        assert not soak.run(calls_of(3), never)
        before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
        code = (
            "import os, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
            "from soak_crash_program import go_on, plan_of; from seedbed.errors import Conflict\n"
            "try: go_on(Path(sys.argv[2]), plan_of())\n"
            "except Conflict as refused: sys.exit(str(refused))"
        )
        second = subprocess.run(
            [sys.executable, "-c", code, HERE, tmp_path], capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        assert "another process runs the soak" in second.stderr
        with pytest.raises(Conflict, match="another process"):
            Soak(folder, assemble(PLAN), Listener())
        assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
        assert soak.run(never, never)
    finally:
        soak.close()


@pytest.mark.slow
def test_a_torn_record_is_cut_off_and_reported(tmp_path):
    assert not go_on(tmp_path, PLAN, stop=calls_of(4))
    before, listener = logs_of(tmp_path), Listener()
    for name in ("changes.log", "evidence.log"):
        with (tmp_path / "a" / name).open("ab") as log:
            log.write(b'{"body"')
    assert go_on(tmp_path, PLAN, listener)
    assert listener.notes[:2] == [f"{name}: cut off 7 bytes of a record that was never whole" for name in before]
    assert verified(tmp_path) == []


@pytest.mark.slow
def test_a_soak_is_accused_of_a_log_that_is_torn_in_the_end(tmp_path):
    assert go_on(tmp_path, PLAN)
    with (tmp_path / "a" / "changes.log").open("ab") as log:
        log.write(b'{"body"')
    assert Flaw.LOG in {flaw for flaw, _ in verified(tmp_path)}
