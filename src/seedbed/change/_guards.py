"""Pure rules that allow, shrink or deny a proposed value, each with its reason.

A guard sees the parameter's declared limits, the proposal and the parameter's earlier changes that reached the live
object. It never enlarges a delta: the value it lets through lies between the value before and the value asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from seedbed.change._parameter import Parameter, in_unit

__all__ = ["GUARDS", "Decision", "Guard", "Move", "Ruling", "bounds", "cooldown", "judge_proposal", "no_op"]


class Decision(StrEnum):
    """A guard's answer."""

    ALLOW = "ALLOW"
    SHRINK = "SHRINK"
    DENY = "DENY"


@dataclass(frozen=True, slots=True)
class Move:
    """At `step`, from `before` to `after`: a resolved proposal, or an earlier change (in the parameter's unit)."""

    step: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a guard decided, the value it lets through, and why. `guard` is None when all allowed."""

    decision: Decision
    guard: str | None
    after: float
    reason: str


Guard = Callable[[Parameter, Move, Sequence[Move]], Ruling]
"""(parameter, proposal, its earlier moves that reached the live object, oldest first) -> ruling."""


def cooldown(parameter: Parameter, proposal: Move, earlier: Sequence[Move]) -> Ruling:
    """Deny a change sooner than `cooldown_steps` after the last: its effect has not had time to show."""
    since = proposal.step - earlier[-1].step if earlier else None
    if since is None or since >= parameter.cooldown_steps:
        return Ruling(Decision.ALLOW, "cooldown", proposal.after, "the last change is long enough ago")
    return Ruling(
        Decision.DENY,
        "cooldown",
        proposal.before,
        f"the last change of {parameter.key} was {since} steps ago, {parameter.cooldown_steps} must pass",
    )


def bounds(parameter: Parameter, proposal: Move, earlier: Sequence[Move]) -> Ruling:  # noqa: ARG001
    """Shrink a value beyond `low`..`high` to the bound; deny where even the bound would be a larger move."""
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


def no_op(parameter: Parameter, proposal: Move, earlier: Sequence[Move]) -> Ruling:  # noqa: ARG001
    """Deny a change to the value that is already live."""
    if proposal.after != proposal.before:
        return Ruling(Decision.ALLOW, "no_op", proposal.after, "the value would change")
    return Ruling(Decision.DENY, "no_op", proposal.before, f"{parameter.key} is already {proposal.before:g}")


GUARDS: tuple[Guard, ...] = (cooldown, bounds, no_op)
"""In order: each sees what the one before let through; the first to deny ends it."""


def judge_proposal(guards: Sequence[Guard], parameter: Parameter, proposal: Move, earlier: Sequence[Move]) -> Ruling:
    """Ask the guards in order. The ruling is the first denial, else the last shrink, else ALLOW."""
    ruling = Ruling(Decision.ALLOW, None, proposal.after, "every guard allowed it")
    for guard in guards:
        answer = guard(parameter, proposal, earlier)
        if answer.decision is Decision.DENY:
            return answer
        if answer.decision is Decision.SHRINK:
            ruling = answer
            proposal = replace(proposal, after=answer.after)
    return ruling
