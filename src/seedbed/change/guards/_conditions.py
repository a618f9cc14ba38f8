"""Guards that look at the present conditions: a freeze, the health of the plant, a drift of its KPIs."""

from collections.abc import Mapping

from seedbed.change.guards._proposal import Decision, GuardResult, ProposedChange

__all__ = ["drift", "freeze", "health"]

EVERYWHERE = "*"


def freeze(proposed: ProposedChange) -> GuardResult:
    """Deny a change of a frozen subsystem: it works well as it is."""
    return _check(proposed, "freeze", "frozen", proposed.conditions.frozen)


def health(proposed: ProposedChange) -> GuardResult:
    """Deny a change while the subsystem cannot be measured or does not answer: its effect could not be seen."""
    return _check(proposed, "health", "unhealthy", proposed.conditions.unhealthy)


def drift(proposed: ProposedChange) -> GuardResult:
    """Deny a change while the subsystem's KPIs have moved away from what the proposal rests on."""
    return _check(proposed, "drift", "drifted", proposed.conditions.drifted)


def _check(proposed: ProposedChange, guard: str, condition: str, reasons: Mapping[str, str]) -> GuardResult:
    move, subsystem = proposed.move, proposed.parameter.subsystem
    for name in (subsystem, EVERYWHERE):
        if name in reasons:
            which = "every subsystem" if name == EVERYWHERE else f"subsystem {name!r}"
            return GuardResult(Decision.DENY, guard, move.before, f"{which} is {condition}: {reasons[name]}")
    return GuardResult(Decision.ALLOW, guard, move.after, f"subsystem {subsystem!r} is not {condition}")
