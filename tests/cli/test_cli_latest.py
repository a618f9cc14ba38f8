"""`latest`: the run that finished last, or for some commands the one that did anything last; the order of `list`."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_world import finished, interrupted

from seedbed.records import NOT_APPLICABLE, Catalog, SearchHit, Store, merge

STORE = Path(".seedbed")
UNKNOWN = dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class SetClock:
    """A clock that stands at an hour."""

    def __init__(self, hour: float) -> None:
        self.hour = hour

    def now(self) -> datetime:
        return NOON + timedelta(hours=self.hour)

    def monotonic(self) -> float:
        return time.monotonic()


def at(hour: float, project: str, run_id: str, store: Path = STORE) -> None:
    """Finish a run by a clock that stands at `hour`."""
    with Store.open(store, create=True, clock=SetClock(hour)).start(project, run_id) as run:
        run.finish(run.draft(metrics={"loss": 1.0}, fingerprints=UNKNOWN))


def listed(cli, *words):
    return [run["run_id"] for run in cli("runs", "list", "--json", *words).json["runs"]]


def shown(cli):
    return cli("runs", "show", "latest", "--json").json["run_id"]


@pytest.fixture
def stopped(cli):
    """Two runs that finished, and one that was stopped after them."""
    finished(STORE, "run-a", ap=0.9)
    finished(STORE, "run-b", ap=0.7, seed=1)
    interrupted(STORE, "run-c")
    return cli


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "verify"),
        ("runs", "diff"),
        ("runs", "why"),
        ("runs", "trend", "--metric", "test.random.ap"),
        ("runs", "promote"),
        ("runs", "views"),
        ("report",),
    ],
)
def test_where_a_commit_is_needed_latest_is_the_run_that_finished_last(stopped, words):
    answer = stopped(*words, "latest")
    assert (answer.code, stopped(*words, "run-b").code) == (0, 0)
    note = "latest is run-b of flights, which finished last; after it run run-c of flights, attempt 1, is INTERRUPTED"
    assert note in answer.err
    assert "latest is" not in stopped(*words, "run-b").err


def test_demote_latest_takes_the_baseline_of_the_run_that_finished_last(stopped):
    stopped("runs", "promote", "latest")
    assert [item["run_id"] for item in stopped("runs", "baselines", "--json").json["baselines"]] == ["run-b"]
    assert stopped("runs", "demote", "latest").code == 0
    assert stopped("runs", "baselines", "--json").json["baselines"] == []


def test_where_no_commit_is_needed_latest_is_the_run_that_was_stopped_after(stopped):
    assert shown(stopped) == "run-c"
    assert stopped("runs", "steps", "latest", "--json").json["run_id"] == "run-c"
    judged = stopped("gate", "latest", "--json")
    assert (judged.json["run_id"], judged.json["verdict"]) == ("run-c", "NO_DATA")


def test_where_nothing_finished_latest_names_what_did_not(cli):
    interrupted(STORE, "a")
    refused = cli("runs", "verify", "latest")
    assert (refused.code, "run a of flights, attempt 1, is INTERRUPTED" in refused.err) == (2, True)


def test_where_the_commit_that_was_made_last_is_lost_latest_is_no_earlier_one(stopped):
    (STORE / "log/flights/00000000000000000002.json").unlink()
    answer = stopped("runs", "verify", "latest")
    assert (answer.code, "run-b" in answer.err) == (1, True)


def test_a_clock_that_is_ahead_changes_no_order_within_its_project(cli):
    for hour, project, run_id in ((0, "p", "p1"), (1, "q", "q1"), (7, "p", "p2-ahead"), (3, "p", "p3"), (4, "q", "q2")):
        at(hour, project, run_id)
    assert listed(cli) == ["p1", "q1", "p2-ahead", "p3", "q2"]
    assert [listed(cli, "--limit", str(most)) for most in (1, 2, 3)] == [
        ["q2"],
        ["p3", "q2"],
        ["p2-ahead", "p3", "q2"],
    ]
    assert shown(cli) == "q2"
    at(5, "p", "p4")
    assert (listed(cli, "--limit", "1"), shown(cli)) == (["p4"], "p4")


def test_two_machines_of_which_one_is_ahead_take_turns_in_the_order_of_their_commits(cli):
    for turn in range(6):
        at(turn + (9 if turn % 2 else 0), "p", f"p{turn}")
    at(2.5, "q", "q")
    (STORE / "catalog.sqlite3").unlink(missing_ok=True)
    expected = ["p0", "p1", "p2", "q", "p3", "p4", "p5"]  # p2 at 2 and p4 at 4 finished by the clock that is right
    assert listed(cli) == expected
    with Catalog.open(Store.open(STORE)) as catalog:
        found = catalog.search(limit=2)
    assert found == [SearchHit("p", 6), SearchHit("p", 5)]
    assert shown(cli) == "p5"


def test_a_copy_that_comes_late_moves_nothing_that_was_made_here(cli):
    at(0, "p", "old", Path("other"))
    for hour, project, run_id in ((3, "q", "q1"), (4, "p", "p1"), (5, "q", "q2")):
        at(hour, project, run_id)
    assert listed(cli) == ["q1", "p1", "q2"]
    merge(Store.open(STORE), Store.open("other"))
    assert listed(cli) == ["q1", "p1", "old", "q2"]
    at(6, "p", "p2")
    assert listed(cli) == ["q1", "p1", "old", "q2", "p2"]
    assert shown(cli) == "p2"
