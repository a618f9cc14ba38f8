"""Guards that look at the value itself: is it within the bounds, on the grid, and different from the live value?"""

from seedbed.change.guards._proposal import Decision, GuardResult, ProposedChange
from seedbed.change.parameters._grid import decimal, exact, farthest
from seedbed.change.parameters._parameter import Parameter, in_unit

__all__ = ["bounds", "no_op"]


def bounds(proposed: ProposedChange) -> GuardResult:
    """Shrink a value beyond `low`..`high` to the bound, and a value off the grid to the nearest point before it.

    Deny when the value before is itself outside the bounds and no shorter move leads back.
    """
    parameter, move = proposed.parameter, proposed.move
    start, end = exact(parameter, move.before), exact(parameter, move.after)
    low, high = decimal(parameter.low), decimal(parameter.high)
    limit = min(max(end, low), high)
    leads_back = min(start, end) <= limit <= max(start, end)
    after = farthest(parameter, move.before, limit) if leads_back else move.before
    if leads_back and after == move.after:
        return GuardResult(Decision.ALLOW, "bounds", after, f"within {_declared(parameter)}")
    if leads_back and (after != move.before or low <= start <= high):
        why = "outside" if limit != end else "off the grid of"
        return GuardResult(Decision.SHRINK, "bounds", after, f"{move.after:.12g} lies {why} {_declared(parameter)}")
    leads = f"a change to {move.after:.12g} does not lead back into it"
    reason = f"the live value {move.before:.12g} lies outside {_declared(parameter)}, and {leads}"
    return GuardResult(Decision.DENY, "bounds", move.before, reason)


def no_op(proposed: ProposedChange) -> GuardResult:
    """Deny a change to the value that is already live."""
    parameter, move = proposed.parameter, proposed.move
    if exact(parameter, move.after) != exact(parameter, move.before):
        return GuardResult(Decision.ALLOW, "no_op", move.after, "the value would change")
    return GuardResult(Decision.DENY, "no_op", move.before, f"{parameter.key} is already {move.before:g}")


def _declared(parameter: Parameter) -> str:
    declared = in_unit(f"{parameter.low:g} .. {parameter.high:g}", parameter.unit)
    return declared if parameter.increment is None else f"{declared} by {parameter.increment:g}"
