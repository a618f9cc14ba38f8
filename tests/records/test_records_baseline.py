import json
from datetime import UTC, datetime

import pytest
from records_world import PROJECT, commit, draft, key

from seedbed.contracts import Severity, Stage
from seedbed.errors import InvalidInput, StoreCorrupt, StoreDamaged
from seedbed.records import Baselines, PromotionKind, PromotionRule, Store, fsck, write_views
from seedbed.records.canonical._canonical import plain
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.log import best_of_groups, better

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


def baselines(store):
    return Baselines(store.files, PROJECT)


def group(made):
    return made.snapshot.digests["comparison_group"]


def test_without_a_promotion_there_is_no_baseline_and_no_difference(store):
    made = commit(store, "r1")
    found = made.snapshot.diff_baseline
    assert (found.comparable, found.prev_run_id, found.severity) == (None, None, Severity.NONE)
    assert found.summary.startswith("no baseline")
    assert baselines(store).of(group(made)) is None


def test_a_promoted_snapshot_is_what_later_runs_of_its_group_are_set_against(store):
    first = commit(store, "r1", ap=0.9)
    commit(store, "r2", ap=0.8)
    elsewhere = commit(store, "r3", data="other")
    record = baselines(store).promote(first, "the release", NOW)
    assert (record.kind, record.snapshot_seq, record.run_id, record.reason) == ("PROMOTED", 1, "r1", "the release")
    later = commit(store, "r4", ap=0.95)
    found = later.snapshot.diff_baseline
    assert (found.prev_run_id, found.prev_snapshot_seq, found.prev_digest) == ("r1", 1, first.digest)
    assert found.metric_deltas["/test/ap"].absolute == pytest.approx(0.05)
    assert later.snapshot.diff_prev.prev_run_id == "r2"
    write_views(store, store.find("r4"))
    shown = json.loads((store.find("r4").folder / "diff_baseline.json").read_text())
    assert (shown["prev_run_id"], shown["schema_version"]) == ("r1", 2)
    assert commit(store, "r5", data="other").snapshot.diff_baseline.prev_run_id is None
    assert baselines(store).of(group(elsewhere)) is None
    assert fsck(store) == []


def test_the_newest_promotion_stands_and_a_demotion_ends_it(store):
    first, second = commit(store, "r1"), commit(store, "r2")
    ours = baselines(store)
    ours.promote(first, "one", NOW)
    ours.promote(second, "two", NOW)
    assert ours.promote(second, "again", NOW).reason == "two"  # it is the baseline already
    assert [item.run_id for item in ours.current()] == ["r2"]
    assert ours.demote(group(first), "withdrawn", NOW).kind is PromotionKind.DEMOTED
    assert ours.demote(group(first), "withdrawn", NOW) is None
    assert baselines(store).current() == []
    assert [item.kind for item in baselines(store).history()] == ["PROMOTED", "PROMOTED", "DEMOTED"]
    assert commit(store, "r3").snapshot.diff_baseline.prev_run_id is None


def test_a_baseline_is_never_set_against_itself(store):
    first = commit(store, "r1")
    baselines(store).promote(first, "", NOW)
    again = store.log(PROJECT).append(draft("r1", attempt=2), {}, NOW)
    assert again.snapshot.diff_baseline.prev_run_id is None


@pytest.mark.parametrize(("better", "stands"), [("higher", "r3"), ("lower", "r2")])
def test_a_rule_promotes_what_finishes_better_and_nothing_else(store, better, stands):
    commit(store, "r0", ap=0.99)  # before there was a rule
    baselines(store).set_rule(PromotionRule(metric="metrics.test.ap", better=better), "from now on", NOW)
    for run_id, ap in (("r1", 0.8), ("r2", 0.7), ("r3", 0.9), ("r4", 0.9)):
        made = commit(store, run_id, ap=ap)
    record = baselines(store).of(group(made))
    assert record.run_id == stands
    assert record.reason.startswith(f"by the rule metrics.test.ap {better}: ")
    assert str(record.rule) == f"metrics.test.ap {better}"
    commit(store, "r5", metrics={"test": {"other": 1.0}})
    assert baselines(store).of(group(made)).run_id == stands
    assert store.log(PROJECT).baselines.rule == record.rule
    baselines(store).set_rule(None, "no more", NOW)
    commit(store, "r6", ap=0.95 if better == "higher" else 0.5)
    assert baselines(store).of(group(made)).run_id == stands


