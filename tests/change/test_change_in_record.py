"""A record holds the changes of the journals of its run, whether or not anybody thought of them."""

from pathlib import Path

import pytest
from change_knob import Knob

from seedbed.change import ChangeEngine, ChangeHistory, Delta, Parameter, Scale, Set, summary
from seedbed.errors import Conflict, InvalidInput, StoreUnavailable
from seedbed.records import EXACT, NOT_APPLICABLE, ActiveRun, Commit, Journal, Store, ablation, compare
from seedbed.render.facts._course import unknown_words

LR = Parameter("optimizer.lr", unit="1", low=1e-5, high=1.0)
INPUTS = dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", create=True)


def engine_of(journal: Journal, *, is_changed: bool = True) -> ChangeEngine:
    """An engine that made a change, which a step used, if `is_changed`."""
    knob = Knob()
    engine = ChangeEngine(journal, {LR.key: knob}, [LR])
    if is_changed:
        engine.propose(Delta(LR.key, Scale(0.5), reason="by hand", proposer="me"), step=10)
        knob.step()
    return engine


def ended(run: ActiveRun, **documents: object) -> Commit:
    return run.finish(run.draft(fingerprints=INPUTS, documents=documents))


def test_a_change_that_nobody_put_into_the_record_stands_in_it_and_is_an_input(store: Store) -> None:
    changed, unchanged = store.start("a"), store.start("a")
    engine = engine_of(changed.journal())
    engine_of(unchanged.journal(), is_changed=False).close()
    found, other = ended(changed), ended(unchanged)
    assert found.snapshot.documents["changes"] == summary(engine.history).model_dump(mode="json")
    assert found.snapshot.course["changes"] == {"optimizer.lr": [[11, 0.005]]}
    assert not compare(found.snapshot, other.snapshot, EXACT).comparable
    assert ended(store.start("a")).snapshot.documents == {}


def test_each_journal_has_its_summary_under_its_name_and_none_is_there_twice(store: Store) -> None:
    run = store.start("a")
    by_hand, growth = (engine_of(run.journal(name)) for name in ("changes", "growth"))
    found = ended(run, mine=summary(by_hand.history).model_dump(mode="json")).snapshot
    assert sorted(found.documents) == ["growth", "mine"]
    assert found.documents["growth"] == summary(growth.history).model_dump(mode="json")
    assert found.course["changes"] == {"optimizer.lr": [[11, 0.005], [11, 0.005]]}


@pytest.mark.parametrize("given", [("changes",), ("growth",), ("changes", "growth"), ()])
def test_a_summary_under_the_name_of_its_journal_stands_for_no_other(store: Store, given: tuple[str, ...]) -> None:
    run = store.start("a")
    engines = {name: engine_of(run.journal(name)) for name in ("changes", "growth")}
    summaries = {name: summary(engine.history).model_dump(mode="json") for name, engine in engines.items()}
    commit = ended(run, **{name: summaries[name] for name in given})
    assert commit.snapshot.documents == summaries
    assert ended(run) == commit


@pytest.mark.parametrize("given", [{"text": "mine"}, summary(ChangeHistory()).model_dump(mode="json")])
def test_something_else_under_the_name_of_a_journal_is_refused_and_the_run_can_still_end(
    store: Store, given: dict[str, object]
) -> None:
    run = store.start("a")
    engine_of(run.journal("growth"))
    run.journal("notes")
    with pytest.raises(InvalidInput, match=r"'growth' is not the summary of the changes in the journal growth\.log"):
        ended(run, growth=given)
    assert sorted(ended(run, mine=given, notes={"text": "mine"}).snapshot.documents) == ["growth", "mine", "notes"]


def interrupted(store: Store, *, is_changed: bool) -> ActiveRun:
    """The second attempt of a run; in the first, a change was made if `is_changed`."""
    run = store.start("a")
    engine_of(run.journal(), is_changed=is_changed).close()
    run.log(1, {"loss": 1.0})
    run.interrupted("Ctrl-C")
    again = store.start("a", run.run_id)
    again.log(2, {"loss": 1.0})
    return again


