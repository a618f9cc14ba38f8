"""Guards that look at the value itself: within its bounds, on its grid, other than the one that is live."""

from seedbed.change.guards._proposal import Decision, GuardResult, ProposedChange
from seedbed.change.parameters._grid import decimal, exact, farthest
from seedbed.change.parameters._parameter import Parameter, in_unit

__all__ = ["bounds", "no_op"]


def bounds(case: ProposedChange) -> GuardResult:
    """Shrink a value beyond `low`..`high` to the bound, and one off the grid to the point next to it on the way.

    Denies where the value before lies outside the bounds itself and no shorter move leads back.
    """
    parameter, proposal = case.parameter, case.proposal
    here, there = exact(parameter, proposal.before), exact(parameter, proposal.after)
    low, high = decimal(parameter.low), decimal(parameter.high)
    limit = min(max(there, low), high)
    leads_back = min(here, there) <= limit <= max(here, there)
    after = farthest(parameter, proposal.before, limit) if leads_back else proposal.before
    if leads_back and after == proposal.after:
        return GuardResult(Decision.ALLOW, "bounds", after, f"within {_declared(parameter)}")
    if leads_back and (after != proposal.before or low <= here <= high):
        why = "outside" if limit != there else "off the grid of"
        return GuardResult(Decision.SHRINK, "bounds", after, f"{proposal.after:.12g} lies {why} {_declared(parameter)}")
    reason = f"no value within {_declared(parameter)} lies between {proposal.before:.12g} and {proposal.after:.12g}"
    return GuardResult(Decision.DENY, "bounds", proposal.before, reason)


def no_op(case: ProposedChange) -> GuardResult:
    """Deny a change to the value that is already live."""
    parameter, proposal = case.parameter, case.proposal
    if exact(parameter, proposal.after) != exact(parameter, proposal.before):
        return GuardResult(Decision.ALLOW, "no_op", proposal.after, "the value would change")
    return GuardResult(Decision.DENY, "no_op", proposal.before, f"{parameter.key} is already {proposal.before:g}")


def _declared(parameter: Parameter) -> str:
    declared = in_unit(f"{parameter.low:g} .. {parameter.high:g}", parameter.unit)
    return declared if parameter.increment is None else f"{declared} by {parameter.increment:g}"
