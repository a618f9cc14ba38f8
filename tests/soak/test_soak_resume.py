"""A soak is resumed from files as they were left, or refused with the file's name, and then nothing is written."""

import fcntl
import json
import os

import pytest
from soak_world import Silent, after, copied, finished, go_on, small_plan

from seedbed.cli.soak._options import altered_files_break_the_contract
from seedbed.dashboard import soak_drawing
from seedbed.errors import Conflict, ContractBroken, ExitCode, SeedbedError, StoreCorrupt
from seedbed.soak import Soak, SoakFolder, _folder, assemble, finish, judge_soak, verify_soak
from seedbed.testing.soak._forge import Logs, UnsignedRecord, reframe, reseal

READ = ("soak.json", "changes.log", "evidence.log", "runtime_overrides.json")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A soak that was stopped after six iterations, with changes made and seen in use."""
    folder = SoakFolder.create(tmp_path_factory.mktemp("soaks"), small_plan())
    assert not go_on(folder, stop=after(6))
    assert len(folder.changes_path.read_bytes().splitlines()) > 10
    return folder


def content(folder):
    return {
        path.name: (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in folder.path.iterdir()
        if path.name != ".lock"
    }


def written(path, data):
    path.write_bytes(data)


def made_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def lines_of(path):
    return path.read_bytes().splitlines(keepends=True)


def alter_number(value):
    """The value with its first number another one; None without a number."""
    if isinstance(value, dict):
        for key, item in value.items():
            if (other := alter_number(item)) is not None:
                return {**value, key: other}
        return None
    return value * 2 + 1 if isinstance(value, int | float) and not isinstance(value, bool) else None


# Each takes a path and corrupts the file in one way.
BYTES = {
    "deleted": lambda path: path.unlink(),
    "empty": lambda path: written(path, b""),
    "half": lambda path: written(path, path.read_bytes()[: path.stat().st_size // 2]),
    "short-by-one": lambda path: written(path, path.read_bytes()[:-2]),
    "zeros": lambda path: written(path, b"\0" * path.stat().st_size),
    "a-list": lambda path: written(path, b"[1, 2]\n"),
    "a-number": lambda path: written(path, b"3\n"),
    "null": lambda path: written(path, b"null\n"),
    "text": lambda path: written(path, b"approved\n"),
    "nan": lambda path: written(path, b'{"a": NaN}\n'),
    "huge": lambda path: written(path, b'{"a": 1e999, "digest": "x"}\n'),
    "an-object": lambda path: written(path, b"{}\n"),
    "deep": lambda path: written(path, b"[" * 100_000),
    "latin-1": lambda path: written(path, b'{"a": "\xe9"}\n'),
    "twice": lambda path: written(path, path.read_bytes() * 2),
    "first-line-gone": lambda path: written(path, b"".join(lines_of(path)[1:])),
    "middle-byte": lambda path: written(path, flipped(path.read_bytes())),
    "a-folder": lambda path: (path.unlink(), path.mkdir()),
    "a-pipe": made_a_pipe,
    "a-link": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}
# Torn ends of the logs are what a killed process leaves: these resume.
LEFT_BY_A_CRASH = {("changes.log", "short-by-one"), ("evidence.log", "short-by-one")}


def flipped(data):
    at = len(data) // 2
    at = next(each for each in range(at, len(data)) if chr(data[each]).isdigit())
    return data[:at] + (b"7" if data[at : at + 1] != b"7" else b"3") + data[at + 1 :]


def refused(folder):
    """The error with which a resume is refused, as the command ends; None when the soak went on to its end."""
    before = content(folder)
    try:
        with altered_files_break_the_contract():
            assert go_on(SoakFolder.find(folder.path))
    except SeedbedError as problem:
        assert content(folder) == before, "a refused resume wrote something"
        return problem
    return None


@pytest.mark.slow
@pytest.mark.parametrize("how", BYTES)
@pytest.mark.parametrize("name", READ)
def test_a_corrupted_file_is_a_plain_refusal_that_names_it_and_nothing_is_written(name, how, stopped, tmp_path):
    folder = copied(stopped, tmp_path)
    BYTES[how](folder.path / name)
    problem = refused(folder)
    if (name, how) in LEFT_BY_A_CRASH and problem is None:
        finish(folder, assemble)
        assert verify_soak(folder, assemble).clean
        return
    assert problem is not None
    assert problem.exit_code in {ExitCode.USAGE, ExitCode.CONTRACT_BROKEN}
    assert name in str(problem) or (name == "soak.json" and str(folder.path) in str(problem))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("runtime_overrides.json", "runtime_overrides.json: is missing; restore the file from a copy, then resume"),
        ("evidence.log", "evidence.log: is missing; restore changes.log and evidence.log from a copy, then resume"),
    ],
)
def test_a_file_that_is_missing_though_the_soak_has_begun_is_to_be_restored(name, remedy, stopped, tmp_path):
    folder = copied(stopped, tmp_path)
    (folder.path / name).unlink()
    assert f"{folder.path}: {remedy}" in str(refused(folder))


def test_verification_names_both_logs_where_one_was_cut_that_the_other_rests_on(stopped, tmp_path):
    folder = copied(stopped, tmp_path)
    lines = folder.evidence_path.read_bytes().splitlines(keepends=True)
    folder.evidence_path.write_bytes(b"".join(lines[:-1]))
    told = [
        each.what for each in verify_soak(folder, assemble, repeat=False).accusations if "changes.log" in each.where
    ]
    assert told
    assert all("changes.log was altered, or evidence.log was altered or cut" in each for each in told)


def records(alter):
    """Alter the records of the plant's log and sign both logs again."""

    def inflict(folder):
        logs = Logs.of(folder.path)
        alter(logs)
        logs.sign()

    return inflict


