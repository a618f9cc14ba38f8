"""What a checkpoint keeps of all changes, whether it belongs to this run, and how the live values follow it."""

from collections.abc import Iterable, Iterator, Mapping

from seedbed.change._checkpoint import ChangeState
from seedbed.change._history import ChangeHistory
from seedbed.change.phases._bound_settings import BoundSettings
from seedbed.change.phases._ledger import Ledger
from seedbed.errors import ContractBroken, InvalidInput

__all__ = ["require_anew", "require_own", "restore"]


def require_own(state: ChangeState, ledger: Ledger) -> None:
    """Raise InvalidInput unless the state was taken with this journal, or one that began alike."""
    newest = ledger.history.next_id() - 1
    if state.last_change > newest or not (state.journal_head is None or ledger.holds(state.journal_head)):
        raise InvalidInput(
            f"resume: the state, taken after change {state.last_change}, belongs to another journal than this one, "
            f"which holds {newest} changes; open the journal of the run that the checkpoint is of"
        )


def require_anew(settings: BoundSettings, history: ChangeHistory) -> None:
    """Raise InvalidInput where a live value is what a change left: then nothing begins again."""
    for key, live, held, before in _left_by_changes(settings.registry.keys(), settings.target.read(), history):
        raise InvalidInput(
            f"resume(None) begins again, but {key} reads {live:g}, as change {held} left it, and was {before:g} "
            "before all changes: the state of a checkpoint was loaded; resume with the engine's state of that "
            "checkpoint"
        )


def restore(state: ChangeState, settings: BoundSettings, history: ChangeHistory) -> list[str]:
    """Restore the live values that differ from the state's, and read them back; their keys.

    Settings that were bound after the state was taken stay as they are. Raises InvalidInput when the state has other
    parameters, or when one of those later ones has the value that a change left; ContractBroken when a live object does
    not take a value.
    """
    live = settings.target.state()
    later = live.keys() & settings.keys_after(state.values)
    _require_unchanged(later, settings.target.read(), history)
    values = {**state.values, **{key: live[key] for key in later}}
    if values.keys() != live.keys():
        raise InvalidInput(f"resume: the state holds {sorted(state.values)}, bound are {sorted(live)}")
    stale = [key for key in live if live[key] != values[key]]
    settings.target.restore({key: values[key] for key in stale})
    found = settings.target.state()
    for key in stale:
        if found[key] != values[key]:
            raise ContractBroken(f"resume: {key} was set to {values[key]} and reads back {found[key]}")
    return stale


def _require_unchanged(later: Iterable[str], live: Mapping[str, float], history: ChangeHistory) -> None:
    for key, value, held, before in _left_by_changes(later, live, history):
        raise InvalidInput(
            f"resume: the state was taken before {key} was bound, which reads {value:g}, as change {held} left it; "
            f"set it to {before:g}, as it was before all changes, or build its object anew"
        )


def _left_by_changes(
    keys: Iterable[str], live: Mapping[str, float], history: ChangeHistory
) -> Iterator[tuple[str, float, int, float]]:
    """The settings with the value that a change left: key, value, the change, and the value before all changes."""
    for key in keys:
        first, held = history.first_touched(key), history.held(key)
        if first and held and live[key] == held.after != first.before:
            yield key, live[key], held.id, first.before
