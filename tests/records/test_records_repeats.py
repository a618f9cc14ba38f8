"""Runs that repeat a seed show nothing of what a seed does: each seed is evidence once."""

from dataclasses import replace
from typing import Any

import pytest
from records_world import PROJECT, change_report, change_summary, commit, draft, snapshot

from seedbed.contracts import Severity, Stage
from seedbed.errors import StoreDamaged
from seedbed.records import EXACT, REPLICATE, Snapshot, Store, ablation, compare, fsck, trend
from seedbed.records.compare._comparison import input_differences
from seedbed.records.compare._noise import noise_of
from seedbed.records.log._headers import header_of
from seedbed.records.snapshot._draw import draw_of

AP = "/test/ap"
UNSEEDED = {"config": {"optimizer": {"lr": 0.001}}, "factors": {}}


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


def committed(store, values, **options):
    """One run for each pair of a seed and a value of the metric; the newest one's diff from its predecessor."""
    for number, (seed, ap) in enumerate(values):
        found = commit(store, f"r{number}", ap=ap, seed=seed, **options)
    return found.snapshot.diff_prev


def with_torch(version: str, numpy: str | None = None) -> dict[str, Any]:
    """What a draft says of a run with these versions: of PyTorch in its audit, of NumPy in its environment."""
    facts = {"process": {"environment": {"packages": {"numpy": numpy, "absent": None}}}} if numpy else {}
    return {**facts, "documents": {"audit_run": {"degraded": False, "pytorch_version": version}}}


def as_formerly(made: Snapshot) -> Snapshot:
    """The same record by a Seedbed that did not compare packages."""
    course = {name: value for name, value in made.course.items() if name != "packages"}
    return made.model_copy(update={"course": course, "digests": {**made.digests, "replicates": "0" * 64}})


def noise(store, values, **options):
    return committed(store, values, **options).metric_deltas[AP].noise


def test_exact_repeats_of_one_seed_make_no_finding_of_another_seed(store):
    diff = committed(store, [(0, 0.300)] * 5 + [(1, 0.301)])
    assert diff.metric_deltas[AP].noise == "not enough replicates: 1 of 4; 4 more runs repeat a seed"
    assert diff.severity is Severity.MINOR
    assert diff.severity_reason == f"{AP} moved; {diff.metric_deltas[AP].noise}"


def test_repeats_that_differ_make_no_finding_either_since_seeds_may_differ_more(store):
    repeats = [(0, 0.300 + number * 1e-6) for number in range(6)]
    assert noise(store, [*repeats, (1, 0.4)]) == "not enough replicates: 1 of 4; 5 more runs repeat a seed"


def test_two_identical_runs_are_one_replicate(store):
    found = noise(store, [(0, 0.3), (0, 0.3), (1, 0.4)])
    assert found == "not enough replicates: 1 of 4; 1 more run repeats a seed"


def test_from_four_seeds_on_the_verdict_is_that_of_the_newest_run_of_each(store):
    seeds = [(0, 0.5), (1, 0.302), (0, 0.300), (2, 0.301), (3, 0.299)]
    z = (0.31 - 0.3005) / ((5 / 3) ** 0.5 * 1e-3 * (1 + 1 / 4) ** 0.5)  # of .300, .302, .301 and .299 by hand
    found = committed(store, [*seeds, (4, 0.31)]).metric_deltas[AP]
    assert found.noise == "exceeds noise of 4 replicates; 1 more run repeats a seed"
    assert found.z == pytest.approx(z)


def test_seeds_behind_many_repeats_are_found(store):
    values = [(seed, 0.3 + seed / 1000) for seed in range(4)] + [(3, 0.303)] * 20
    assert noise(store, [*values, (9, 0.3)]) == "within noise of 4 replicates; 20 more runs repeat a seed"


def test_after_twelve_seeds_no_more_runs_are_looked_at(store):
    values = [(0, 0.3)] * 3 + [(seed, 0.3 + seed / 1000) for seed in range(1, 14)]
    assert noise(store, [*values, (99, 0.305)]) == "within noise of 12 replicates"


