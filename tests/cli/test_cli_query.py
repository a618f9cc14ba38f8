"""`seedbed runs list` asks the catalog, and shows what was asked for."""

from pathlib import Path

import pytest
from cli_world import finished, interrupted

STORE = Path(".seedbed")


@pytest.fixture
def many(cli):
    for number in range(5):
        finished(STORE, f"run-{number}", ap=0.5 + number / 10, seed=number)
    interrupted(STORE, "stopped")
    return cli


def names(shown):
    return [line.split()[0] for line in shown.out.splitlines()[1:]]


def test_a_query_chooses_finished_runs(many):
    assert names(many("runs", "list", "--where", "metrics.test.random.ap > 0.65 and params.seed < 4")) == [
        "run-2",
        "run-3",
    ]
    assert "no finished run matches this query" in many("runs", "list", "--where", "seq > 99").out


def test_the_newest_are_shown_and_how_many_more_there_are(many):
    shown = many("runs", "list", "--limit", "2")
    assert names(shown) == ["run-3", "run-4", "stopped"]
    assert "and 3 more finished runs; --limit shows them" in shown.err


def test_sorting_puts_the_highest_first(many):
    assert names(many("runs", "list", "--sort", "metrics.test.random.ap", "--limit", "3")) == [
        "run-4",
        "run-3",
        "run-2",
    ]


def test_a_minus_puts_the_lowest_first_and_what_lacks_the_number_last(many):
    finished(STORE, "other", metrics={"score": 1.5})
    for words in (("--sort", "-test.random.ap"), ("--sort=-metrics.test.random.ap",)):
        assert names(many("runs", "list", *words)) == ["run-0", "run-1", "run-2", "run-3", "run-4", "other"]
    assert names(many("runs", "list", "--sort", "-test.random.ap", "--limit", "1")) == ["run-0"]
    refused = many("runs", "list", "--sort", "-test.random.app")
    assert (refused.code, "did you mean metrics.test.random.ap" in refused.err) == (2, True)


@pytest.mark.parametrize(
    "words", [("--where", "stage=TRAINING and seed = 3"), ("--column", "seed"), ("--sort", "-seed")]
)
def test_a_setting_or_factor_without_its_first_part_is_suggested_with_it(many, words):
    refused = many("runs", "list", *words)
    assert (refused.code, "did you mean factors.seed or params.training.seed?" in refused.err) == (2, True)


def test_columns_are_shown_by_their_names_and_as_json(many):
    shown = many("runs", "list", "--column", "params.seed", "--column", "stage", "--limit", "1")
    assert "params.seed" in shown.out.splitlines()[0]
    assert "TRAINING" in shown.out
    finished(STORE, "other", metrics={"score": 1.5})
    found = many("runs", "list", "--column", "params.seed", "--column", "score", "--json", "--limit", "2").json
    assert [run["columns"] for run in found["runs"][:2]] == [
        {"params.seed": 4, "metrics.score": None},
        {"params.seed": 0, "metrics.score": 1.5},
    ]
    assert found["more"] == 4


def test_a_query_that_is_not_understood_is_pointed_at_and_exits_with_2(many):
    refused = many("runs", "list", "--where", "stagee=1")
    assert refused.code == 2
    assert "did you mean stage?" in refused.err
    assert "^" in refused.err


def test_a_metric_may_be_written_as_a_screen_shows_it(many):
    for name in ("test.random.ap", "/test/random/ap", "test.random.ap.value"):
        assert names(many("runs", "list", "--where", f"{name} > 0.65 and params.seed < 4")) == ["run-2", "run-3"]
    refused = many("runs", "list", "--where", "seq > 1 and tset.random.ap > 0.65")
    assert refused.code == 2
    assert "'tset.random.ap' is no field of a commit; did you mean metrics.test.random.ap" in refused.err
    assert "timestamp" not in refused.err
    assert refused.err.splitlines()[-1].index("^") == refused.err.splitlines()[-2].index("tset")


def test_metrics_of_another_kind_have_columns_of_their_own(cli):
    finished(STORE, "other", metrics={"score": {"mean": 0.25, "loss": 2}})
    assert "score.loss" in cli("runs", "list").out.splitlines()[0]
    finished(STORE, "none", metrics={})
    assert cli("runs", "list").out.splitlines()[0].split()[-1] == "when"


def test_a_number_of_any_size_has_a_short_cell(cli):
    finished(STORE, "run-a", metrics={"a": 1e308, "b": 1234.5})
    assert cli("runs", "list").out.split()[-2:] == ["1e+308", "1234.500"]


@pytest.mark.parametrize(
    ("arguments", "name", "near"),
    [
        (("list", "--where", "metrics.tst.random.ap > 0"), "metrics.tst.random.ap", "metrics.test.random.ap"),
        (("list", "--where", "seq > 1 and not (params.sede = 1)"), "params.sede", "params.training.seed"),
        (("list", "--where", "params.sede in (1, 2) or seq > 1"), "params.sede", "params.training.seed"),
        (("list", "--column", "metrics.tst.random.ap"), "metrics.tst.random.ap", "metrics.test.random.ap"),
        (("list", "--where", "fingerprints.dat = x"), "fingerprints.dat", "fingerprints.data"),
        (("list", "--column", "metadata.cohort"), "metadata.cohort", "metadata.cohort_id"),
        (("export", "csv", "--out", "x.csv", "--where", "params.sede = 1"), "params.sede", "params.training.seed"),
    ],
)
def test_a_name_that_no_run_has_is_refused_with_the_nearest(many, arguments, name, near):
    refused = many("runs", *arguments)
    assert refused.code == 2
    assert f"no finished run has a value {name!r}; " in refused.err
    assert near in refused.err


def test_a_query_may_ask_whether_a_name_exists_and_an_empty_store_refuses_none(many, tmp_path):
    assert len(names(many("runs", "list", "--where", "not params.nothing"))) == 5
    interrupted(tmp_path / "other", "stopped")
    empty = many("runs", "list", "--where", "metrics.ap > 0", "--store", str(tmp_path / "other"))
    assert (empty.code, "no finished run matches this query" in empty.out) == (0, True)


def test_without_a_terminal_no_progress_is_printed(many):
    assert many("runs", "list").err == ""
    refused = many("runs", "list", "--sort", "metrics.nothing").err
    assert refused.startswith("error: no finished run has a number 'metrics.nothing'")
