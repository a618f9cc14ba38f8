"""Guards that look at what holds at this moment: a freeze, the health of the plant, a drift of its KPIs."""

from collections.abc import Mapping

from seedbed.change.guards._proposal import Decision, GuardResult, ProposedChange

__all__ = ["drift", "freeze", "health"]

EVERYWHERE = "*"


def freeze(case: ProposedChange) -> GuardResult:
    """Deny a change of a frozen subsystem: it works, leave it."""
    return _stand(case, "freeze", "frozen", case.conditions.frozen)


def health(case: ProposedChange) -> GuardResult:
    """Deny a change while the subsystem cannot be measured or does not answer: its effect could not be seen."""
    return _stand(case, "health", "unhealthy", case.conditions.unhealthy)


def drift(case: ProposedChange) -> GuardResult:
    """Deny a change while the subsystem's KPIs have moved away from what the proposal rests on."""
    return _stand(case, "drift", "drifted", case.conditions.drifted)


def _stand(case: ProposedChange, guard: str, word: str, reasons: Mapping[str, str]) -> GuardResult:
    proposal, subsystem = case.proposal, case.parameter.subsystem
    for name in (subsystem, EVERYWHERE):
        if name in reasons:
            which = "every subsystem" if name == EVERYWHERE else f"subsystem {name!r}"
            return GuardResult(Decision.DENY, guard, proposal.before, f"{which} is {word}: {reasons[name]}")
    return GuardResult(Decision.ALLOW, guard, proposal.after, f"subsystem {subsystem!r} is not {word}")