def test_without_a_recorded_seed_runs_with_the_same_metrics_repeat_each_other(store):
    values = [(None, ap) for ap in (0.300, 0.300, 0.302, 0.301)]
    assert noise(store, values, **UNSEEDED) == "not enough replicates: 2 of 4; 1 more run repeats a seed"
    store.log(PROJECT)
    commit(store, "another", ap=0.299, **UNSEEDED)
    last = commit(store, "last", ap=0.303, **UNSEEDED).snapshot.diff_prev.metric_deltas[AP]
    assert last.noise == "within noise of 4 replicates; 1 more run repeats a seed"


@pytest.mark.parametrize("place", ["config", "factors", "nested"])
def test_a_seed_counts_wherever_it_stands_and_the_metrics_then_do_not(place):
    def at(seed, ap):
        found = {"seed": seed}
        config = {"nested": {"training": found}, "config": found}.get(place, {})
        return draw_of(snapshot("r", ap=ap, config=config, factors=found if place == "factors" else {}))

    assert at(0, 0.1) == at(0, 0.2) != at(1, 0.1)
    assert at(None, 0.1) != at(None, 0.2)


def test_a_volatile_seed_is_none():
    zero, one = (snapshot("r", seed=seed, volatile_settings=("/seed",), factors={}) for seed in (0, 1))
    assert draw_of(zero) == draw_of(one)


@pytest.mark.parametrize(
    ("config", "is_seed"),
    [
        (lambda seed: {"data": {"seed": seed}}, True),
        (lambda seed: {"data.seed": seed}, False),
        (lambda seed: {"a/b": {"seed": seed}}, True),
        (lambda seed: {"a/seed": seed}, False),
        (lambda seed: {"auth": {"seed": f"aB3xK9Lm2QpR7sT1vW5yZ0c{seed}"}}, False),  # replaced, as may be no secret
    ],
)
def test_what_the_policy_calls_a_seed_the_digest_of_replicates_does_too(config, is_seed):
    first, second = (snapshot(f"r{seed}", config=config(seed), factors={}) for seed in range(2))
    (pointer,) = [each.pointer for each in input_differences(first, second)]
    assert REPLICATE.allows(pointer) == is_seed
    assert (first.digests["replicates"] == second.digests["replicates"]) == is_seed


@pytest.mark.parametrize("parameter", ["sampler.seed", "seed"])
def test_a_seed_that_was_changed_while_the_run_went_on_makes_no_replicate(parameter):
    made = change_summary(change_report(1, 7.0, 10, 11, parameter=parameter))
    found = snapshot("r1"), snapshot("r2", documents={"changes": made, "audit_run": {"degraded": False}})
    assert [compare(*found, policy).comparable for policy in (REPLICATE, ablation("seed"))] == [False, True]
    assert found[0].digests["replicates"] != found[1].digests["replicates"]


def test_repeats_are_no_evidence_of_a_trend(store):
    values = [(0, 0.1)] * 9
    committed(store, values)
    log = store.log(PROJECT)
    found = trend(log, log.read(9), "metrics.test.ap")
    assert (len(found.points), found.num_repeats, found.slope) == (9, 8, None)
    assert found.words == "1 of 5 commits that a trend needs; 8 more repeat one of them, seed included"


def test_one_repeat_is_said_to_repeat(store):
    committed(store, [(0, 0.1)] * 2)
    log = store.log(PROJECT)
    words = trend(log, log.read(2), "metrics.test.ap").words
    assert words == "1 of 5 commits that a trend needs; 1 more repeats one of them, seed included"


def test_a_trend_is_that_of_the_first_run_of_each_seed_and_configuration(store):
    committed(store, [(seed, seed / 10) for seed in range(6)])
    log = store.log(PROJECT)
    alone = trend(log, log.read(6), "metrics.test.ap")
    for number, seed in enumerate((0, 0, 1)):
        last = commit(store, f"again-{number}", seed=seed, ap=seed / 10)
    repeated = trend(log, last, "metrics.test.ap")
    assert (repeated.slope, repeated.num_repeats) == (alone.slope, 3)
    assert repeated.words == f"{alone.words}; 3 more repeat one of them, seed included"
    other = commit(store, "other", seed=0, ap=0.6, config={"optimizer": {"lr": 0.1}, "seed": 0})
    assert trend(log, other, "metrics.test.ap").num_repeats == 3