def test_a_rule_reads_the_value_of_an_interval_and_no_truth_value(store):
    baselines(store).set_rule(PromotionRule(metric="metrics.test.ap"), "", NOW)
    commit(store, "r1", metrics={"test": {"ap": True}})
    made = commit(store, "r2", metrics={"test": {"ap": {"value": 0.7, "low": 0.6, "high": 0.8}}})
    assert baselines(store).of(group(made)).run_id == "r2"


def test_a_rule_is_about_a_metric(store):
    with pytest.raises(InvalidInput, match=r"expected a path such as metrics\.test\.ap"):
        baselines(store).set_rule(PromotionRule(metric="timing.wall_seconds", better="lower"), "", NOW)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test.accuracy", "higher"),
        ("metrics.top5_accuracy", "higher"),
        ("recall_at_10", "higher"),
        ("f1_macro", "higher"),
        ("val_loss", "lower"),
        ("error_rate", "lower"),
        ("rmse", "lower"),
        ("error_free_rate", None),
        ("non_loss", None),
        ("neg_mse", None),
        ("auc_gap", None),
        ("loss_scale", None),
        ("duration", None),
        ("test", None),
    ],
)
def test_the_last_word_that_is_no_detail_says_which_values_are_better(name, expected):
    assert better(name) == expected


def test_a_rule_without_a_side_goes_by_the_name_of_its_metric(store):
    assert [PromotionRule(metric=f"metrics.{name}").better for name in ("test.loss", "val_mae", "test.ap")] == [
        "lower",
        "lower",
        "higher",
    ]
    with pytest.raises(
        InvalidInput, match=r"metrics\.test\.gap does not say which values are better; say higher or lo"
    ):
        PromotionRule(metric="metrics.test.gap")
    assert PromotionRule(metric="metrics.test.gap", better="lower").prefers(1.0, 2.0)


def test_a_rule_keeps_what_it_recorded_against_the_name_of_its_metric(store):
    for side in ("higher", "lower"):
        baselines(store).set_rule(PromotionRule(metric="metrics.test.loss", better=side), "", NOW)
        found = baselines(store)
        found.current()
        assert str(found.rule) == f"metrics.test.loss {side}"
    losses = [commit(store, f"r{loss}", metrics={"test": {"loss": loss}}) for loss in (0.5, 0.9, 0.3)]
    best = best_of_groups(losses, PromotionRule(metric="metrics.test.loss"))
    assert [each.snapshot.run_id for each in best] == ["r0.3"]


def test_two_who_promote_at_once_both_stand_in_the_history(store):
    first, second = commit(store, "r1"), commit(store, "r2", data="other")
    one, other = baselines(store), baselines(store)
    assert one.current() == other.current() == []
    one.promote(first, "", NOW)
    other.promote(second, "", NOW)
    assert [item.run_id for item in baselines(store).history()] == ["r1", "r2"]
    assert [item.run_id for item in one.current()] == ["r1", "r2"]


@pytest.mark.parametrize("better", ["higher", "lower"])
@pytest.mark.parametrize(
    ("first", "between", "last"), [(5, (9,), 7), (5, (7,), 9), (5, (7, 9), 8), (5, (7, 8), 9), (None, (9,), 7)]
)
def test_a_rule_that_loses_a_race_judges_again_what_is_the_best_by_then(
    store, monkeypatch, better, first, between, last
):
    """Other processes finish runs after this one found its own the better one, and before each claim of a number."""
    sign = 1 if better == "higher" else -1
    ours, rival = store.log(PROJECT).baselines, Store.open(store.work)
    ours.set_rule(PromotionRule(metric="metrics.test.ap", better=better), "from now on", NOW)

    def finish(where, ap):
        return commit(where, f"r{ap}", ap=sign * ap)

    if first is not None:
        finish(store, first)
    waiting, publish = list(between), ours._records.publish

    def overtaken(seq, data):
        if waiting:
            finish(rival, waiting.pop(0))
        return publish(seq, data)

    monkeypatch.setattr(ours._records, "publish", overtaken)
    stands = baselines(store).of(group(finish(store, last)))
    assert stands.run_id == f"r{max(first or 0, *between, last)}"
    bests = [item.run_id for item in baselines(store).history() if item.kind is PromotionKind.PROMOTED]
    assert len(bests) == len({*bests})
    assert ours.current() == baselines(store).current() == [stands]


