import contextlib
import random
import re
import time
from datetime import UTC, datetime, timedelta
from heapq import merge as merged
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_world import snapshot

from seedbed.errors import InvalidInput
from seedbed.records import NOT_APPLICABLE, Catalog, Store, merge, parse_query
from seedbed.records.query import matches
from seedbed.records.query._facts import Fact, facts
from seedbed.records.query._metric_names import nearest
from seedbed.records.query._query import And, Name, Not, Or, Predicate

METRICS = {"test": {"ap": {"value": 0.9, "low": 0.88, "high": 0.92}, "loss": 1}, "flag": True, "curve": [1, 2]}
CONFIG = {
    "optimizer": {"lr": 0.001, "name": "adam w"},
    "schedule": {"lr": 0.1},
    "note": None,
    "amp": False,
    "big": "x" * 2000,
}
FACTS = list(facts(snapshot("r1", seq=7, metrics=METRICS, config=CONFIG, volatile_settings=(), experiment_id="e-1")))


@pytest.mark.parametrize(
    "holding",
    [
        "stage=TRAINING",
        "stage == TRAINING and seq=7 and run_id = r1",
        "params.lr < 1e-2 and metrics.ap > 0.89",
        "metrics.test.ap = 0.9 and metrics.test.ap.low=.88",
        "params.optimizer.lr = 0.001 and not params.optimizer.lr = 0.1",
        "params.lr = 0.1 and params.lr = 0.001",
        "params.name = 'adam w' and params.optimizer.name = \"adam w\"",
        "stage in (FEATURE_SELECTION, TRAINING)",
        "seq in (1, 7) and not seq in (1,2)",
        "metrics.flag = true and params.amp=false and params.amp != true",
        "params.note = null and params.note",
        "(stage=NOTHING or experiment_id=e-1) and not (seq<7 or seq>7)",
        "not metrics.nothing = 1",
        "not metrics.nothing",
        "timestamp >= 2026-01-01 and timestamp < 2026-01-02",
        "metadata.n_symbols >= 4000 AND factors.threads=2 Or stage=x",
        "severity=NONE and model_family != GRU",
        "fingerprints.data != abc",
        "target='destination'",
    ],
)
def test_what_holds(holding):
    assert matches(parse_query(holding), FACTS)


@pytest.mark.parametrize(
    "failing",
    [
        "stage=training",
        "metrics.nothing != 1",
        "metrics.test.ap = '0.9'",
        "params.name < 1",
        "params.note != 1",
        "params.note < 1",
        "params.note != null",
        "metrics.flag = 1",
        "metrics.flag > false",
        "seq = true",
        "metrics.curve",
        "params.big",
        "params.optimizer",
        "stage=TRAINING and seq=8 or seq=9",
        "comparable = false",
        "metrics.low = 0.9",
    ],
)
def test_what_does_not_hold(failing):
    assert not matches(parse_query(failing), FACTS)


def test_and_binds_more_than_or_and_not_most():
    query = parse_query("not seq=1 and seq=2 or seq=3")
    one, two, three = (Predicate(Name("", "seq"), "=", (float(number),)) for number in (1, 2, 3))
    assert query == Or((And((Not(one), two)), three))


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("", 1, "expected a name"),
        ("stage", None, None),
        ("stage=", 7, "expected a number"),
        ("stage=)", 7, "expected a number"),
        ("stagee=1", 1, "did you mean stage?"),
        ("metric.ap>1", 1, "did you mean metrics.…?"),
        ("zzz=1", 1, "fields are project"),
        ("metrics=1", 1, "or a dotted path after"),
        ("(seq=1", 7, r"expected )"),
        ("seq=1 seq=2", 7, "expected and, or, or the end"),
        ("seq in 1", 8, "expected ("),
        ("seq in (1", 10, "expected )"),
        ("seq=1 and and", 11, "expected a name"),
        ("seq = 'open", 7, "expected a name, an operator or a value"),
        ("seq=1; drop table commits", 8, "expected and, or, or the end"),
        ("in=1", 1, "expected a name"),
        ("'x'=1", 1, "expected a name"),
    ],
)
def test_what_is_not_understood_is_pointed_at(text, at, said):
    if at is None:
        assert parse_query(text) == Predicate(Name("", "stage"), "=", ())
        return
    with pytest.raises(InvalidInput) as refused:
        parse_query(text)
    assert f"at character {at}: " in str(refused.value)
    assert said in str(refused.value)
    assert str(refused.value).splitlines()[-1] == f"  {' ' * (at - 1)}^"


@given(st.text(max_size=30))
def test_any_text_is_a_query_or_refused(text):
    with contextlib.suppress(InvalidInput):
        matches(parse_query(text), FACTS)


