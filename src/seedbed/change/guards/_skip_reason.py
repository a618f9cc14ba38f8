"""A guard's denial as it is kept in a record."""

from seedbed.change.guards._proposal import Decision, GuardResult
from seedbed.contracts import SkipReason

__all__ = ["skip_reason"]

_FLAGS = frozenset(SkipReason.model_fields) - {"note"}


def skip_reason(result: GuardResult) -> SkipReason | None:
    """Which guard denied the change, and why; None when the change, or part of it, was let through."""
    if result.decision is not Decision.DENY:
        return None
    flag = result.guard if result.guard in _FLAGS else "other"
    return SkipReason.model_validate({flag: True, "note": f"{result.guard}: {result.reason}"})
