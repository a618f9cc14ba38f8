"""`--out` says where to write in every command; the names that it had before still work, and are not shown."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from cli_world import finished

from seedbed.cli._app import app

STORE = Path(".seedbed")
WRITES = re.compile(
    r"^(?:also )?(?:where to write|write|draw|the folder to write)|each gets a folder of its own", re.IGNORECASE
)
# What is written with its own name, into a folder that is chosen elsewhere.
NO_PLACES = {("soak", "gate"): "prometheus"}


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    below = getattr(command, "commands", {})
    if not below:
        yield path, command
    for name, each in below.items():
        yield from commands(each, (*path, name))


def shown(command: Any) -> Iterator[Any]:
    return (each for each in command.params if not getattr(each, "hidden", False))


ALL = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_whatever_says_where_to_write_is_named_out(path):
    places = [each for each in shown(ALL[path]) if WRITES.search(getattr(each, "help", None) or "")]
    named = [each.opts for each in places if each.name != NO_PLACES.get(path)]
    assert named in ([], [["--out"]])


def test_the_commands_that_write_to_a_place_are_these():
    out = {" ".join(path) for path, command in ALL.items() if any("--out" in each.opts for each in shown(command))}
    file = {"gate", "init", "report", "runs export", "runs steps", "runs trend"}
    assert out == file | {"shard", "soak run"}


@pytest.mark.parametrize(
    ("command", "former", "written"),
    [
        (("runs", "steps", "latest"), ("--to",), "steps.csv"),
        (("runs", "trend", "latest", "--metric", "metrics.test.random.ap"), ("--plot",), "trend.svg"),
        (("gate", "latest"), ("--prometheus",), "gate.prom"),
        (("runs", "export", "csv"), (), "runs.csv"),
        (("init",), (), "job.yaml"),
    ],
)
def test_the_former_name_does_the_same_and_both_at_once_are_refused(cli, command, former, written):
    for number in range(12):
        finished(STORE, f"run-{number}", ap=0.9 + number / 1000, seed=number)
    assert cli(*command, "--out", f"new-{written}").code == 0
    assert cli(*command, *former, f"old-{written}").code == 0
    new, old = (Path(f"{age}-{written}").read_bytes() for age in ("new", "old"))
    assert new == old != b""
    refused = cli(*command, "--out", f"both-{written}", *former, f"other-{written}")
    assert refused.code == 2
    assert "both say where to write; give --out alone" in refused.err
    assert not Path(f"both-{written}").exists()


@pytest.mark.parametrize(
    ("path", "former"), [("runs steps", "--to"), ("runs trend", "--plot"), ("gate", "--prometheus")]
)
def test_the_former_names_are_in_no_help(cli, path, former):
    words = cli(*path.split(), "--help").out.split()
    assert "--out" in words
    assert former not in words


def files_in(folder: str) -> dict[str, bytes]:
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_sessions_go_where_out_says(cli):
    Path("events.csv").write_text("src,dst,t\n1,2,3\n2,3,4\n")
    assert cli("shard", "events.csv", "--out", "new", "--by", "10").code == 0
    assert cli("shard", "events.csv", "old", "--by", "10").code == 0
    assert files_in("new") == files_in("old") != {}


@pytest.mark.parametrize("command", [("shard", "events.csv"), ("runs", "export", "csv")])
def test_a_command_without_a_place_of_its_own_asks_for_one(cli, command):
    finished(STORE, "run-1")
    Path("events.csv").write_text("src,dst,t\n1,2,3\n")
    refused = cli(*command)
    assert (refused.code, "give --out" in refused.err) == (2, True)


def test_what_a_soak_was_told_by_out_can_be_said_to_its_other_commands(cli):
    cli("soak", "run", "--mock", "--iterations", "4", "--out", "elsewhere", "--no-control")
    assert cli("soak", "verify", "--out", "elsewhere", "--no-repeat", "--json").json["clean"] is True
    same = cli("soak", "verify", "--path", "elsewhere", "--no-repeat", "--json").json
    assert cli("soak", "verify", "--out", "elsewhere/latest", "--no-repeat", "--json").json == same
    assert cli("soak", "gate", "--out", "elsewhere", "--json").json["checks"]


@pytest.mark.parametrize("command", [("init",), ("shard",), ("runs", "export")])
def test_a_former_spelling_is_not_in_the_usage(cli, command):
    (usage,) = [line for line in cli(*command, "--help").out.splitlines() if "Usage:" in line]
    shown = " ".join(usage.split()).split("[OPTIONS] ")[1]
    assert shown.strip("[]{}") in {"EVENTS", "FORM"}


@pytest.mark.parametrize(("typed", "meant"), [("compare", "diff"), ("ls", "list"), ("dif", "diff")])
def test_the_name_that_another_tool_has_for_a_command_leads_to_ours(cli, typed, meant):
    refused = cli("runs", typed, "a", "b")
    assert (refused.code, f"No such command '{typed}'. Did you mean '{meant}'?" in refused.err) == (2, True)


@pytest.mark.parametrize(
    "command",
    [
        ("gate", "latest"),
        ("report", "latest"),
        ("runs", "steps", "latest"),
        ("runs", "trend", "latest", "--metric", "metrics.test.random.ap"),
        ("init",),
        ("runs", "export", "csv"),
    ],
    ids=" ".join,
)
def test_a_folder_where_a_file_is_to_be_written_is_a_usage_error(cli, command):
    finished(STORE, "run-1", ap=0.9)
    place = Path("there.svg" if "trend" in command else "there.csv" if "runs" in command else "there")
    place.mkdir()
    refused = cli(*command, "--out", str(place))
    assert refused.code == 2
    assert f"--out is {place}, which is a folder; expected the name of a file" in refused.err
    assert list(place.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_said(cli):
    finished(STORE, "run-1", ap=0.9)
    refused = cli("report", "latest", "--out", "/proc/nowhere/report.html")
    assert refused.code != 0
    assert "cannot replace /proc/nowhere/report.html" in refused.err
    assert "its folder cannot be written to; choose another one" in refused.err
