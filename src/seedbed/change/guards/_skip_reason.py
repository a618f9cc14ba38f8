"""A guard's denial in the words of a record."""

from seedbed.change.guards._proposal import Decision, GuardResult
from seedbed.contracts import SkipReason

__all__ = ["skip_reason"]

_FLAGS = frozenset(SkipReason.model_fields) - {"note"}


def skip_reason(ruling: GuardResult) -> SkipReason | None:
    """Which guard denied the change, and why; None when it went through, whole or in part."""
    if ruling.decision is not Decision.DENY:
        return None
    flag = ruling.guard if ruling.guard in _FLAGS else "other"
    return SkipReason.model_validate({flag: True, "note": f"{ruling.guard}: {ruling.reason}"})
