"""What may come of a proposal between its intent and the next measurement."""

from collections.abc import Iterator, Sequence

from seedbed.change import ChangeHistory, ChangeRecord, Kind
from seedbed.soak._evidence import Held
from seedbed.soak.verify._effects import Due
from seedbed.soak.verify._segment import Segment

__all__ = ["settlements", "unsettled"]

_UNUSED = "the run ended before a step used it"
_RESTORED = "the former value was restored and read back"


def settlements(history: ChangeHistory, first_id: int, segment: Segment, *, is_last: bool) -> list[Due]:
    """Every record that may follow now, where the changes from `first_id` on are this iteration's."""
    new = [record for record in history.records if record.id >= first_id]
    return [
        *_of_open(history, segment),
        *_of_intended(new, segment),
        *_of_failed(new),
        *_of_unseen(new, history, is_last=is_last),
    ]


def unsettled(history: ChangeHistory, *, is_last: bool) -> Iterator[tuple[ChangeRecord, str]]:
    """The changes of which the journal does not say what it must before the next iteration, or at the end."""
    for record in history.records:
        if record.is_open:
            yield record, "was neither applied nor given up"
        elif is_last and record.phase is Kind.APPLIED:
            yield record, "was never seen in use, and nothing says that this is unknown"


def _of_open(history: ChangeHistory, segment: Segment) -> Iterator[Due]:
    """A process ended before the settings were touched, and the next one began the proposal anew."""
    if left := history.open():
        payload = {"step": segment.iteration, "kept": left[0].batch - 1, "restored": []}
        yield Due(Kind.RESUMED, [payload])


def _of_intended(new: Sequence[ChangeRecord], segment: Segment) -> Iterator[Due]:
    """Applied, or undone, by what the plant said it holds when it was handed the settings.

    It said nothing when the process ended before it was asked: then the next process noted that they were applied.
    """
    record = next((each for each in new if each.phase is Kind.INTENT), None)
    if record is None:
        return
    state, key = str(record.story[-1][1]["state_after"]), record.delta.parameter
    together = [each for each in new if each.batch == record.batch and not each.denied]
    handed = [held for held in segment.helds if held.state_hash == state]
    words = [held.values.get(key) for held in handed if not _wrong(held, together)]
    applied = [{"id": record.id, "found": record.after, "held": word, "state": state} for word in (*words, None)]
    yield Due(Kind.APPLIED, applied)
    yield Due(Kind.FAILED, [{"id": record.id, "reason": why} for held in handed if (why := _wrong(held, together))])


def _wrong(held: Held, together: Sequence[ChangeRecord]) -> str:
    """What the plant said it holds that is neither the old value nor the new; empty when there is nothing."""
    for record in together:
        key = record.delta.parameter
        said = held.values.get(key, record.before)
        if said not in {record.after, record.before}:
            return f"its user holds {key} at {said:g}, expected {record.after:g}"
    return ""


def _of_failed(new: Sequence[ChangeRecord]) -> Iterator[Due]:
    record = next((each for each in new if each.phase is Kind.FAILED), None)
    if record is not None:
        yield Due(Kind.ROLLED_BACK, [{"id": record.id, "reason": _RESTORED}])


def _of_unseen(new: Sequence[ChangeRecord], history: ChangeHistory, *, is_last: bool) -> Iterator[Due]:
    """Applied and not yet seen in use: at the end, and when another change of the same setting comes first."""
    for record in history.records:
        if record.phase is Kind.APPLIED:
            others = [each for each in new if each.delta.parameter == record.delta.parameter and each.id > record.id]
            reasons = [f"change {each.id} came before a step used it" for each in others]
            reasons += [_UNUSED] if is_last else []
            yield Due(Kind.UNKNOWN, [{"id": record.id, "reason": reason} for reason in reasons])
