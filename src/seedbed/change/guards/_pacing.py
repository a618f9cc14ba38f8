"""Guards that look at the parameter's earlier moves: back and forth, too far in total, or too soon."""

from fractions import Fraction
from itertools import pairwise

from seedbed.change.guards._proposal import Decision, GuardResult, Move, ProposedChange
from seedbed.change.parameters._grid import decimal, exact, farthest
from seedbed.change.parameters._parameter import Parameter, in_unit

__all__ = ["cooldown", "oscillation", "velocity"]


def oscillation(proposed: ProposedChange) -> GuardResult:
    """Deny a move that would complete `oscillation_window` moves alternating up and down.

    Only the directions count, not the sizes or the time between moves. A move in the same direction as the last one is
    never denied. Moves older than `oscillation_horizon_steps` are ignored: otherwise an old swing would block a setting
    for ever.
    """
    parameter, move, window = proposed.parameter, proposed.move, proposed.parameter.oscillation_window
    if window == 0:
        return GuardResult(Decision.ALLOW, "oscillation", move.after, "no oscillation window is declared")
    horizon = parameter.oscillation_horizon_steps
    recent = [each for each in proposed.earlier if horizon is None or each.step > move.step - horizon]
    moves = [*recent, move][-window:]
    travels = [_travel(parameter, each) for each in moves]
    if len(moves) == window and all(first * second < 0 for first, second in pairwise(travels)):
        reason = f"the last {window - 1} changes of {parameter.key} and this one go up and down in turn"
        return GuardResult(Decision.DENY, "oscillation", move.before, reason)
    return GuardResult(Decision.ALLOW, "oscillation", move.after, f"{window} changes do not go up and down in turn")


def velocity(proposed: ProposedChange) -> GuardResult:
    """Shrink a move to what is left of `velocity_cap` in the last `velocity_window_steps` steps; deny it if nothing is.

    The window is half-open: a move at step s counts from s up to, but not including, s + `velocity_window_steps`. The
    sum is exact in the decimals that the numbers are written in, so that it never exceeds the cap.
    """
    parameter, move, cap = proposed.parameter, proposed.move, proposed.parameter.velocity_cap
    if cap is None:
        return GuardResult(Decision.ALLOW, "velocity", move.after, "no velocity cap is declared")
    spent, travel = _spent(proposed), _travel(parameter, move)
    left = max(decimal(cap) - spent, Fraction(0))
    if abs(travel) <= left:
        return GuardResult(Decision.ALLOW, "velocity", move.after, "within the velocity cap")
    limit = exact(parameter, move.before) + (left if travel > 0 else -left)
    after = farthest(parameter, move.before, limit)
    so_far = f"has moved by {float(spent):g} in the last {parameter.velocity_window_steps} steps"
    allowed = in_unit(f"{cap:g}", parameter.unit)
    reason = f"{parameter.key} {so_far} and would by {float(abs(travel)):g} more, {allowed} are allowed in all"
    decision = Decision.DENY if after == move.before else Decision.SHRINK
    return GuardResult(decision, "velocity", after, reason)


def cooldown(proposed: ProposedChange) -> GuardResult:
    """Deny a change less than `cooldown_steps` after the last one: the effect of that one cannot be seen yet."""
    parameter, move = proposed.parameter, proposed.move
    since = move.step - proposed.earlier[-1].step if proposed.earlier else None
    if since is None or since >= parameter.cooldown_steps:
        return GuardResult(Decision.ALLOW, "cooldown", move.after, "the last change is long enough ago")
    return GuardResult(
        Decision.DENY,
        "cooldown",
        move.before,
        f"the last change of {parameter.key} was {since} steps ago, {parameter.cooldown_steps} must pass",
    )


def _travel(parameter: Parameter, move: Move) -> Fraction:
    return exact(parameter, move.after) - exact(parameter, move.before)


def _spent(proposed: ProposedChange) -> Fraction:
    """How far the parameter has moved, up and down added, in the window that ends at this step."""
    start = proposed.move.step - proposed.parameter.velocity_window_steps
    recent = (each for each in proposed.earlier if each.step > start)
    return sum((abs(_travel(proposed.parameter, each)) for each in recent), Fraction(0))
