"""Why two runs differ: planted causes come out first, and history outweighs what is usual."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_world import CUT, PROJECT, commit, snapshot

from seedbed.errors import InvalidInput
from seedbed.records import Diff, MetricDelta, Store, why
from seedbed.records.compare._noise import EXCEEDS, REPLICATES_NEEDED, WITHIN, noise_of

METRIC = "/test/ap"
OPTIMIZER = {"lr": 0.001, "eps": 1e-8}
CONFIG = {"optimizer": OPTIMIZER, "report": "report.html", "seed": 0}
_METRICS = itertools.count(1)


def config(**changes):
    return {**CONFIG, "optimizer": {**OPTIMIZER, **changes}}


def earlier(*keys, moved, before=None):
    """An earlier diff in which `keys` changed, and the metric moved, did not, or nobody knows (None).

    No two repeat each other, unless `before` gives both the same metric.
    """
    words = {
        True: f"{EXCEEDS} of 5 replicates",
        False: f"{WITHIN} of 5 replicates",
        None: "not enough replicates: 1 of 4",
    }
    previous = next(_METRICS) if before is None else before
    delta = MetricDelta(previous=previous, current=previous + 1, absolute=1, percent=100, noise=words[moved])
    return Diff(summary="", changed_keys=keys, metric_deltas={METRIC: delta})


def explained(before, after, history=(), noise=None, metric=None):
    delta = MetricDelta(
        previous=0.9,
        current=after.metrics["test"]["ap"],
        absolute=after.metrics["test"]["ap"] - 0.9,
        percent=1,
        noise=noise or f"{EXCEEDS} of 5 replicates",
    )
    return why(before, after, Diff(summary="", metric_deltas={METRIC: delta}), history, metric)


def names(found):
    return [cause.name for cause in found.causes]


def test_what_history_shows_to_move_the_metric_comes_first():
    before = snapshot("r1", config=config())
    after = snapshot("r2", config=config(lr=0.01, eps=1e-6), ap=0.8)
    history = [
        *(earlier("/config/optimizer/eps", moved=True) for _ in range(3)),
        *(earlier("/config/optimizer/lr", moved=False) for _ in range(3)),
        earlier("/config/optimizer/lr", moved=None),
    ]
    found = explained(before, after, history)
    assert names(found) == ["/config/optimizer/eps", "/config/optimizer/lr"]
    assert found.causes[0].evidence == "the metric moved in 3 of 3 earlier runs that changed it"
    assert found.causes[1].evidence == (
        "the metric moved in 0 of 3 earlier runs that changed it and could be judged; 1 more had too few replicates"
    )
    assert found.causes[0].likelihood == pytest.approx((0.5 + 3) / 4, abs=1e-3)
    assert found.causes[1].likelihood == pytest.approx(0.5 / 4, abs=1e-3)


@pytest.mark.parametrize(("count", "runs"), [(1, "1 earlier run"), (2, "2 earlier runs")])
def test_history_without_replicates_judges_nothing(count, runs):
    before, after = snapshot("r1", config=config()), snapshot("r2", config=config(lr=0.01), ap=0.8)
    (cause,) = explained(before, after, [earlier("/config/optimizer/lr", moved=None) for _ in range(count)]).causes
    assert cause.evidence == f"{runs} changed it, but with too few replicates to judge"


def test_earlier_runs_that_repeat_each_other_are_evidence_once():
    before, after = snapshot("r1", config=config()), snapshot("r2", config=config(lr=0.01), ap=0.8)
    repeats = [earlier("/config/optimizer/lr", moved=moved, before=0.5) for moved in (None, True, True, True)]
    (cause,) = explained(before, after, [*repeats, earlier("/config/optimizer/lr", moved=False)]).causes
    assert cause.evidence == "the metric moved in 1 of 2 earlier runs that changed it"
    assert cause.likelihood == pytest.approx((0.5 + 1) / 3, abs=1e-3)


def test_without_history_the_usual_likelihood_of_its_kind_decides():
    before = snapshot("r1")
    after = snapshot("r2", data="other", config=config(lr=0.01), factors={"seed": 0, "threads": 4}, ap=0.8)
    found = explained(before, after)
    assert names(found)[0] == "/data_fingerprint"
    assert names(found)[-1] == "/factors/threads"
    assert names(found).index("/config/optimizer/lr") < names(found).index("/factors/threads")
    assert "usual likelihood" in found.causes[0].evidence
    assert len(found.disqualifying) == 1
    assert found.disqualifying[0].startswith("data fingerprint differs")


def test_of_settings_that_changed_together_each_has_its_share():
    before, after = snapshot("r1", config=config()), snapshot("r2", config=config(lr=0.1), ap=0.8)
    alone = explained(before, after, [earlier("/config/optimizer/lr", moved=True)])
    shared = explained(before, after, [earlier("/config/optimizer/lr", "/config/a", "/config/b", moved=True)])
    assert alone.causes[0].likelihood > shared.causes[0].likelihood > 0.5


def test_applied_changes_and_kernels_may_explain_it_too():
    before = snapshot("r1", documents={"audit_run": {"degraded": False, "flash": {"kernels": {"flash": 3}}}})
    after = snapshot(
        "r2", ap=0.8, documents={"changes": CUT, "audit_run": {"degraded": True, "flash": {"kernels": {}}}}
    )
    found = names(explained(before, after))
    assert found == ["/course/changes/optimizer.lr", "/course/runtime/degraded", "/kernels/flash"]


def test_another_pytorch_may_explain_it_and_then_it_is_no_chance():
    audits = ({"audit_run": {"degraded": False, "pytorch_version": version}} for version in ("2.13.0", "2.14.0"))
    before, after = (snapshot(f"r{ap}", ap=ap, documents=audit) for ap, audit in zip((0.9, 0.8), audits, strict=True))
    found = explained(before, after)
    assert names(found) == ["/course/packages/torch"]
    assert (found.causes[0].previous, found.causes[0].current) == ("2.13.0", "2.14.0")
    assert found.causes[0].likelihood == 0.2
    assert "recorded" not in found.summary


def test_chance_is_named_where_it_suffices():
    before, after = snapshot("r1"), snapshot("r2", factors={"seed": 0, "threads": 4}, ap=0.901)
    assert "chance can explain this" in explained(before, after, noise=f"{WITHIN} of 6 replicates").summary
    open_ = explained(before, after, noise="not enough replicates: 2 of 4").summary
    assert open_.endswith("unknown whether by chance: not enough replicates: 2 of 4")
    assert explained(before, after).summary.endswith("exceeds noise of 5 replicates")


@pytest.mark.parametrize(
    ("noise", "z", "often"),
    [
        ("exceeds noise of 5 replicates", 3.1, "; of 100 replicates 5 exceed noise so, in each metric"),
        ("exceeds noise: 5 replicates agree exactly", None, ""),
        ("within noise of 5 replicates", 1.2, ""),
        ("not enough replicates: 1 of 4", None, ""),
    ],
)
def test_between_replicates_there_is_chance_and_no_cause(noise, z, often):
    before, after = snapshot("r1"), snapshot("r2", seed=1, ap=0.8)
    delta = MetricDelta(previous=0.9, current=0.8, absolute=-0.1, percent=-11, noise=noise, z=z)
    history = [earlier("/config/seed", "/factors/seed", moved=False) for _ in range(5)]
    found = why(before, after, Diff(summary="", metric_deltas={METRIC: delta}), history)
    assert found.summary == (
        f"/test/ap moved by -0.1, {noise}: nothing that is recorded differs but the seed and what follows from it, so "
        f"this is chance{often}"
    )
    assert {(cause.name, cause.likelihood) for cause in found.causes} == {("/config/seed", 1), ("/factors/seed", 1)}
    assert all(cause.evidence.endswith(": chance") for cause in found.causes)


def test_a_kernel_beside_another_seed_is_judged_by_history_as_ever():
    audit = {"flash": {"kernels": {"flash": 3}}}
    before = snapshot("r1", documents={"audit_run": {"flash": {}}})
    found = explained(before, snapshot("r2", seed=1, documents={"audit_run": audit}, ap=0.8))
    assert {cause.name: cause.likelihood for cause in found.causes}["/kernels/flash"] == 0.5
    same = explained(before, snapshot("r2", documents={"audit_run": audit}, ap=0.8))
    assert "chance" not in same.summary


def test_a_seed_explains_no_move_that_its_own_replicates_do_not_make():
    before, after = (
        snapshot("r1", config=config()),
        snapshot("r2", seed=1, config={**config(lr=0.1), "seed": 1}, ap=0.8),
    )
    seeds = ("/config/seed", "/factors/seed")
    history = [earlier(*seeds, "/config/optimizer/lr", moved=True) for _ in range(9)]
    found = {cause.name: cause for cause in explained(before, after, history).causes}
    assert [found[name].likelihood for name in seeds] == [0.05, 0.05]
    assert found[seeds[0]].evidence == "the move exceeds noise, as 5 of 100 runs do that differ in the seed alone"
    assert found["/config/optimizer/lr"].likelihood > 0.3
    within = {cause.name: cause for cause in explained(before, after, noise="not enough replicates: 1 of 4").causes}
    assert [within[name].likelihood for name in seeds] == [0.3, 0.3], "a seed is one wherever it is recorded"


def test_results_that_differ_although_no_recorded_input_does_are_laid_to_no_seed():
    before, after = snapshot("r1"), snapshot("r2", ap=0.901)
    found = explained(before, after, noise=f"{WITHIN} of 6 replicates").summary
    assert "chance" not in found
    assert found.startswith("/test/ap moved by +0.001: every recorded input is the same and the results are not")
    assert "such as the environment, of which the record has no fingerprint" in found


def test_the_end_of_an_interval_is_no_metric_that_moved():
    def moved(*names):
        shown = {"value", "low", "high"}
        return Diff(
            summary="",
            metric_deltas={
                f"/test/ap/{name}": MetricDelta(
                    previous=0.9, current=0.9 + (name in names), absolute=float(name in names), percent=1, noise=EXCEEDS
                )
                for name in shown
            },
        )

    runs = snapshot("r1"), snapshot("r2", seed=1)
    assert why(*runs, moved("high", "low"), ()).metric is None
    assert why(*runs, moved("high", "value"), ()).metric == "/test/ap/value"


def test_a_metric_that_the_two_do_not_share_is_refused():
    with pytest.raises(InvalidInput, match="share no metric /test/auc; they share /test/ap"):
        explained(snapshot("r1"), snapshot("r2"), metric="/test/auc")
    nothing = why(snapshot("r1"), snapshot("r2"), Diff(summary=""), [])
    assert (nothing.metric, nothing.summary, nothing.causes) == (None, "no metric moved", ())


@pytest.mark.slow
@given(st.lists(st.sampled_from([True, False, None]), max_size=8))
def test_a_likelihood_is_one(history):
    found = explained(
        snapshot("r1", config=config()),
        snapshot("r2", config=config(lr=0.1), ap=0.8),
        [earlier("/config/optimizer/lr", moved=moved) for moved in history],
    )
    assert 0 <= found.causes[0].likelihood <= 1


def test_the_log_sets_any_two_against_each_other_with_the_noise_of_replicates(tmp_path):
    store = Store.open(tmp_path, create=True)
    made = [commit(store, f"r{seed}", seed=seed, ap=0.9 + seed / 1000) for seed in range(5)]
    late = commit(store, "late", config=config(lr=0.1), ap=0.5)
    found = store.log(PROJECT).diff(made[0], late)
    assert found.metric_deltas[METRIC].noise == "exceeds noise of 5 replicates"
    assert made[4].snapshot.diff_prev.metric_deltas[METRIC].noise == "within noise of 4 replicates"
    assert made[3].snapshot.diff_prev.metric_deltas[METRIC].noise == "not enough replicates: 3 of 4"
    assert late.snapshot.diff_prev.severity == "MAJOR"
    assert "moved by more than its seed explains" in late.snapshot.diff_prev.severity_reason


def test_replicates_that_agree_exactly_say_so():
    assert noise_of([0.9] * 5, 0.9).words == "within noise: 5 replicates agree exactly"
    found = noise_of([0.9] * 5, 0.91)
    assert (found.z, found.exceeds, found.words) == (None, True, "exceeds noise: 5 replicates agree exactly")
    assert noise_of([float("inf")] * 9, 1.0).exceeds is None


@pytest.mark.slow
def test_five_in_a_hundred_replicates_exceed_noise_by_chance():
    import random

    rng = random.Random(7)
    for count in (REPLICATES_NEEDED, 6, 12, 30):
        draws = [[rng.gauss(0.9, 0.01) for _ in range(count + 1)] for _ in range(4000)]
        rate = sum(noise_of(values[:-1], values[-1]).exceeds is True for values in draws) / len(draws)
        assert 0.04 < rate < 0.06, (count, rate)
        moved = sum(noise_of(values[:-1], values[-1] + 0.1).exceeds is True for values in draws) / len(draws)
        assert moved > 0.95