def test_a_name_alone_means_every_path_that_ends_in_it():
    name = Name("params", "lr")
    assert name.matches(Fact("params", "lr", 1))
    assert name.matches(Fact("params", "a.lr", 1))
    assert not name.matches(Fact("params", "alr", 1))
    assert not name.matches(Fact("metrics", "lr", 1))
    assert not Name("params", "b.lr").matches(Fact("params", "a.lr", 1))


def test_a_name_that_is_like_none_is_answered_with_all_of_them():
    assert nearest("metrics.qqq", {"metrics.test.loss"}) == "there are metrics.test.loss"
    assert nearest("metrics.qqq", set()) == "there is none"


METRIC_NAMES = ("metrics.test.ap", "metrics.test.ap.value", "metrics.test.loss", "metrics.train.loss")


@pytest.mark.parametrize(
    ("word", "path"), [("test.loss", "test.loss"), ("loss", "loss"), ("/test/ap", "test.ap"), ("ap.value", "ap.value")]
)
def test_a_metric_that_is_known_needs_no_first_part(word, path):
    assert parse_query(f"seq=7 and {word} > 0.5", METRIC_NAMES) == And(
        (Predicate(Name("", "seq"), "=", (7,)), Predicate(Name("metrics", path), ">", (0.5,)))
    )


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("test.los", "'test.los' is no field of a commit; did you mean metrics.test.loss"),
        ("stagee", "did you mean stage?"),
        ("oss", "'oss' is no field of a commit"),
    ],
)
def test_what_is_near_a_metric_is_told(word, hint):
    with pytest.raises(InvalidInput, match=re.escape(hint)):
        parse_query(f"{word} > 1", METRIC_NAMES)
    with pytest.raises(InvalidInput, match="is no field of a commit"):
        parse_query("test.loss > 1")


class SetClock:
    def __init__(self, hour: float) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return time.monotonic()


def at(where: Path, project: str, hour: float) -> None:
    with Store.open(where, create=True, clock=SetClock(hour)).start(project, f"{project}{hour}") as run:
        unknown = dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)
        run.finish(run.draft(metrics={"loss": 1.0}, fingerprints=unknown))


def newest_first(where: Path) -> list[tuple[str, int]]:
    with Catalog.open(Store.open(where)) as catalog:
        return [(found.project, found.seq) for found in catalog.search(limit=-1)]


@pytest.mark.parametrize("seed", range(3))
def test_over_projects_the_next_is_the_one_whose_newest_left_is_the_latest(tmp_path, seed):
    chance = random.Random(seed)
    hours: dict[str, list[int]] = {"p": [], "q": []}
    for hour in chance.sample(range(100), 12):  # every clock is wrong, each in its own way
        hours[project := chance.choice("pq")].append(hour)
        at(tmp_path, project, hour)
        if hour % 3 == 0:
            newest_first(tmp_path)  # which fills the catalog so far
    newest = [[(hour, name, seq) for seq, hour in reversed([*enumerate(hours[name], 1)])] for name in hours]
    expected = [(name, seq) for _, name, seq in merged(*newest, key=lambda item: item[0], reverse=True)]
    assert newest_first(tmp_path) == expected
    (tmp_path / "catalog.sqlite3").unlink()
    assert newest_first(tmp_path) == expected
    last = Store.open(tmp_path).newest(finished=True)
    assert last is not None
    assert last.commit is not None
    assert (last.project, last.commit.seq) == expected[0]


def test_a_copy_that_comes_late_moves_nothing_that_was_made_here(tmp_path):
    at(tmp_path / "other", "p", 1)
    for project, hour in (("q", 2), ("p", 3), ("q", 4)):
        at(tmp_path / "here", project, hour)
    merge(Store.open(tmp_path / "here"), Store.open(tmp_path / "other"))
    assert newest_first(tmp_path / "here") == [("q", 2), ("p", 2), ("p", 1), ("q", 1)]
    at(tmp_path / "here", "p", 5)
    assert newest_first(tmp_path / "here") == [("p", 3), ("q", 2), ("p", 2), ("p", 1), ("q", 1)]


def test_a_catalog_is_refreshed_where_there_is_one(tmp_path):
    at(tmp_path, "p", 1)
    store = Store.open(tmp_path)
    Catalog.refresh(store)
    assert not (tmp_path / "catalog.sqlite3").exists()
    Catalog.open(store).close()
    at(tmp_path, "p", 2)
    told: list[tuple[int, int]] = []
    Catalog.refresh(Store.open(tmp_path), progress=lambda *done: told.append(done))
    assert told == [(1, 1)]