@pytest.mark.parametrize("opens", [False, True])
def test_changes_of_an_earlier_attempt_that_no_engine_takes_over_are_no_secret(
    store: Store, opens: bool, caplog: pytest.LogCaptureFixture
) -> None:
    changed, unchanged = (interrupted(store, is_changed=is_changed) for is_changed in (True, False))
    if opens:
        changed.journal()
    found, other = ended(changed), ended(unchanged)
    assert found.snapshot.course["untold"] == {"changes.log": found.snapshot.logs["changes.log"].digest}
    assert "untold" not in other.snapshot.course
    (said,) = caplog.records
    assert said.getMessage().startswith(f"no document tells of the changes in changes.log of {found.snapshot.run_id}")
    assert unknown_words(found.snapshot) == ("no document tells of the changes in changes.log: comparable with no run",)
    assert unknown_words(other.snapshot) == ()
    compared = compare(other.snapshot, found.snapshot, EXACT)
    assert not compared.comparable
    assert compared.reasons == ("one run has changes in a journal that no document of the record tells of",)
    assert not compare(other.snapshot, found.snapshot, ablation("untold", "resumes", "/course/untold")).comparable


def test_what_no_document_tells_is_told_once_and_of_a_commit_alone(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = interrupted(store, is_changed=True)

    def refuse(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store.log("a"), "append", refuse)
        with pytest.raises(StoreUnavailable):
            ended(run)
    assert caplog.messages == []
    assert ended(run) == ended(run)
    assert [message[:20] for message in caplog.messages] == ["no document tells of"]


@pytest.mark.parametrize("is_settled", [False, True])
def test_an_engine_that_takes_the_journal_over_tells_of_them_once_it_settled_them(
    store: Store, *, is_settled: bool
) -> None:
    run = interrupted(store, is_changed=True)
    knob = Knob(0.005)
    engine = ChangeEngine(run.journal(), {LR.key: knob}, [LR])
    if is_settled:
        engine.settle(10)
    course = ended(run).snapshot.course
    assert course["changes"] == ({"optimizer.lr": [[11, 0.005]]} if is_settled else {})
    assert ("untold" in course) is not is_settled


def test_an_earlier_summary_under_another_name_is_refused(store: Store) -> None:
    run = store.start("a")
    engine = engine_of(run.journal())
    early = summary(engine.history).model_dump(mode="json")
    engine.propose(Delta(LR.key, Scale(0.5), reason="again", proposer="me"), step=20)
    with pytest.raises(InvalidInput, match="'mine' is a summary of the changes in the journal changes"):
        ended(run, mine=early)
    assert ended(run).snapshot.course["changes"] == {"optimizer.lr": [[11, 0.005], [21, 0.0025, "UNKNOWN"]]}


@pytest.mark.parametrize("first", ["changes", "growth"])
def test_of_two_engines_that_began_alike_each_summary_stands_for_its_own_journal(store: Store, first: str) -> None:
    run = store.start("a")
    others = {"changes", "growth"} - {first}
    engines = {name: engine_of(run.journal(name)) for name in (first, *others)}
    engines["changes"].propose(Delta(LR.key, Scale(0.5), reason="again", proposer="me"), step=20)
    # What the one made is the beginning of what the other did.
    whole = {name: summary(engine.history).model_dump(mode="json") for name, engine in engines.items()}
    found = ended(run, mine=whole["growth"]).snapshot
    assert found.documents == {"mine": whole["growth"], "changes": whole["changes"]}
    assert "untold" not in found.course


def test_a_document_stands_for_one_journal_only(store: Store) -> None:
    run = store.start("a")
    engines = [engine_of(run.journal(name)) for name in ("changes", "growth")]
    same = [summary(engine.history).model_dump(mode="json") for engine in engines]
    assert same[0] == same[1]
    assert len(ended(run, mine=same[0]).snapshot.documents) == 2


def test_a_summary_under_another_name_tells_of_its_journal(store: Store) -> None:
    run, plain = store.start("a"), store.start("a")
    for each in (run, plain):
        engine = engine_of(each.journal())
    mine = ended(run, mine=summary(engine.history).model_dump(mode="json"))
    found = ended(plain)
    assert sorted(mine.snapshot.documents) == ["mine"]
    assert "untold" not in mine.snapshot.course
    assert mine.snapshot.course == found.snapshot.course
    assert "one run has changes in a journal" not in " ".join(compare(mine.snapshot, found.snapshot, EXACT).reasons)


def test_of_several_documents_that_are_wrong_the_first_by_name_is_told(store: Store) -> None:
    run = store.start("a")
    names = [f"journal{number}" for number in range(8)]
    for name in names:
        engine_of(run.journal(name))
    with pytest.raises(InvalidInput, match="the document 'journal0' is not the summary"):
        ended(run, **{name: {"text": "mine"} for name in reversed(names)})


def test_two_engines_on_one_journal_are_refused_and_what_the_first_made_is_kept(store: Store) -> None:
    run = store.start("a")
    first, second = (engine_of(run.journal(), is_changed=False) for _ in range(2))
    half = Delta(LR.key, Scale(0.5), reason="by hand", proposer="me")
    first.propose(half, step=10)
    with pytest.raises(Conflict, match="give each engine a journal of its own"):
        second.propose(half, step=10)
    assert ended(run).snapshot.course["changes"] == {"optimizer.lr": [[11, 0.005, "UNKNOWN"]]}


def test_to_begin_again_with_a_value_that_a_change_left_is_refused(store: Store) -> None:
    run = interrupted(store, is_changed=True)
    engine = ChangeEngine(run.journal(), {LR.key: Knob(0.005)}, [LR])
    with pytest.raises(InvalidInput, match=r"reads 0\.005, as change 1 left it, and was 0\.01 before all changes"):
        engine.resume(None)
    again = ChangeEngine(run.journal(), {LR.key: Knob()}, [LR])
    again.resume(None)
    assert again.history.records == ()


def test_to_begin_again_is_allowed_where_the_last_change_led_back_to_the_value_from_before_all(store: Store) -> None:
    run = store.start("a")
    knob = Knob()
    engine = ChangeEngine(run.journal(), {LR.key: knob}, [LR])
    for step, value in ((10, 0.005), (30, 0.01)):
        engine.propose(Delta(LR.key, Set(value), reason="by hand", proposer="me"), step)
        knob.step()
    engine.close()
    assert [record.after for record in engine.history.records] == [0.005, 0.01]
    run.interrupted("Ctrl-C")
    again = ChangeEngine(store.start("a", run.run_id).journal(), {LR.key: Knob(0.01)}, [LR])
    again.resume(None)  # 0.01 is what the last change left, and what a beginning has
    assert again.history.records == ()


@pytest.mark.parametrize(("first_step", "is_kept"), [(21, True), (1, False)])
def test_a_change_that_a_resume_calls_lost_is_told_by_nobody_where_its_steps_were_kept(
    store: Store, first_step: int, *, is_kept: bool
) -> None:
    run = store.start("a")
    for step in range(1, 11):
        run.log(step, {"lr": 0.01})
    engine = engine_of(run.journal())
    for step in range(11, 21):
        run.log(step, {"lr": 0.005})
    engine.close()
    run.interrupted("Ctrl-C")
    later = store.start("a", run.run_id)
    ChangeEngine(later.journal(), {LR.key: Knob()}, [LR]).resume(None)
    for step in range(first_step, 31):
        later.log(step, {"lr": 0.01})
    assert ("untold" in ended(later).snapshot.course) is is_kept
