"""The guards in their order, and how their answers become one.

A guard is a pure function. It sees the parameter's declared limits, the proposed move, the parameter's earlier changes
that reached the live object, and the present conditions. It never enlarges a change: the value that it lets through is
between the value before and the value asked for.

The reasons of these guards are stored in journals, and `seedbed soak verify` compares them word by word: a changed text
would make old soaks look forged.
"""

from collections.abc import Sequence
from dataclasses import replace

from seedbed.change.guards._bounds import bounds, no_op
from seedbed.change.guards._conditions import drift, freeze, health
from seedbed.change.guards._pacing import cooldown, oscillation, velocity
from seedbed.change.guards._proposal import Decision, Guard, GuardResult, ProposedChange

__all__ = ["GUARDS", "judge_proposal"]

GUARDS: tuple[Guard, ...] = (freeze, health, drift, oscillation, velocity, cooldown, bounds, no_op)
"""Asked in this order: each guard sees what the guard before it let through; the first denial ends it."""


def judge_proposal(guards: Sequence[Guard], proposed: ProposedChange) -> GuardResult:
    """Ask the guards in order. The result is the first denial, else the last shrink, else ALLOW."""
    result = GuardResult(Decision.ALLOW, None, proposed.move.after, "every guard allowed it")
    for guard in guards:
        answer = guard(proposed)
        if answer.decision is Decision.DENY:
            return answer
        if answer.decision is Decision.SHRINK:
            proposed = replace(proposed, move=replace(proposed.move, after=answer.after))
            result = replace(answer, after=proposed.move.after)
    return result
