"""An input of which nobody told the fingerprint: it is UNKNOWN, and what is said of such a pair rests on that."""

from typing import Any

import pytest
from records_world import CUT, PROJECT, commit, draft, snapshot

from seedbed.contracts import Severity
from seedbed.errors import InvalidInput
from seedbed.records import (
    EXACT,
    NOT_APPLICABLE,
    REPLICATE,
    UNKNOWN,
    Diff,
    MetricDelta,
    Store,
    ablation,
    compare,
    compare_under_each,
    digest,
    verify,
    why,
)

NOBODY = "nobody said which data either run used"
RESTS = f"; {NOBODY}: this rests on it being the same"
TOLD = {name: digest(name) for name in ("split", "target", "feature", "code", "environment")}
SILENT: dict[str, str] = {**TOLD, "data": UNKNOWN}


def silent(run_id, **options):
    return snapshot(run_id, fingerprints=SILENT, **options)


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "s", create=True)


def test_a_draft_takes_it_for_a_fingerprint_and_for_no_digest_of_a_result():
    assert draft("r1", fingerprints=SILENT).fingerprints["data"] == UNKNOWN
    with pytest.raises(InvalidInput) as refusal:
        draft("r1", fingerprints={**SILENT, "split": "unknown"}, predictions=UNKNOWN, blobs={"b": UNKNOWN})
    assert str(refusal.value).count("expected 64 hexadecimal digits") == 3
    assert "fingerprints.split is 'unknown', expected 64 hexadecimal digits or NOT_APPLICABLE or UNKNOWN" in str(
        refusal.value
    )


def test_exactness_is_not_claimed_of_what_nobody_knows():
    found = compare(silent("r1"), silent("r2"), EXACT)
    assert (found.comparable, found.reasons) == (False, (f"{NOBODY}, so whether it differs is not known",))


@pytest.mark.parametrize("policy", [REPLICATE, ablation("data"), ablation("lr")])
def test_every_other_policy_allows_it_and_names_it(policy):
    found = compare(silent("r1"), silent("r2"), policy)
    assert found.comparable
    assert [(item.name, item.previous, item.current) for item in found.excluded_factors] == [
        ("/fingerprints/data", UNKNOWN, UNKNOWN)
    ]


@pytest.mark.parametrize("name", ["feature", "code"])
def test_one_that_is_in_no_comparison_group_is_treated_so_too(name):
    given = {**TOLD, "data": digest("d"), name: UNKNOWN}
    pair = snapshot("r1", fingerprints=given), snapshot("r2", fingerprints=given)
    assert compare(*pair, EXACT).reasons == (
        f"nobody said which {name} either run used, so whether it differs is not known",
    )
    assert compare(*pair, REPLICATE).comparable


@pytest.mark.parametrize(("silent_one", "other"), [("earlier", "later"), ("later", "earlier")])
def test_known_against_unknown_is_said_and_no_policy_allows_it(silent_one, other):
    first, second = (silent("r1"), snapshot("r2")) if silent_one == "earlier" else (snapshot("r1"), silent("r2"))
    said = f"nobody said which data the {silent_one} run used, so whether it is that of the {other} one is not known"
    for policy in (EXACT, REPLICATE, ablation("data")):
        found = compare(first, second, policy)
        assert (found.comparable, found.reasons[0]) == (False, said)


def test_that_data_do_not_apply_is_another_thing_than_not_to_know_them():
    found = compare(snapshot("r1", fingerprints={**TOLD, "data": NOT_APPLICABLE}), silent("r2"), REPLICATE)
    assert found.reasons[0].startswith("nobody said which data the later run used")
    given = {**TOLD, "data": NOT_APPLICABLE}
    assert compare(snapshot("r1", fingerprints=given), snapshot("r2", fingerprints=given), EXACT).comparable


def test_the_same_word_in_a_setting_is_a_text_like_any_other():
    first, second = (snapshot(run, config={"data_fingerprint": word}) for run, word in (("r1", UNKNOWN), ("r2", "x")))
    assert compare(first, second, EXACT).reasons == ("config/data_fingerprint differs: UNKNOWN / x",)


def test_there_is_no_ablation_of_what_is_only_unknown():
    assert [(each.policy, each.comparable) for each in compare_under_each(silent("r1"), silent("r2"))] == [
        ("EXACT", False),
        ("REPLICATE", True),
    ]
    pair = silent("r1"), silent("r2", factors={"seed": 0, "threads": 4})
    assert [each.comparable for each in compare_under_each(*pair)] == [False, False, True]


