"""The settings of a soak that somebody wanted to change: which values were used, and what became of each request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seedbed.contracts import Outcome
from seedbed.contracts._move import move_words
from seedbed.render.svg._axis import Axis, Tick

if TYPE_CHECKING:  # the report of a run must not load torch, which the soak room does
    from seedbed.change import Registry
    from seedbed.soak import IterationSummary
    from seedbed.soak._iteration_summary import KeyOutcome

__all__ = ["SettingPanel", "asked", "setting_panels"]

_LINE, _HEIGHT, _GAP = 30, 44, 22
_USED = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})
_HELD = frozenset({Outcome.BLOCKED, Outcome.NO_OP})


@dataclass(frozen=True)
class RequestMark:
    """One request for a value, drawn at the value that was asked for; `css` names its result."""

    x: float
    y: float
    css: str
    title: str


@dataclass(frozen=True)
class SettingPanel:
    """One setting between `top` and `bottom`: the values that were used, and the requests.

    Its axis spans both, so that an end of it may be a value that was asked for and never used.
    """

    title: str
    aside: str
    title_y: float
    top: float
    bottom: float
    ticks: tuple[Tick, ...]
    path: str
    requests: tuple[RequestMark, ...]


def asked(outcome: "KeyOutcome") -> str:
    """A request in words: from which value to which, what was asked for, and how it ended."""
    end = outcome.outcome.value.lower().replace("_", " ")
    guard = f" by {outcome.guard}" if outcome.guard and outcome.outcome in _HELD else ""
    return f"{move_words(outcome)}: {end}{guard}"


def setting_panels(
    summaries: Sequence["IterationSummary"], registry: "Registry", steps: Axis, top: float
) -> tuple[SettingPanel, ...]:
    """A panel for each setting for which there was a request, in the order of their names."""
    units = {parameter.key: parameter.unit for parameter in registry}
    keys = sorted({key for each in summaries for key in (*each.tuning.outcomes, *each.tuning.rolled_back)})
    height = _LINE + _HEIGHT + _GAP
    return tuple(
        _panel(summaries, key, units.get(key, "1"), steps, top + height * place) for place, key in enumerate(keys)
    )


def _panel(summaries: Sequence["IterationSummary"], key: str, unit: str, steps: Axis, top: float) -> SettingPanel:
    used = [(each.iteration, each.summary.used[key]) for each in summaries if key in each.summary.used]
    made = [
        (each.iteration, outcome, is_undone)
        for each in summaries
        for is_undone, outcomes in ((False, each.tuning.outcomes), (True, each.tuning.rolled_back))
        if (outcome := outcomes.get(key))
    ]
    first = top + _LINE
    values = [*(value for _, value in used), *(outcome.wanted for _, outcome, _ in made)]
    axis = _ends(values, first + _HEIGHT, first)
    return SettingPanel(
        title=key,
        aside=", ".join(filter(None, ("" if unit == "1" else unit, _from_to([value for _, value in used])))),
        title_y=top + 10,
        top=first,
        bottom=first + _HEIGHT,
        ticks=tuple(Tick(axis.at(value), f"{value:g}") for value in dict.fromkeys((min(values), max(values)))),
        path=_staircase(used, steps, axis),
        requests=tuple(
            RequestMark(
                steps.at(at), axis.at(outcome.wanted), _css(outcome, is_undone), f"iteration {at}: {asked(outcome)}"
            )
            for at, outcome, is_undone in made
        ),
    )


def _ends(values: Sequence[float], start: float, stop: float) -> Axis:
    """An axis from the least to the most of `values`."""
    low, high = min(values), max(values)
    room = abs(low) or 1.0
    return Axis(low, high, start, stop, 1.0) if high > low else Axis(low - room, high + room, start, stop, 1.0)


def _from_to(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"stays {values[0]:g}" if len(set(values)) == 1 else f"{values[0]:g} to {values[-1]:g} in use"


def _staircase(points: Sequence[tuple[int, float]], steps: Axis, axis: Axis) -> str:
    """A path with steps: a value is used in its whole iteration, which ends at its number."""
    if not points:
        return ""
    begins = f"M{steps.at(points[0][0] - 1):g},{axis.at(points[0][1]):g}"
    return begins + "".join(f"V{axis.at(value):g}H{steps.at(at):g}" for at, value in points)


def _css(outcome: "KeyOutcome", is_undone: bool) -> str:
    if is_undone:
        return "back"
    return "full" if outcome.outcome in _USED else "skipped" if outcome.outcome in _HELD else "failed"
