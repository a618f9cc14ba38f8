"""The outcome of each change from the plant's own evidence alone, to compare with the journal."""

from collections.abc import Mapping, Sequence

from seedbed.change import ChangeHistory, ChangeRecord, Kind, Registry
from seedbed.contracts import Outcome
from seedbed.soak._evidence import MeasurementRecord

__all__ = ["outcome_by_evidence", "was_made"]


def outcome_by_evidence(
    record: ChangeRecord, history: ChangeHistory, measured: Sequence[MeasurementRecord], registry: Registry
) -> tuple[Outcome, int | None]:
    """The outcome of a change, and the iteration that first used it, if any.

    An effective change is used within its parameter's lag, with only the old value used before that, and is then used
    until the next change of the same parameter or the end of the soak.
    """
    if record.denied:
        is_no_op = record.guard_result is not None and record.guard_result.guard == "no_op"
        return (Outcome.NO_OP if is_no_op else Outcome.BLOCKED), None
    if not was_made(record) or record.phase is Kind.ROLLED_BACK:
        return Outcome.FAILED, None
    values = _values_while_current(record, history, measured)
    lag = registry[record.delta.parameter].lag_steps
    first = next((at for at, value in enumerate(values) if value == record.after), None)
    waited = values if first is None else values[:first]
    if any(value != record.before for value in waited) or len(waited) >= lag:
        return Outcome.FAILED, None
    if first is None:
        return Outcome.UNKNOWN, None
    lasted = all(value == record.after for value in values[first:])
    done = Outcome.CLAMPED if record.shrunk else Outcome.EFFECTIVE
    return (done if lasted else Outcome.FAILED), record.step + 1 + first


def was_made(record: ChangeRecord) -> bool:
    """Whether the journal says that the change was written to the settings file."""
    return any(kind is Kind.APPLIED for kind, _ in record.story)


def _values_while_current(
    record: ChangeRecord, history: ChangeHistory, measured: Sequence[MeasurementRecord]
) -> list[float | None]:
    """The value that each iteration used, from the one after the change to the one that led to the next change."""
    key = record.delta.parameter
    later = [
        each.step for each in history.records if each.delta.parameter == key and each.id > record.id and was_made(each)
    ]
    until = min(later, default=len(measured))
    used: list[Mapping[str, float]] = [each.plant.used for each in measured if record.step < each.iteration <= until]
    return [values.get(key) for values in used]