@pytest.mark.parametrize(
    ("changes", "policy", "summary"),
    [
        ({}, "REPLICATE", "comparable: every input that is told is the same"),
        ({"seed": 1}, "REPLICATE", "comparable: a replicate, only the seed differs"),
        (
            {"factors": {"seed": 0, "threads": 4}},
            "ABLATION",
            "no replicate: factors/threads differs: 2 / 4; comparable as `--policy ablation --factor threads`",
        ),
        (
            {"ap": 0.8},
            "REPLICATE",
            "comparable: every recorded input is the same and the results are not: something that is not recorded "
            "differs, such as the data, of which the record has no fingerprint, or the run is not deterministic",
        ),
    ],
)
def test_the_predecessor_is_found_and_the_summary_says_what_it_rests_on(store, changes, policy, summary):
    commit(store, "r1", fingerprints=SILENT)
    found = commit(store, "r2", fingerprints=SILENT, **changes).snapshot.diff_prev
    assert (found.prev_run_id, found.policy, found.comparable) == ("r1", policy, True)
    assert found.summary == summary + RESTS
    assert "/fingerprints/data" not in found.changed_keys


def test_where_no_policy_allows_the_pair_nothing_rests_on_the_data(store):
    first = commit(store, "r1", fingerprints=SILENT)
    second = commit(store, "r2", fingerprints={**SILENT, "target": digest("other")})
    assert RESTS not in store.log(PROJECT).diff(first, second).summary


def test_changes_by_rules_of_the_run_leave_it_a_replicate_with_the_same_caveat(store):
    options: dict[str, Any] = {"fingerprints": SILENT, "config": {"seed": 0, "somebody": {"by": 2}}}
    commit(store, "r1", **options)
    changes = {**CUT, "proposers": {"somebody": {"by": 2}}}
    documents = {"audit_run": {"degraded": False}, "changes": changes}
    found = commit(store, "r2", **options, documents=documents).snapshot.diff_prev
    assert found.summary == "comparable: a replicate, only the seed and the changes that follow from it differ" + RESTS


def test_runs_of_unknown_data_never_become_the_replicates_of_known_data(store):
    for seed in range(5):
        commit(store, f"silent-{seed}", seed=seed, ap=0.9 + seed / 1000, fingerprints=SILENT)
    known = commit(store, "known", seed=7)
    assert known.snapshot.diff_prev.prev_run_id is None
    later = commit(store, "known-2", seed=8, ap=0.7).snapshot.diff_prev
    assert later.metric_deltas["/test/ap"].noise == "not enough replicates: 1 of 4"


def test_noise_counts_the_replicates_among_runs_of_unknown_data(store):
    for seed in range(5):
        commit(store, f"r{seed}", seed=seed, ap=0.9 + seed / 1000, fingerprints=SILENT)
    found = commit(store, "r5", seed=5, ap=0.5, fingerprints=SILENT).snapshot.diff_prev
    assert found.metric_deltas["/test/ap"].noise == "exceeds noise of 5 replicates"
    assert (found.severity, RESTS in found.summary) == (Severity.MAJOR, True)


def test_no_difference_is_only_none_that_is_told(store):
    commit(store, "r1", fingerprints=SILENT)
    found = commit(store, "r2", fingerprints=SILENT).snapshot.diff_prev
    assert (found.severity, found.severity_reason) == (Severity.NONE, "nothing that is told differs")
    commit(store, "r3")
    found = commit(store, "r4").snapshot.diff_prev
    assert (found.severity, found.severity_reason) == (Severity.NONE, "nothing differs")


def test_the_record_keeps_it_and_every_digest_agrees(store):
    commit(store, "r1", fingerprints=SILENT, fingerprint_sources={"data": "nobody said which data this run used"})
    checks = verify(store, store.find("r1"))
    assert checks
    assert all(each.holds for each in checks)
    assert store.log(PROJECT).read(1).snapshot.comparison_group["data_fingerprint"] == UNKNOWN


def explained(before, after, noise="exceeds noise of 5 replicates"):
    delta = MetricDelta(previous=0.9, current=0.8, absolute=-0.1, percent=-11, noise=noise, z=None)
    return why(before, after, Diff(summary="", metric_deltas={"/test/ap": delta}), ())


def test_why_names_it_beside_the_known_causes_and_below_them():
    found = explained(silent("r1"), silent("r2", factors={"seed": 0, "threads": 4}, config={"seed": 0}))
    assert found.causes[-1].name in {"/fingerprints/data", "/factors/threads"}
    cause = next(each for each in found.causes if each.name == "/fingerprints/data")
    assert (cause.likelihood, cause.evidence) == (0.1, f"{NOBODY}, so whether it differs is not known")
    assert found.summary.endswith(RESTS)


def test_why_calls_it_no_chance_where_only_the_data_may_differ():
    found = explained(silent("r1"), silent("r2", ap=0.8))
    assert "this is chance" not in found.summary
    assert "such as the data, of which the record has no fingerprint" in found.summary
    assert [cause.name for cause in found.causes] == ["/fingerprints/data"]


def test_why_calls_replicates_chance_if_both_had_the_same_data():
    found = explained(silent("r1"), silent("r2", ap=0.8, seed=1))
    assert "this is chance" in found.summary
    assert found.summary.endswith(RESTS)
    likelihoods = {cause.name: cause.likelihood for cause in found.causes}
    assert likelihoods["/fingerprints/data"] < likelihoods["/config/seed"] == 1.0
