"""Pure rules that allow, shrink or deny a proposed value, each with its reason.

A guard sees the parameter's declared limits, the proposal, the parameter's earlier changes that reached the live
object, and what holds at this moment. It never enlarges a delta: the value it lets through lies between the value
before and the value asked for.
"""

from collections.abc import Sequence
from dataclasses import replace

from seedbed.change._case import Case, Decision, Guard, Ruling
from seedbed.change._parameter import in_unit

__all__ = ["GUARDS", "bounds", "cooldown", "judge_proposal", "no_op"]


def cooldown(case: Case) -> Ruling:
    """Deny a change sooner than `cooldown_steps` after the last: its effect has not had time to show."""
    parameter, proposal = case.parameter, case.proposal
    since = proposal.step - case.earlier[-1].step if case.earlier else None
    if since is None or since >= parameter.cooldown_steps:
        return Ruling(Decision.ALLOW, "cooldown", proposal.after, "the last change is long enough ago")
    return Ruling(
        Decision.DENY,
        "cooldown",
        proposal.before,
        f"the last change of {parameter.key} was {since} steps ago, {parameter.cooldown_steps} must pass",
    )


def bounds(case: Case) -> Ruling:
    """Shrink a value beyond `low`..`high` to the bound; deny where even the bound would be a larger move."""
    parameter, proposal = case.parameter, case.proposal
    nearest = min(max(proposal.after, parameter.low), parameter.high)
    declared = in_unit(f"{parameter.low:g} .. {parameter.high:g}", parameter.unit)
    if nearest == proposal.after:
        return Ruling(Decision.ALLOW, "bounds", proposal.after, f"within {declared}")
    if min(proposal.before, proposal.after) <= nearest <= max(proposal.before, proposal.after):
        return Ruling(Decision.SHRINK, "bounds", nearest, f"{proposal.after:g} lies outside {declared}")
    return Ruling(
        Decision.DENY,
        "bounds",
        proposal.before,
        f"{proposal.before:g} and {proposal.after:g} both lie outside {declared}",
    )


def no_op(case: Case) -> Ruling:
    """Deny a change to the value that is already live."""
    proposal = case.proposal
    if proposal.after != proposal.before:
        return Ruling(Decision.ALLOW, "no_op", proposal.after, "the value would change")
    return Ruling(Decision.DENY, "no_op", proposal.before, f"{case.parameter.key} is already {proposal.before:g}")


GUARDS: tuple[Guard, ...] = (cooldown, bounds, no_op)
"""In order: each sees what the one before let through; the first to deny ends it."""


def judge_proposal(guards: Sequence[Guard], case: Case) -> Ruling:
    """Ask the guards in order. The ruling is the first denial, else the last shrink, else ALLOW."""
    ruling = Ruling(Decision.ALLOW, None, case.proposal.after, "every guard allowed it")
    for guard in guards:
        answer = guard(case)
        if answer.decision is Decision.DENY:
            return answer
        if answer.decision is Decision.SHRINK:
            ruling = answer
            case = replace(case, proposal=replace(case.proposal, after=answer.after))
    return ruling
