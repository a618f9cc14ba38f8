"""The start of the command: what it imports, what its help says, and how errors are shown."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_world import finished, interrupted

from seedbed import __version__

COMMANDS = [
    ("demo",),
    ("train",),
    ("init",),
    ("shard",),
    ("doctor",),
    ("gate",),
    ("report",),
    ("runs", "list"),
    ("runs", "show"),
    ("runs", "diff"),
    ("runs", "verify"),
    ("runs", "fsck"),
    ("changes", "show"),
    ("changes", "replay"),
    ("soak", "run"),
    ("soak", "verify"),
    ("soak", "gate"),
]
REPORTING = [command for command in COMMANDS if command != ("init",)]

IMPORTS = """
import sys
from seedbed.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    heavy = sorted({"torch", "polars", "numpy"} & set(sys.modules))
    print("heavy:", heavy, "code:", ended.code, file=sys.stderr)
"""


def imports_of(*arguments: str, folder: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return ran.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("--help",), ("demo", "--help"), ("runs", "--help"), ("soak", "--help"), ("--version",)]
)
def test_help_imports_nothing_heavy(arguments, tmp_path):
    assert imports_of(*arguments, folder=tmp_path) == "heavy: [] code: 0"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [("runs", "list"), ("runs", "show", "a"), ("runs", "diff", "a"), ("runs", "verify", "a"), ("runs", "fsck")],
)
def test_reading_runs_never_imports_torch(arguments, tmp_path):
    finished(tmp_path / ".seedbed", "a")
    assert imports_of(*arguments, folder=tmp_path) == "heavy: [] code: 0"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["gate", "report"])
def test_judging_and_reporting_need_no_torch(command, tmp_path):
    finished(tmp_path / ".seedbed", "a")
    assert "torch" not in imports_of(command, "a", folder=tmp_path)


@pytest.mark.slow
def test_the_import_check_can_fail(tmp_path):
    assert "torch" in imports_of("demo", "--resume", "a", folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command, cli):
    answer = cli(*command, "--help")
    assert answer.code == 0
    assert "Example" in answer.out
    assert f"seedbed {' '.join(command)}" in answer.out


@pytest.mark.parametrize("command", REPORTING, ids=" ".join)
def test_every_reporting_command_takes_json(command, cli):
    assert "--json" in cli(*command, "--help").out


def test_the_version_is_the_packages(cli):
    assert cli("--version").out.strip() == f"seedbed {__version__}"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("no-such-command",),
        ("demo", "--mode", "fast"),
        ("demo", "--events", "0"),
        ("demo", "--inject", "earthquake"),
        ("runs", "show"),
    ],
)
def test_wrong_usage_ends_with_2(arguments, cli):
    assert cli(*arguments).code == 2


def test_an_unknown_run_is_named_and_ends_with_2(cli):
    finished(Path(".seedbed"), "a")
    answer = cli("runs", "show", "nope")
    assert answer.code == 2
    assert answer.out == ""
    assert "'nope'" in answer.err
    assert "seedbed runs list" in answer.err


def test_a_beginning_that_fits_two_runs_ends_with_2(cli):
    finished(Path(".seedbed"), "a1")
    finished(Path(".seedbed"), "a2")
    answer = cli("runs", "show", "a")
    assert answer.code == 2
    assert "fits 2 runs" in answer.err


def test_a_missing_store_ends_with_2_and_says_how_to_get_one(cli):
    answer = cli("runs", "list")
    assert answer.code == 2
    assert "seedbed demo" in answer.err


def test_an_empty_store_has_no_latest_run(cli):
    from seedbed.records import Store

    Store.open(".seedbed", create=True)
    answer = cli("runs", "show", "latest")
    assert answer.code == 2
    assert "no run yet" in answer.err


def test_a_run_without_a_record_cannot_be_compared(cli):
    interrupted(Path(".seedbed"), "a")
    answer = cli("runs", "diff", "a")
    assert answer.code == 2
    assert "INTERRUPTED (Ctrl-C)" in answer.err


def test_our_own_fault_ends_with_70_and_asks_for_a_report(cli, monkeypatch):
    def broken(*_):
        raise TypeError("a defect")

    monkeypatch.setattr("seedbed.records.Store.open", broken)
    answer = cli("runs", "list")
    assert answer.code == 70
    assert "internal error: TypeError: a defect" in answer.err
    assert "--traceback" in answer.err
    assert "Traceback" not in answer.err


def test_a_traceback_is_shown_when_asked_for_anywhere_in_the_command(cli):
    finished(Path(".seedbed"), "a")
    answer = cli("runs", "show", "nope", "--traceback")
    assert answer.code == 2
    assert "Traceback" in answer.err


def test_ctrl_c_ends_with_130(cli, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("seedbed.records.Store.open", interrupt)
    assert cli("runs", "list").code == 130


def test_the_store_comes_from_the_option_or_the_environment(cli, tmp_path, monkeypatch):
    finished(tmp_path / "elsewhere", "a")
    assert "a  " in cli("runs", "list", "--store", tmp_path / "elsewhere").out
    monkeypatch.setenv("HOME", str(tmp_path))
    for named in (str(tmp_path / "elsewhere"), "~/elsewhere"):
        monkeypatch.setenv("SEEDBED_STORE", named)
        assert "a  " in cli("runs", "list").out