def test_the_words_of_repeats_follow_any_verdict():
    alone = noise_of([0.1, 0.2, 0.3, 0.4], 9.0)
    assert noise_of([0.1, 0.2, 0.3, 0.4], 9.0, 2) == replace(
        alone, words="exceeds noise of 4 replicates; 2 more runs repeat a seed"
    )


def test_the_newest_replicate_before_a_run_is_found_among_others(store):
    for run_id, seed, rate in (("r0", 0, 1), ("r1", 1, 1), ("r2", 2, 1), ("x0", 0, 2), ("r3", 3, 1), ("r4", 4, 1)):
        commit(store, run_id, seed=seed, config={"rate": rate, "seed": seed})
    log = store.log(PROJECT)
    found = {seq: log.replicate_of(log.read(seq)) for seq in range(1, 7)}
    assert {seq: each and each.snapshot.run_id for seq, each in found.items()} == {
        1: None, 2: "r0", 3: "r1", 4: None, 5: "r2", 6: "r3"
    }  # fmt: skip
    other = store.start(PROJECT, "r3", Stage.FEATURE_SELECTION)
    other.finish(draft("r3", stage=Stage.FEATURE_SELECTION, seed=3, config={"rate": 1, "seed": 3}))
    assert log.replicate_of(log.read(7)) is None


def test_a_replicate_that_cannot_be_read_is_passed_over(store):
    for seed in range(3):
        last = commit(store, f"r{seed}", seed=seed)
    store.files.path(store.log(PROJECT).key(2)).write_bytes(b"torn")
    with pytest.warns(StoreDamaged):
        found = Store.open(store.name).log(PROJECT).replicate_of(last)
    assert found is not None
    assert found.seq == 1


@pytest.mark.parametrize(
    ("first", "second", "package", "said"),
    [
        (with_torch("2.13.0"), with_torch("2.14.0"), "torch", "differs: 2.13.0 / 2.14.0"),
        (with_torch("2.13.0", "2.1"), with_torch("2.13.0", "2.2"), "numpy", "differs: 2.1 / 2.2"),
        (with_torch("2.13.0"), with_torch("2.13.0", "2.2"), "numpy", "is 2.2, which the earlier run lacks"),
        (with_torch("2.13.0"), {}, "torch", "was 2.13.0, which the later run lacks"),
    ],
)
def test_a_package_of_another_version_is_an_input_that_differs(first, second, package, said):
    records = snapshot("a", **first), snapshot("b", **second)
    for before, after in (records, (as_formerly(records[0]), records[1]), tuple(map(as_formerly, records))):
        for policy in (EXACT, REPLICATE):
            assert compare(before, after, policy).reasons == (f"course/packages/{package} {said}",)
        assert compare(before, after, ablation(f"packages.{package}")).comparable
        headers = [header_of(each.model_dump(mode="json")) for each in (before, after)]
        assert headers[0].replicates != headers[1].replicates


def test_a_record_of_a_former_seedbed_is_compared_by_the_versions_that_it_tells():
    former, today = (
        as_formerly(snapshot("a", **with_torch("2.13.0", "2.1"))),
        snapshot("b", **with_torch("2.13.0", "2.1")),
    )
    assert compare(former, today, EXACT).comparable
    assert header_of(former.model_dump(mode="json")).replicates == today.digests["replicates"]


def test_runs_with_another_pytorch_widen_no_noise(store):
    for seed in range(4):
        commit(store, f"old{seed}", seed=seed, ap=0.3 + 0.1 * seed, **with_torch("2.13.0"))
    first = commit(store, "new0", seed=4, ap=0.5, **with_torch("2.14.0"))
    second = commit(store, "new1", seed=5, ap=0.5, **with_torch("2.14.0"))
    assert "/course/packages/torch" in first.snapshot.diff_prev.changed_keys
    assert (first.snapshot.diff_prev.policy, second.snapshot.diff_prev.policy) == ("ABLATION", "REPLICATE")
    assert second.snapshot.diff_prev.metric_deltas[AP].noise == "not enough replicates: 1 of 4"
    assert fsck(store) == []