def measured(logs, at=-1):
    return logs.evidence[logs.measured()[at]].payload


SIGNED = {
    "sample-altered": lambda logs: measured(logs)["samples"]["net_bps"].__setitem__(3, 1.5),
    "first-sample-altered": lambda logs: measured(logs, 0)["samples"]["net_bps"].__setitem__(0, 1.5),
    "sample-missing": lambda logs: measured(logs)["samples"]["net_bps"].pop(),
    "samples-reordered": lambda logs: measured(logs)["samples"]["net_bps"].reverse(),
    "samples-none": lambda logs: measured(logs)["samples"].clear(),
    "kpi-missing": lambda logs: measured(logs)["samples"].pop("net_bps"),
    "samples-text": lambda logs: measured(logs)["samples"].update(net_bps="many"),
    "samples-list": lambda logs: measured(logs).update(samples=[1, 2]),
    "samples-null": lambda logs: measured(logs).update(samples=None),
    "sample-null": lambda logs: measured(logs)["samples"]["net_bps"].__setitem__(0, None),
    "control-altered": lambda logs: measured(logs)["control"]["net_bps"].__setitem__(3, 1.5),
    "control-missing": lambda logs: measured(logs).pop("control"),
    "used-altered": lambda logs: measured(logs)["used"].update(base_spread_bps=1.0),
    "used-missing": lambda logs: measured(logs)["used"].pop("base_spread_bps"),
    "used-list": lambda logs: measured(logs).update(used=[]),
    "iteration-text": lambda logs: measured(logs).update(iteration="six"),
    "iteration-float": lambda logs: measured(logs).update(iteration=2.5),
    "iterations-swapped": lambda logs: swap(logs),
    "iteration-dropped": lambda logs: logs.evidence.pop(logs.measured()[2]),
    "last-iteration-dropped": lambda logs: logs.evidence.pop(logs.measured()[-1]),
    "delivery-altered": lambda logs: held(logs)["handed"].update(base_spread_bps=1.0),
    "delivery-missing-key": lambda logs: held(logs)["handed"].pop("base_spread_bps"),
    "delivery-null": lambda logs: held(logs).update(values=None),
    "kind-unknown": lambda logs: logs.evidence.append(UnsignedRecord("approved", {})),
    "plan-unnamed": lambda logs: logs.evidence.pop(0),
    "ending": lambda logs: logs.evidence.append(UnsignedRecord("ending", {"length": "soon"})),
    "ending-long": lambda logs: logs.evidence.append(UnsignedRecord("ending", {"length": 10**6})),
    "change-text": lambda logs: logs.changes[logs.at("proposed")[0]].payload.update(wanted="more"),
    "change-kind": lambda logs: logs.changes.append(UnsignedRecord("approved", {"id": 1})),
    "change-id": lambda logs: logs.changes[logs.at("applied")[0]].payload.update(id=99),
    "change-null": lambda logs: logs.changes[logs.at("intent")[0]].payload.clear(),
    "changes-gone": lambda logs: logs.changes.clear(),
}


def held(logs):
    return next(each.payload for each in reversed(logs.evidence) if each.kind == "held")


def swap(logs):
    first, second = logs.measured()[:2]
    logs.evidence[first], logs.evidence[second] = logs.evidence[second], logs.evidence[first]