def test_a_rule_that_ends_before_the_number_is_claimed_promotes_nothing(store, monkeypatch):
    ours = store.log(PROJECT).baselines
    ours.set_rule(PromotionRule(metric="metrics.test.ap"), "from now on", NOW)
    first, publish = commit(store, "r1", ap=0.5), ours._records.publish

    def overtaken(seq, data):
        monkeypatch.undo()
        baselines(store).set_rule(None, "no more", NOW)
        return publish(seq, data)

    monkeypatch.setattr(ours._records, "publish", overtaken)
    assert commit(store, "r2", ap=0.9).snapshot.diff_baseline.prev_run_id == "r1"
    assert [item.run_id for item in baselines(store).current()] == ["r1"]
    assert ours.promote(first, "again", NOW).run_id == "r1"


def test_a_rule_does_not_replace_a_baseline_that_another_promotes_and_that_cannot_be_read(store, monkeypatch):
    ours, rival = store.log(PROJECT).baselines, Store.open(store.work)
    ours.set_rule(PromotionRule(metric="metrics.test.ap"), "from now on", NOW)
    publish = ours._records.publish

    def overtaken(seq, data):
        monkeypatch.undo()
        lost = commit(rival, "lost", ap=0.1)
        (store.work / key(lost.seq)).write_bytes(b"damaged")
        return publish(seq, data)

    commit(store, "r1", ap=0.05)
    monkeypatch.setattr(ours._records, "publish", overtaken)
    with pytest.warns(StoreDamaged, match="0003.json is damaged"):
        commit(store, "r2", ap=0.9)
    assert [item.run_id for item in baselines(store).current()] == ["lost"]


def test_a_damaged_or_later_record_is_named(store):
    baselines(store).promote(commit(store, "r1"), "", NOW)
    record = f"baselines/{PROJECT}/{1:020d}.json"
    good = store.files.read(record)
    body, _ = unseal(good)
    for changes, refusal, said in (
        ({"schema_version": 2}, InvalidInput, "upgrade"),
        ({"kind": "?"}, StoreCorrupt, "it is no promotion"),
    ):
        store.files.replace(record, seal(plain({**body, **changes}))[0])
        with pytest.raises(refusal, match=said):
            baselines(store).read(1)
        with pytest.warns(StoreDamaged, match=f"{said}.* no baseline and no rule stand before the next promotion"):
            assert baselines(store).current() == []
    store.files.replace(record, good[:-5])
    with pytest.warns(StoreDamaged, match="is damaged"):
        assert baselines(store).current() == []


def test_a_number_that_is_taken_but_unreadable_ends_the_race(store):
    made = commit(store, "r1")
    ours = baselines(store)
    assert ours.current() == []
    (store.work / "baselines" / PROJECT).mkdir(parents=True)
    (store.work / "baselines" / PROJECT / f"{1:020d}.json").symlink_to("nowhere")
    with pytest.raises(StoreCorrupt, match="taken but cannot be read"):
        ours.promote(made, "", NOW)


def test_the_reason_is_redacted(store, tmp_path):
    record = baselines(store).promote(commit(store, "r1"), f"see {tmp_path}/notes.txt", NOW)
    assert str(tmp_path) not in record.reason
    assert record.snapshot_seq == store.find("r1", stage=Stage.TRAINING).commit.seq


def test_the_best_of_every_group_that_has_the_metric_is_found(store):
    for number, ap in enumerate((0.7, 0.9, 0.8)):
        commit(store, f"r{number}", ap=ap, seed=number)
    commit(store, "elsewhere", ap=0.2, data="other")
    commit(store, "without", metrics={"other": 1.0}, data="third")
    commits = list(store.log(PROJECT).commits())
    higher, lower = (PromotionRule(metric="metrics.test.ap", better=better) for better in ("higher", "lower"))
    assert [item.snapshot.run_id for item in best_of_groups(commits, higher)] == ["r1", "elsewhere"]
    assert [item.snapshot.run_id for item in best_of_groups(commits, lower)] == ["r0", "elsewhere"]
