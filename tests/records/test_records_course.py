"""What happened in a run is an input of its result: runs that were changed, degraded or resumed are no replicates."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from records_world import CUT, PROJECT, change_report, change_summary, commit, draft, snapshot

from seedbed.contracts import Outcome, Severity
from seedbed.errors import InvalidInput
from seedbed.records import (
    EXACT,
    REPLICATE,
    Catalog,
    Snapshot,
    Store,
    ablation,
    compare,
    fsck,
    parse_query,
    repair,
    trend,
    verify,
)
from seedbed.records.log._headers import header_of
from seedbed.records.snapshot._course import course_of, course_words, is_kept, resumes_of
from seedbed.records.snapshot._draft import build_body
from seedbed.records.snapshot._migrations import upgraded

STALL = {"patience": 2, "factor": 0.5}
CONFIG: dict[str, Any] = {"optimizer": {"lr": 0.001}, "change": STALL, "seed": 0}


def audit(*, degraded: bool = False, used: bool = True, mode: str = "STRICT") -> dict[str, Any]:
    fused = {"requested": True, "used": used, "kernels": {"aten::flash": 3}}
    return {"mode": mode, "degraded": degraded, "sdpa": fused, "wall_time": 3.0}


def lost_at(step: int, found: str) -> Any:
    """A change to 0.5, in use from step 11, in whose place another value was found at `step`."""
    story = ("intent journalled: 1 -> 0.5", "effective: step 11 used 0.5", f"failed: at step {step}: expected 0.5, ")
    changed = change_report(1, 0.5, 10, 11, Outcome.FAILED)
    return changed.model_copy(update={"story": (*story[:2], f"{story[2]}found {found}; other code")})


def with_coupled(words: str) -> Any:
    """The change of CUT, which changed other settings too."""
    changed = change_report(1, 0.5, 10, 11)
    return changed.model_copy(update={"story": (f"applied: 0.5 read back{words}", *changed.story)})


def ran(run_id: str = "b", *, changes: Any = None, audited: Any = None, attempt: int = 1, **options: Any) -> Snapshot:
    documents = {name: value for name, value in (("changes", changes), ("audit_run", audited)) if value is not None}
    return snapshot(run_id, config={**CONFIG, "seed": 0}, documents=documents, attempt=attempt, **options)


@pytest.mark.parametrize(
    ("first", "second", "pointer", "said"),
    [
        ({}, {"changes": CUT}, "/course/changes/optimizer.lr", "changed while it ran: never / 0.5 from step 11"),
        (
            {"changes": CUT},
            {"changes": change_summary(change_report(1, 0.5, 10, 12))},
            "/course/changes/optimizer.lr",
            "0.5 from step 11 / 0.5 from step 12",
        ),
        (
            {"changes": CUT},
            {"changes": change_summary(change_report(1, 0.25, 10, 11))},
            "/course/changes/optimizer.lr",
            "0.5 from step 11 / 0.25 from step 11",
        ),
        (
            {"changes": CUT},
            {"changes": change_summary(change_report(1, 0.5, 10, 11), change_report(2, 0.25, 20, 21))},
            "/course/changes/optimizer.lr",
            "0.5 from step 11 / 0.5 from step 11, 0.25 from step 21",
        ),
        (
            {},
            {"changes": change_summary(change_report(1, 0.5, 10, None, Outcome.UNKNOWN))},
            "/course/changes/optimizer.lr",
            "never / 0.5 from step 11 (UNKNOWN)",
        ),
        (
            {},
            {"changes": change_summary(change_report(1, 0.5, 10, 11, Outcome.FAILED))},
            "/course/changes/optimizer.lr",
            "never / 0.5 from step 11 (FAILED)",
        ),
        (
            {"changes": change_summary(lost_at(17, "0.1"))},
            {"changes": change_summary(lost_at(27, "0.1"))},
            "/course/changes/optimizer.lr",
            "0.5 from step 11 (FAILED at step 17, to 0.1) / 0.5 from step 11 (FAILED at step 27, to 0.1)",
        ),
        (
            {"changes": change_summary(lost_at(17, "0.1"))},
            {"changes": change_summary(lost_at(17, "0.01"))},
            "/course/changes/optimizer.lr",
            "0.5 from step 11 (FAILED at step 17, to 0.1) / 0.5 from step 11 (FAILED at step 17, to 0.01)",
        ),
        (
            {"changes": CUT},
            {"changes": change_summary(with_coupled(", with rate 0.2"))},
            "/course/changes/optimizer.lr.rate",
            "never / 0.2 from step 11",
        ),
        ({"audited": audit()}, {"audited": audit(degraded=True)}, "/course/runtime/degraded", "False / True"),
        ({"audited": audit()}, {"audited": audit(used=False)}, "/course/runtime/sdpa/used", "True / False"),
        ({"audited": audit()}, {"audited": audit(mode="COMPAT")}, "/course/runtime/mode", "STRICT / COMPAT"),
        ({}, {"attempt": 2}, "/course/resumes", "0 / 1"),
    ],
)
def test_what_happened_is_compared_and_an_ablation_may_name_it(first, second, pointer, said):
    before, after = ran("a", **first), ran(**second)
    for policy in (EXACT, REPLICATE):
        found = compare(before, after, policy)
        assert not found.comparable
        assert said in found.reasons[0]
    assert before.digests["replicates"] != after.digests["replicates"]
    assert compare(before, after, ablation(pointer)).comparable
    assert compare(before, after, ablation(pointer.rpartition("/")[2])).comparable


@pytest.mark.parametrize(
    "same",
    [
        change_summary(),
        change_summary(change_report(1, 0.5, 10, None, Outcome.BLOCKED)),
        change_summary(change_report(1, 0.5, 10, None, Outcome.NO_OP)),
        change_summary(change_report(1, 0.5, 10, None, Outcome.FAILED)),
    ],
)
def test_what_was_not_used_changes_nothing(same):
    before, after = ran("a"), ran(changes=same)
    assert compare(before, after, EXACT).comparable
    assert before.digests["replicates"] == after.digests["replicates"]


def test_how_often_and_how_long_the_runtime_was_watched_changes_nothing():
    before, after = ran("a", audited=audit()), ran(audited={**audit(), "wall_time": 9.0, "steps_sampled": 4})
    assert compare(before, after, EXACT).comparable


@pytest.mark.parametrize(
    ("story", "counts"),
    [
        (("intent journalled: 1 -> 0.5", "applied: 0.5 read back", "failed: another overwrote it"), True),
        (("intent journalled: 1 -> 0.5", "failed: it read back 0.25"), True),
        (("intent journalled: 1 -> 0.5", "failed: it read back 0.25", "rolled back: the former value"), False),
        (("guards: ALLOW", "failed: nothing was touched"), False),
    ],
)
def test_a_failed_change_counts_unless_it_never_began_or_was_seen_to_be_undone(story, counts):
    failed = change_report(1, 0.5, 10, None, Outcome.FAILED).model_copy(update={"story": story})
    expected = {"optimizer.lr": [[11, 0.5, "FAILED"]]} if counts else {}
    assert ran(changes=change_summary(failed)).course["changes"] == expected


@pytest.mark.parametrize(
    ("settings", "config", "volatile"),
    [
        ({}, {"augment": {}}, ()),
        ({"factor": True}, {"rule": {"factor": 1}}, ()),
        ({"factor": 0.5}, {"factor": 0.5}, ()),
        ({"factor": 0.5}, {"augment": {"factor": 0.5}}, ()),
        ({"factor": 0.5}, {"change": {"factor": 0.5}}, ()),
        ({"factor": 0.5}, {"rule": {"factor": 0.5}}, ("/rule",)),
    ],
)
def test_settings_that_are_empty_of_another_type_of_another_name_or_volatile_derive_nothing(settings, config, volatile):
    changes = change_summary(change_report(1, 0.5, 10, 11, proposer="rule"), proposers={"rule": settings})
    found = snapshot("a", config=config, volatile_settings=volatile, documents={"changes": changes}).course
    assert (found["derived"], found["changes"]) == ({}, {"optimizer.lr": [[11, 0.5]]})


def test_a_clamped_change_counts_as_what_was_let_through():
    found = ran(changes=change_summary(change_report(1, 0.7, 10, 11, Outcome.CLAMPED))).course["changes"]
    assert found == {"optimizer.lr": [[11, 0.7]]}


def derived(seed: int, step: int, settings: Mapping[str, Any] = STALL, name: str = "rule") -> Snapshot:
    changes = change_summary(change_report(1, 0.5, step, step + 1, proposer="rule"), proposers={name: settings})
    config = {"optimizer": {"lr": 0.001}, "rules": [{"rule": STALL}], "seed": seed}
    return snapshot(f"s{seed}-{step}", seed=seed, config=config, documents={"changes": changes})


def test_a_replicate_whose_own_rule_changed_something_else_is_said_to_be_one(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    for seed, step in ((0, 10), (1, 40)):
        changes = change_summary(change_report(1, 0.5, step, step + 1, proposer="rule"), proposers={"rule": STALL})
        config = {"optimizer": {"lr": 0.001}, "rules": [{"rule": STALL}], "seed": seed}
        made = commit(store, f"r{seed}", seed=seed, config=config, documents={"changes": changes})
    told = "comparable: a replicate, only the seed and the changes that follow from it differ"
    assert (made.snapshot.diff_prev.policy, made.snapshot.diff_prev.summary) == ("REPLICATE", told)


def test_what_a_registered_rule_of_the_configuration_changed_may_differ_between_seeds_but_not_under_exact():
    before, after = derived(0, 10), derived(1, 40)
    assert compare(before, after, REPLICATE).comparable
    assert before.digests["replicates"] == after.digests["replicates"]
    same_seed = derived(0, 40)
    found = compare(before, same_seed, EXACT)
    assert found.reasons == ("optimizer.lr was changed by the run's own rules: 0.5 from step 11 / 0.5 from step 41",)
    assert compare(before, derived(0, 10).model_copy(update={"run_id": "again"}), EXACT).comparable


@pytest.mark.parametrize(
    "of_another_kind",
    [
        derived(1, 40, settings={**STALL, "patience": 3}),  # settings that do not stand in the configuration
        derived(1, 40, name="another rule"),  # nobody of its name was registered
    ],
)
def test_a_change_that_does_not_follow_from_the_configuration_is_an_input(of_another_kind):
    assert not compare(derived(0, 10), of_another_kind, REPLICATE).comparable
    assert of_another_kind.course["derived"] == {}


def test_a_changed_run_widens_no_noise_and_a_fall_beside_it_exceeds_the_noise_of_the_others(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    for number, (ap, changes) in enumerate([(0.900, None), (0.902, None), (0.901, None), (0.7, CUT), (0.899, None)]):
        commit(store, f"r{number}", ap=ap, seed=number, documents={} if changes is None else {"changes": changes})
    diff = commit(store, "last", ap=0.8, seed=9, documents={}).snapshot.diff_prev
    assert diff.severity is Severity.MAJOR
    assert diff.metric_deltas["/test/ap"].noise == "exceeds noise of 4 replicates"
    changed = commit(store, "cut", ap=0.9, seed=10, documents={"changes": CUT}).snapshot.diff_prev
    assert (changed.severity, changed.policy, changed.comparable) == (Severity.MINOR, "ABLATION", True)
    assert "/course/changes/optimizer.lr" in [each.name for each in changed.excluded_factors]


def old_body(**documents: Any) -> dict[str, Any]:
    """A body as version 2 wrote it, with its digests by the rule of that version."""
    made = draft("old", config=CONFIG, documents=documents)
    body = build_body(made, {}, snapshot("old").timestamp).content
    body.pop("course")
    return {**body, "schema_version": 2, "snapshot_seq": 1}


def test_records_of_version_2_are_compared_by_what_their_documents_hold():
    plain, changed = (upgraded(old_body(**documents), "commit 1") for documents in ({}, {"changes": CUT}))
    assert changed["course"]["changes"] == {"optimizer.lr": [[11, 0.5]]}
    assert header_of(plain).replicates != header_of(changed).replicates
    now = build_body(draft("new", config=CONFIG, documents={"changes": CUT}), {}, snapshot("new").timestamp).content
    assert header_of(changed).replicates == header_of({**now, "snapshot_seq": 2}).replicates


def test_in_records_of_version_2_the_stall_rule_of_a_training_and_its_replay_were_derived():
    stalled = change_summary(
        change_report(1, 0.5, 10, 11, proposer="stall rule"), change_report(2, 0.2, 20, 21, proposer="replay of r1")
    )
    assert "proposers" not in stalled
    documents, used = {"changes": stalled}, {"optimizer.lr": [[11, 0.5], [21, 0.2]]}
    assert course_of(documents, CONFIG, 1, says_who_registered=False)["derived"] == used
    assert course_of(documents, {"seed": 0}, 1, says_who_registered=False)["derived"] == {}
    now = course_of(documents, CONFIG, 1)  # a record of today would say it
    assert (now["derived"], now["changes"]) == ({}, used)


@pytest.fixture
def of_version_2(tmp_path):
    """A store that version 2 wrote: five runs that were replicates then."""
    return Store.open(shutil.copytree(Path(__file__).parents[1] / "data" / "snapshots-2", tmp_path / "store"))


def test_a_store_of_version_2_is_whole_and_read_and_nothing_in_it_is_rewritten(of_version_2):
    before = {path: path.read_bytes() for path in of_version_2.work.rglob("*") if path.is_file()}
    views = list(of_version_2.runs())
    assert len(views) == 5
    assert all(check.holds for view in views for check in verify(of_version_2, view))
    assert {check.name for check in verify(of_version_2, views[0])} >= {"replicates", "content"}
    assert (fsck(of_version_2), repair(of_version_2)) == ([], [])
    assert {path: path.read_bytes() for path in of_version_2.work.rglob("*") if path.is_file()} == before


def test_of_the_runs_of_version_2_only_those_are_replicates_in_which_nothing_else_happened(of_version_2):
    plain = of_version_2.find("plain").commit.snapshot
    others = {name: of_version_2.find(name).commit.snapshot for name in ("replicate", "stalled", "cut", "degraded")}
    found = {name: compare(plain, other, REPLICATE).comparable for name, other in others.items()}
    assert found == {"replicate": True, "stalled": True, "cut": False, "degraded": False}


def test_a_new_run_finds_its_replicates_among_those_of_version_2(of_version_2):
    earlier = of_version_2.find("plain").commit.snapshot
    for seed in (10, 11):
        documents = {"changes": change_summary(), "audit_run": earlier.documents["audit_run"]}
        config = {**earlier.config, "seed": seed}
        made = commit(of_version_2, f"r{seed}", ap=0.9, seed=seed, config=config, documents=documents)
    # plain, replicate and stalled, and the first of the two new ones
    assert made.snapshot.diff_prev.metric_deltas["/test/ap"].noise == "within noise of 4 replicates"
    assert fsck(of_version_2) == []


def test_a_trend_marks_the_runs_in_which_something_happened(of_version_2):
    last = of_version_2.find("degraded").commit
    found = trend(of_version_2.log(PROJECT), last, "metrics.test.ap")
    assert {point.run_id: point.happened for point in found.points} == {
        "plain": (),
        "replicate": (),
        "stalled": (),
        "cut": ("lr was changed",),
        "degraded": ("degraded",),
    }
    assert course_words(ran(attempt=2).course) == ("resumed",)
    assert course_words(ran(attempt=4).course) == ("resumed 3 times",)


def test_what_happened_is_found_by_a_query(of_version_2):
    with Catalog.open(of_version_2) as catalog:
        degraded = catalog.search(parse_query("course.runtime.degraded=true and course.resumes=0"))
    assert [(hit.project, hit.seq) for hit in degraded] == [(PROJECT, 5)]


def points(**attempts: range) -> list[tuple[int, int]]:
    """The (attempt, step) of each point, oldest first; `a1` logged the steps of its range."""
    return [(int(name[1:]), step) for name, steps in attempts.items() for step in steps]


@pytest.mark.parametrize(
    ("attempt", "logged", "resumes"),
    [
        (1, points(), 0),
        (3, points(), 2),  # nothing is logged: nothing is known
        (1, points(a1=range(1, 9)), 0),
        (2, points(a1=range(1, 5), a2=range(5, 9)), 1),
        (2, points(a1=range(1, 7), a2=range(5, 9)), 1),  # two steps were taken again
        (2, points(a2=range(1, 9)), 0),  # the first died before its first step
        (2, points(a2=range(9)), 0),  # counted from zero
        (2, points(a1=range(1, 5), a2=range(1, 9)), 0),  # all of it was taken again
        (2, points(a1=range(1, 9), a2=range(1, 4)), 0),  # and what lay beyond is lost work too
        (2, points(a1=range(1), a2=range(1, 9)), 1),  # step 0 alone
        (3, points(a1=range(1, 5), a3=range(5, 9)), 1),  # the second died at once
        (3, points(a1=range(1, 5), a2=range(5, 7), a3=range(5, 9)), 1),  # what the second did is lost
        (3, points(a1=range(1, 5), a2=range(5, 7), a3=range(7, 9)), 2),
        (4, points(a3=range(1, 5), a4=range(5, 9)), 1),
        (3, points(a1=range(1, 5), a3=range(6, 9)), 2),  # nobody logged step 5: the second may have taken it
        (2, points(a2=range(100, 900, 100)), 1),  # 99 steps that the first may have taken
        (2, points(a1=range(1, 9)), 1),  # all steps were taken, and the second only judged them
        (3, points(a1=range(1, 9)), 2),
    ],
)
def test_an_attempt_is_a_resume_when_a_later_one_went_on_from_steps_of_it(attempt, logged, resumes):
    assert resumes_of(attempt, logged) == resumes


@pytest.mark.parametrize(
    ("resumed", "resumes"),
    [
        ([], 0),
        ([50], 1),
        ([0], 0),  # begun again
        ([50, 50], 1),  # the second attempt made no step that is left
        ([50, 80], 2),
        ([50, 80, 20], 1),
        ([50, 0, 30], 1),
    ],
)
def test_an_attempt_of_which_no_step_was_logged_is_a_resume_by_its_journal_of_changes(resumed, resumes):
    once_an_epoch = points(**{f"a{len(resumed) + 1}": range(1, 3)})
    assert resumes_of(len(resumed) + 1, once_an_epoch, [resumed]) == resumes
    assert resumes_of(len(resumed) + 1, once_an_epoch, [[], resumed]) == resumes


def test_a_run_that_died_in_its_first_epoch_after_a_checkpoint_was_resumed(tmp_path):
    store = Store.open(tmp_path, create=True)
    whole = commit(store, "whole")
    store.start(PROJECT, "again").failed("killed before it logged its first epoch")
    run = store.start(PROJECT, "again")
    run.journal().append("resumed", {"step": 50, "kept": 0, "restored": []})
    run.log(1, {"loss": 0.5})
    again = run.finish(draft("again", attempt=2))
    assert compare(whole.snapshot, again.snapshot, EXACT).reasons == ("course/resumes differs: 0 / 1",)


def test_a_change_is_kept_or_lost_with_the_attempt_that_made_it():
    logged = points(a1=range(1, 61), a2=range(45, 101), a3=range(101, 120))
    assert is_kept(50, logged, 3, made_in=2)
    assert not is_kept(50, logged, 3, made_in=1)
    assert not is_kept(50, logged, 3)  # it may have been either


@pytest.mark.parametrize(
    ("attempt", "logged", "kept"),
    [
        (2, points(), False),  # nothing is known
        (2, points(a1=range(1, 9), a2=range(9, 12)), True),  # the second went on at 9
        (2, points(a1=range(1, 9), a2=range(1, 12)), False),  # it began again
        (2, points(a1=range(1, 9), a2=range(5, 12)), False),  # at the first step after the change
        (2, points(a1=range(1, 9), a2=range(6, 12)), True),  # one step too late
        (2, points(a1=range(1, 5), a2=range(5, 9)), False),  # no step of the first was logged after the change
        (2, points(a1=range(0, 30, 10), a2=range(10, 60, 10)), False),  # every tenth step is logged
        (2, points(a1=range(0, 30, 10), a2=range(20, 60, 10)), True),
        (3, points(a1=range(1, 9), a2=range(1, 3), a3=range(9, 12)), False),  # the second began again
        (3, points(a1=range(1, 9), a2=range(9, 10), a3=range(10, 12)), True),
    ],
)
def test_a_superseded_change_of_step_4_was_kept_where_no_later_attempt_took_its_steps_again(attempt, logged, kept):
    assert is_kept(4, logged, attempt) is kept


def test_an_attempt_that_died_before_its_first_step_makes_no_other_run(tmp_path):
    store = Store.open(tmp_path, create=True)
    plain = commit(store, "r1")
    store.start(PROJECT, "r2").failed("no memory")
    begun_again = commit(store, "r2")
    first = store.start(PROJECT, "r3")
    first.log(1, {"loss": 0.5})
    first.failed("no disk")
    second = store.start(PROJECT, "r3")
    second.log(2, {"loss": 0.25})
    resumed = second.finish(draft("r3", attempt=2))
    unlogged = store.start(PROJECT, "r4")
    unlogged.failed("nobody knows when")
    unknown = store.start(PROJECT, "r4").finish(draft("r4", attempt=2))
    commits = (plain, begun_again, resumed, unknown)
    assert [each.snapshot.course["resumes"] for each in commits] == [0, 0, 1, 1]
    assert compare(plain.snapshot, begun_again.snapshot, EXACT).comparable
    assert compare(plain.snapshot, resumed.snapshot, EXACT).reasons == ("course/resumes differs: 0 / 1",)
    assert second.finish(draft("r3", attempt=2)) == resumed
    assert fsck(store) == []


def test_the_changes_of_a_second_engine_count_like_those_of_the_first():
    second = change_summary(change_report(1, 0.25, 20, 21))
    alone, both, other = (
        snapshot(name, documents=documents)
        for name, documents in (
            ("one", {"changes": CUT}),
            ("two", {"changes": CUT, "changes_growth": second}),
            ("three", {"changes": CUT, "changes_growth": change_summary(change_report(1, 0.125, 20, 21))}),
        )
    )
    assert both.course["changes"] == {"optimizer.lr": [[11, 0.5], [21, 0.25]]}
    assert not compare(both, alone, REPLICATE).comparable
    assert not compare(both, other, EXACT).comparable


@pytest.mark.parametrize("document", [[CUT], {"first": CUT}, {"requested": 1}, "none", 3])
def test_a_document_of_changes_that_is_no_summary_of_them_is_refused(document):
    with pytest.raises(InvalidInput, match=r"documents\.changes_growth is no summary of changes; give what"):
        draft("r", documents={"changes_growth": document})


def test_a_value_that_is_no_number_is_kept_as_its_text():
    course: dict[str, Any] = dict(ran(changes=change_summary(lost_at(12, "None"))).course)
    assert course["changes"]["optimizer.lr"] == [[11, 0.5, "FAILED", 12, "None"]]
