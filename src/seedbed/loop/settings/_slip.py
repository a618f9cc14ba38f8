"""The guard against slips: a value that is a thousand times too large, or a hundredth of what was meant."""

from collections.abc import Mapping
from math import prod
from typing import final

from seedbed.change.guards._proposal import Decision, GuardResult, ProposedChange
from seedbed.change.parameters._parameter import exactly
from seedbed.loop.settings._limits import Pace

__all__ = ["SlipGuard"]

_NAME = "slip"
_BEYOND = 10.0  # times the upper bound
_ROUNDING = 1 + 1e-9


@final
class SlipGuard:
    """Denies what can hardly be meant, before another guard makes a part of it: `guards=(SlipGuard(paces), *GUARDS)`.

    `paces` are the paces of the settings, by key; of other keys it allows everything. Denied are a value below 0 where
    the bounds know none, one far above the upper bound, and a move which, with the moves of the last steps, is more
    times up or down than the pace allows. A setting at 0 has no ratio to another value: there the bounds decide.
    """

    def __init__(self, paces: Mapping[str, Pace]) -> None:
        self._paces = paces

    def __call__(self, proposed: ProposedChange) -> GuardResult:
        """Judge one proposed change."""
        pace = self._paces.get(proposed.parameter.key)
        why = "" if pace is None else _too_far(proposed, pace) or _too_fast(proposed, pace)
        if why:
            return GuardResult(Decision.DENY, _NAME, proposed.move.before, why)
        return GuardResult(Decision.ALLOW, _NAME, proposed.move.after, "no slip")


def _too_far(proposed: ProposedChange, pace: Pace) -> str:
    parameter, after = proposed.parameter, proposed.move.after
    limit = _BEYOND * parameter.high if pace.beyond is None else pace.beyond
    if after > limit:
        what = f"more than ten times its upper bound, {parameter.high:g}" if pace.beyond is None else f"above {limit:g}"
        return f"{parameter.key} = {exactly(after)} is {what}: nothing was changed"
    if after < 0 <= parameter.low:
        return f"{parameter.key} = {exactly(after)} is below 0: nothing was changed"
    return ""


def _too_fast(proposed: ProposedChange, pace: Pace) -> str:
    move, key = proposed.move, proposed.parameter.key
    if move.before <= 0:
        return ""
    recent = [
        each.after / each.before
        for each in proposed.earlier
        if each.step > move.step - pace.window_steps and each.before > 0 and each.after > 0
    ]
    own = move.after / move.before
    total = own * prod(recent)
    within = "in one change" if not recent else f"in {pace.window_steps} steps, with {len(recent)} earlier changes"
    if own > 1 and total > pace.most_up * _ROUNDING:
        allowed = f"up to {pace.most_up:g} times is allowed, or more with most_up= of its settings"
        return f"{key} would rise to {total:g} times its value {within}: {allowed}"
    if own < 1 and total * pace.most_down * _ROUNDING < 1:
        allowed = f"down to 1/{pace.most_down:g} is allowed, or less with most_down= of its settings"
        return f"{key} would fall to {total:g} times its value {within}: {allowed}"
    return ""
