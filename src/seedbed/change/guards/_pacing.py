"""Guards that look back at the parameter's earlier moves: back and forth, too far in all, too soon."""

from fractions import Fraction
from itertools import pairwise

from seedbed.change.guards._proposal import Decision, GuardResult, Move, ProposedChange
from seedbed.change.parameters._grid import decimal, exact, farthest
from seedbed.change.parameters._parameter import Parameter, in_unit

__all__ = ["cooldown", "oscillation", "velocity"]


def oscillation(case: ProposedChange) -> GuardResult:
    """Deny a move that, with the `oscillation_window` - 1 before it, goes up and down in turn.

    Only the directions count, whatever lies between the moves; going on in the last direction is never denied. Moves
    older than `oscillation_horizon_steps` are forgotten, or a swing that is long over would hold a setting for good.
    """
    parameter, proposal, window = case.parameter, case.proposal, case.parameter.oscillation_window
    if window == 0:
        return GuardResult(Decision.ALLOW, "oscillation", proposal.after, "no oscillation window is declared")
    horizon = parameter.oscillation_horizon_steps
    recent = [move for move in case.earlier if horizon is None or move.step > proposal.step - horizon]
    moves = [*recent, proposal][-window:]
    travels = [_travel(parameter, move) for move in moves]
    if len(moves) == window and all(first * second < 0 for first, second in pairwise(travels)):
        reason = f"the last {window - 1} changes of {parameter.key} and this one go up and down in turn"
        return GuardResult(Decision.DENY, "oscillation", proposal.before, reason)
    return GuardResult(Decision.ALLOW, "oscillation", proposal.after, f"{window} changes do not go up and down in turn")


def velocity(case: ProposedChange) -> GuardResult:
    """Shrink a move to what is left of `velocity_cap` in the last `velocity_window_steps` steps; deny it if none is.

    The window is half-open: a move counts from its own step on, and no longer at the step that many steps later. The
    sum is exact in the decimals that the numbers are written in, so that it never exceeds the cap.
    """
    parameter, proposal, cap = case.parameter, case.proposal, case.parameter.velocity_cap
    if cap is None:
        return GuardResult(Decision.ALLOW, "velocity", proposal.after, "no velocity cap is declared")
    spent, travel = _spent(case), _travel(parameter, proposal)
    left = max(decimal(cap) - spent, Fraction(0))
    if abs(travel) <= left:
        return GuardResult(Decision.ALLOW, "velocity", proposal.after, "within the velocity cap")
    limit = exact(parameter, proposal.before) + (left if travel > 0 else -left)
    after = farthest(parameter, proposal.before, limit)
    told = f"has moved by {float(spent):g} in the last {parameter.velocity_window_steps} steps"
    allowed = in_unit(f"{cap:g}", parameter.unit)
    reason = f"{parameter.key} {told} and would by {float(abs(travel)):g} more, {allowed} are allowed in all"
    decision = Decision.DENY if after == proposal.before else Decision.SHRINK
    return GuardResult(decision, "velocity", after, reason)


def cooldown(case: ProposedChange) -> GuardResult:
    """Deny a change sooner than `cooldown_steps` after the last: its effect has not had time to show."""
    parameter, proposal = case.parameter, case.proposal
    since = proposal.step - case.earlier[-1].step if case.earlier else None
    if since is None or since >= parameter.cooldown_steps:
        return GuardResult(Decision.ALLOW, "cooldown", proposal.after, "the last change is long enough ago")
    return GuardResult(
        Decision.DENY,
        "cooldown",
        proposal.before,
        f"the last change of {parameter.key} was {since} steps ago, {parameter.cooldown_steps} must pass",
    )


def _travel(parameter: Parameter, move: Move) -> Fraction:
    return exact(parameter, move.after) - exact(parameter, move.before)


def _spent(case: ProposedChange) -> Fraction:
    """How far the parameter has moved, up and down, in the window that ends with the proposal's step."""
    opens = case.proposal.step - case.parameter.velocity_window_steps
    recent = (move for move in case.earlier if move.step > opens)
    return sum((abs(_travel(case.parameter, move)) for move in recent), Fraction(0))