@pytest.mark.slow
@pytest.mark.parametrize("how", SIGNED)
def test_a_log_that_was_altered_and_signed_again_is_a_plain_refusal(how, stopped, tmp_path):
    folder = copied(stopped, tmp_path)
    logs = Logs.of(folder.path)
    SIGNED[how](logs)
    try:
        logs.sign()
    except LookupError:  # what was altered is what signing needs
        reframe(folder.changes_path, logs.changes)
        reframe(folder.evidence_path, logs.evidence)
    problem = refused(folder)
    assert problem is not None
    assert problem.exit_code in {ExitCode.USAGE, ExitCode.CONTRACT_BROKEN}
    assert any(name in str(problem) for name in (*READ, "ITER_SUMMARY"))


@pytest.mark.slow
def test_an_edited_plan_and_edited_settings_are_refused(stopped, tmp_path):
    folder = copied(stopped, tmp_path / "plan")
    reseal(folder.plan_path, lambda plan: plan.update(seed=9))
    assert "soak.json" in str(refused(folder))
    folder = copied(stopped, tmp_path / "settings")
    other = alter_number(json.loads(folder.settings_path.read_bytes()))
    folder.settings_path.write_text(json.dumps(other, sort_keys=True, separators=(",", ":")))
    assert "runtime_overrides.json" in str(refused(folder))


@pytest.mark.slow
def test_artifacts_are_made_again_and_may_be_missing_or_wrong(stopped, tmp_path):
    folder = copied(stopped, tmp_path)
    folder.summary_path(2).unlink()
    folder.summary_path(3).write_text("approved")
    assert refused(folder) is None
    finish(folder, assemble, drawing=soak_drawing())
    assert verify_soak(folder, assemble, strict=True, drawing=soak_drawing()).clean


@pytest.mark.slow
def test_what_was_refused_goes_on_when_the_file_is_restored(stopped, tmp_path):
    folder = copied(stopped, tmp_path)
    whole = folder.evidence_path.read_bytes()
    written(folder.evidence_path, flipped(whole))
    with pytest.raises(StoreCorrupt, match=r"evidence\.log"):
        Soak(folder, assemble(folder.plan()), Silent())
    written(folder.evidence_path, whole)
    assert refused(folder) is None


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("soaks"), small_plan("ended"))


@pytest.mark.slow
@pytest.mark.parametrize("how", BYTES)
@pytest.mark.parametrize("name", READ)
def test_verification_and_gate_of_a_corrupted_soak_end_plainly_too(name, how, ended, tmp_path):
    folder = copied(ended, tmp_path)
    BYTES[how](folder.path / name)
    before = content(folder)
    found = verify_soak(folder, assemble, strict=True, repeat=False, drawing=soak_drawing())
    assert any(name in each.where for each in found.accusations)
    try:
        with altered_files_break_the_contract():
            report = judge_soak(folder, assemble)
            ended_with = report.exit_code
    except SeedbedError as problem:
        ended_with = problem.exit_code
    assert ended_with in {ExitCode.USAGE, ExitCode.CONTRACT_BROKEN}
    assert content(folder) == before


def test_an_altered_soak_ends_a_command_as_verification_does():
    with pytest.raises(ContractBroken, match="evidence") as end, altered_files_break_the_contract():
        raise StoreCorrupt("evidence.log was altered")
    assert end.value.exit_code == 4


@pytest.fixture
def looked_at(tmp_path):
    """A folder whose lock another one holds to look at it, and that look."""
    folder = SoakFolder.create(tmp_path, small_plan())
    with folder.lock_paths[0].open("a") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        yield folder, look


def test_a_soak_waits_for_a_look_whether_it_runs(looked_at, monkeypatch):
    folder, look = looked_at
    pauses = []

    def end_the_look(seconds):
        pauses.append(seconds)
        fcntl.flock(look, fcntl.LOCK_UN)

    monkeypatch.setattr(_folder, "sleep", end_the_look)
    with folder.locked():
        assert len(pauses) == 1
        assert folder.is_locked()
        with pytest.raises(Conflict, match="another process runs the soak"), folder.locked():
            pass
    assert len(pauses) == 1, "for a process that runs it, nobody waits"
    assert not folder.is_locked()


def test_a_soak_waits_no_longer_than_a_second_for_a_look(looked_at, monkeypatch):
    folder, _ = looked_at
    clock = [0.0]
    monkeypatch.setattr(_folder, "monotonic", lambda: clock[0])
    monkeypatch.setattr(_folder, "sleep", lambda seconds: clock.append(clock.pop() + seconds))
    with pytest.raises(Conflict, match="another process runs the soak"), folder.locked():
        pass
    assert 1.0 < clock[0] < 1.1
