"""Pure rules that allow, shrink or deny a proposed value, each with its reason.

A guard sees the parameter's declared limits, the proposal, the parameter's earlier changes that reached the live
object, and what holds at this moment. It never enlarges a delta: the value it lets through lies between the value
before and the value asked for.
"""

from collections.abc import Sequence
from dataclasses import replace

from seedbed.change.guards._bounds import bounds, no_op
from seedbed.change.guards._conditions import drift, freeze, health
from seedbed.change.guards._pacing import cooldown, oscillation, velocity
from seedbed.change.guards._proposal import Decision, Guard, GuardResult, ProposedChange

__all__ = ["GUARDS", "judge_proposal"]

GUARDS: tuple[Guard, ...] = (freeze, health, drift, oscillation, velocity, cooldown, bounds, no_op)
"""In order: each sees what the one before let through; the first to deny ends it."""


def judge_proposal(guards: Sequence[Guard], case: ProposedChange) -> GuardResult:
    """Ask the guards in order. The ruling is the first denial, else the last shrink, else ALLOW."""
    ruling = GuardResult(Decision.ALLOW, None, case.proposal.after, "every guard allowed it")
    for guard in guards:
        answer = guard(case)
        if answer.decision is Decision.DENY:
            return answer
        if answer.decision is Decision.SHRINK:
            case = replace(case, proposal=replace(case.proposal, after=answer.after))
            ruling = replace(answer, after=case.proposal.after)
    return ruling
