"""The records that may follow a proposal, between its intent and the next measurement."""

from collections.abc import Iterator, Sequence

from seedbed.change import ChangeHistory, ChangeRecord, Kind
from seedbed.soak._evidence import DeliveryRecord
from seedbed.soak.verify._effects import ExpectedEntry
from seedbed.soak.verify._segment import Segment

__all__ = ["settlements", "unsettled"]

_UNUSED = "the run ended before a step used it"
_RESTORED = "the former value was restored and read back"


def settlements(history: ChangeHistory, first_id: int, segment: Segment, *, is_last: bool) -> list[ExpectedEntry]:
    """Every record that may come next. The changes from `first_id` on are those of this iteration."""
    new = [record for record in history.records if record.id >= first_id]
    return [
        *_of_open(history, segment),
        *_of_intended(new, segment),
        *_of_failed(new),
        *_of_unseen(new, history, is_last=is_last),
    ]


def unsettled(history: ChangeHistory, *, is_last: bool) -> Iterator[tuple[ChangeRecord, str]]:
    """The changes whose records are incomplete before the next iteration or at the end, each with what is missing."""
    for record in history.records:
        if record.is_open:
            yield record, "was neither applied nor given up"
        elif is_last and record.phase is Kind.APPLIED:
            yield record, "was never seen in use, and nothing says that this is unknown"


def _of_open(history: ChangeHistory, segment: Segment) -> Iterator[ExpectedEntry]:
    """A process ended before the settings were changed, and the next one starts the proposal again."""
    if left := history.open():
        payload = {"step": segment.iteration, "kept": left[0].batch - 1, "restored": []}
        yield ExpectedEntry(Kind.RESUMED, [payload])


def _of_intended(new: Sequence[ChangeRecord], segment: Segment) -> Iterator[ExpectedEntry]:
    """Applied or failed, by what the plant said it holds after the delivery.

    If the process ended before the delivery, the plant said nothing; the next process then recorded it as applied.
    """
    record = next((each for each in new if each.phase is Kind.INTENT), None)
    if record is None:
        return
    state, key = str(record.story[-1][1]["state_after"]), record.delta.parameter
    together = [each for each in new if each.batch == record.batch and not each.denied]
    deliveries = [each for each in segment.deliveries if each.state_hash == state]
    held = [each.held.get(key) for each in deliveries if not _wrong_value(each, together)]
    applied = [{"id": record.id, "found": record.after, "held": value, "state": state} for value in (*held, None)]
    yield ExpectedEntry(Kind.APPLIED, applied)
    yield ExpectedEntry(
        Kind.FAILED, [{"id": record.id, "reason": why} for each in deliveries if (why := _wrong_value(each, together))]
    )


def _wrong_value(delivery: DeliveryRecord, together: Sequence[ChangeRecord]) -> str:
    """The reason of a failure when the plant holds neither the old value nor the new one, else empty."""
    for record in together:
        key = record.delta.parameter
        held = delivery.held.get(key, record.before)
        if held not in {record.after, record.before}:
            return f"its user holds {key} at {held:g}, expected {record.after:g}"
    return ""


def _of_failed(new: Sequence[ChangeRecord]) -> Iterator[ExpectedEntry]:
    record = next((each for each in new if each.phase is Kind.FAILED), None)
    if record is not None:
        yield ExpectedEntry(Kind.ROLLED_BACK, [{"id": record.id, "reason": _RESTORED}])


def _of_unseen(new: Sequence[ChangeRecord], history: ChangeHistory, *, is_last: bool) -> Iterator[ExpectedEntry]:
    """Unknown: applied, but not used before the end or before another change of the same setting."""
    for record in history.records:
        if record.phase is Kind.APPLIED:
            others = [each for each in new if each.delta.parameter == record.delta.parameter and each.id > record.id]
            reasons = [f"change {each.id} came before a step used it" for each in others]
            reasons += [_UNUSED] if is_last else []
            yield ExpectedEntry(Kind.UNKNOWN, [{"id": record.id, "reason": reason} for reason in reasons])
