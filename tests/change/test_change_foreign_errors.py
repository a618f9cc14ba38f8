"""A live object of somebody else's library, which fails by an error of its own: the change fails, nothing else does."""

from collections.abc import Callable, Mapping

import pytest
from change_knob import Knob

from seedbed.change import ChangeEngine, Delta, Parameter, Set, UseReport
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

KEYS = ("library.a", "library.b")
PARAMETERS = [Parameter(key, unit="1", low=0.0, high=10.0, cooldown_steps=1) for key in KEYS]


class Foreign(Knob):
    """Fails in the methods of these names, from its first write on or from the next call of the method after that."""

    def __init__(self, *fails: str, value: float = 1.0, writes: bool = True) -> None:
        super().__init__(value)
        self._fails, self._writes, self._is_hit = fails, writes, False

    def _meet(self, name: str) -> None:
        if self._is_hit and name in self._fails:
            raise RuntimeError(f"the library cannot {name}")

    def read(self) -> float:
        self._meet("read")
        return super().read()

    def write(self, value: float) -> None:
        self._is_hit = True
        if self._writes:
            super().write(value)
        self._meet("write")

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        if report is not None:
            self._meet("watch")
        super().watch(report)

    def state(self) -> dict[str, float]:
        self._meet("state")
        return super().state()

    def restore(self, state: Mapping[str, float]) -> None:
        self._meet("restore")
        super().restore(state)


def changed(first: Knob, second: Knob) -> ChangeEngine:
    """An engine after a proposal of both settings together."""
    engine = ChangeEngine(MemoryJournal(), dict(zip(KEYS, (first, second), strict=True)), PARAMETERS)
    engine.propose_all([Delta(key, Set(2.0), "to see what it does", "me") for key in KEYS], 1)
    return engine


@pytest.mark.parametrize("writes", [True, False])
def test_what_was_written_before_an_object_refused_is_undone(writes: bool) -> None:
    first, second = Knob(1.0), Foreign("write", writes=writes)
    engine = changed(first, second)
    assert (first.value, second.value) == (1.0, 1.0)
    for change in engine.history.records:
        assert change.outcome is Outcome.FAILED
        assert change.reason == (
            "the live object refused it: RuntimeError: the library cannot write; the former value was restored and "
            "read back"
        )
    assert "RuntimeError: the library cannot write" in str(engine.history.records[0].story)
    engine.propose(Delta(KEYS[0], Set(3.0), "the engine goes on", "me"), 9)
    assert first.value == 3.0


def test_a_value_that_cannot_be_read_back_is_undone() -> None:
    first, second = Knob(1.0), Foreign("read")
    engine = changed(first, second)
    assert (first.value, second.value) == (1.0, 1.0)
    assert [each.outcome for each in engine.history.records] == [Outcome.FAILED] * 2
    assert "it could not be read back: RuntimeError: the library cannot read" in str(engine.history.records[1].story)


@pytest.mark.parametrize("also", ["restore", "state"])
def test_where_one_object_cannot_be_restored_the_others_are_and_it_is_said(also: str) -> None:
    first, second = Foreign("write", also), Knob(1.0)
    engine = changed(second, first)  # the second is written before
    assert second.value == 1.0
    told = str(engine.history.records[0].story)
    assert f"the former value was not restored: RuntimeError: the library cannot {also}" in told
    assert [each.outcome for each in engine.history.records] == [Outcome.FAILED] * 2


def test_a_check_of_somebody_else_that_fails_by_itself_undoes_the_change() -> None:
    knob = Knob(1.0)

    def check() -> None:
        raise ZeroDivisionError("in the check")

    engine = ChangeEngine(MemoryJournal(), {KEYS[0]: knob}, PARAMETERS[:1], invariants=[check])
    change = engine.propose(Delta(KEYS[0], Set(2.0), "to see what it does", "me"), 1)
    assert (change.outcome, knob.value) == (Outcome.FAILED, 1.0)
    assert "ZeroDivisionError: in the check" in str(change.story)


def test_a_change_whose_use_cannot_be_watched_is_unknown_and_never_effective() -> None:
    first, second = Knob(1.0), Foreign("watch")
    engine = changed(first, second)
    first.step()
    second.step()
    assert [each.outcome for each in engine.history.records] == [Outcome.EFFECTIVE, Outcome.UNKNOWN]
    assert "its use cannot be watched: RuntimeError: the library cannot watch" in engine.history.records[1].reason
