"""What became of each change, by the plant's own evidence alone: the oracle that the journal is held against."""

from collections.abc import Mapping, Sequence

from seedbed.change import ChangeHistory, ChangeRecord, Kind, Registry
from seedbed.contracts import Outcome
from seedbed.soak._evidence import Measured

__all__ = ["outcome_by_evidence", "was_made"]


def outcome_by_evidence(
    record: ChangeRecord, history: ChangeHistory, measured: Sequence[Measured], registry: Registry
) -> tuple[Outcome, int | None]:
    """How a change ended, and at which iteration it was first used, if it was.

    It must be used within its parameter's lag, after nothing but the former value, and for as long as it stands: until
    the next change of the same parameter was made, or the soak ended.
    """
    if record.denied:
        is_no_op = record.guard_result is not None and record.guard_result.guard == "no_op"
        return (Outcome.NO_OP if is_no_op else Outcome.BLOCKED), None
    if not was_made(record) or record.phase is Kind.ROLLED_BACK:
        return Outcome.FAILED, None
    reign = _reign(record, history, measured)
    lag = registry[record.delta.parameter].lag_steps
    first = next((at for at, value in enumerate(reign) if value == record.after), None)
    waited = reign if first is None else reign[:first]
    if any(value != record.before for value in waited) or len(waited) >= lag:
        return Outcome.FAILED, None
    if first is None:
        return Outcome.UNKNOWN, None
    lasted = all(value == record.after for value in reign[first:])
    done = Outcome.CLAMPED if record.shrunk else Outcome.EFFECTIVE
    return (done if lasted else Outcome.FAILED), record.step + 1 + first


def was_made(record: ChangeRecord) -> bool:
    """Whether the journal says that the settings file took it."""
    return any(kind is Kind.APPLIED for kind, _ in record.story)


def _reign(record: ChangeRecord, history: ChangeHistory, measured: Sequence[Measured]) -> list[float | None]:
    """What each iteration ran with, from the one after the change to the one that the next change was proposed on."""
    key = record.delta.parameter
    later = [
        each.step for each in history.records if each.delta.parameter == key and each.id > record.id and was_made(each)
    ]
    until = min(later, default=len(measured))
    used: list[Mapping[str, float]] = [each.plant.used for each in measured if record.step < each.iteration <= until]
    return [values.get(key) for values in used]
