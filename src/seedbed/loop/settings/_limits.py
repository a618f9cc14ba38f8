"""Safe bounds and pace of each kind of setting, derived from its live value. Pure."""

from dataclasses import dataclass, replace
from math import inf

from seedbed.change.parameters._parameter import Number, Parameter

__all__ = ["OVERRIDABLE", "Limits", "Pace"]

_TIMES = 10.0
_WINDOW_STEPS = 100


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a setting may move in `window_steps`: up to `most_up` times, and down to 1/`most_down` of, its value.

    `beyond` is the value above which nothing can be meant, such as 1 for a probability; None for ten times the upper
    bound.
    """

    most_up: float = inf
    most_down: float = inf
    beyond: float | None = None
    window_steps: int = _WINDOW_STEPS


@dataclass(frozen=True, slots=True)
class Limits:
    """What a kind of setting is limited to. The constructors below derive it from a live value."""

    low: float
    high: float
    number: Number = Number.FLOAT
    cooldown_steps: int = 1
    pace: Pace = Pace()

    @staticmethod
    def of_rate(peak: float) -> "Limits":
        """Of a learning rate whose schedule, or whose optimizer without one, has `peak` as its largest number.

        A schedule may lead a rate to any number below it, so that the lower bound is 0; the pace holds a slip back.
        """
        return Limits(0.0, _TIMES * peak, pace=Pace(_TIMES, 100.0))

    @staticmethod
    def of_weight_decay(live: float) -> "Limits":
        """Of a weight decay; one of 0 has room up to 0.1."""
        return Limits(0.0, max(_TIMES * live, 0.1), pace=Pace(most_up=_TIMES))

    @staticmethod
    def of_average(live: float, usual: float) -> "Limits":
        """Of a momentum or beta: up to `usual`, or to ten times as long a memory, 1 / (1 - beta), as it has."""
        longer = float(f"{1 - (1 - live) / _TIMES:.12g}")
        return Limits(0.0, max(usual, longer), pace=Pace(beyond=1.0))

    @staticmethod
    def of_eps(live: float) -> "Limits":
        """Of the number that keeps an update finite; people move it by powers of ten."""
        return Limits(live / 1e4, max(1e4 * live, 1e-3), pace=Pace(100.0, 100.0))

    @staticmethod
    def of_dropout(live: float) -> "Limits":
        """Of the probability of a dropout."""
        return Limits(0.0, max(0.9, live), pace=Pace(beyond=1.0))

    @staticmethod
    def of_switch() -> "Limits":
        """Of what is frozen, 1, or not, 0."""
        return Limits(0.0, 1.0, Number.BOOL, pace=Pace(beyond=1.0))

    @staticmethod
    def of_clip_norm(live: float) -> "Limits":
        """Of the norm that gradients are clipped to."""
        return Limits(live / 100, _TIMES * live, pace=Pace(_TIMES, 100.0))

    @staticmethod
    def of_count(live: float, least_high: float = 1.0) -> "Limits":
        """Of a number of rows or of passes: whole, up to eight times the live one, at least to `least_high`."""
        return Limits(1.0, max(8 * live, least_high), Number.INT, pace=Pace(_TIMES, inf))

    @staticmethod
    def of_share(total: float) -> "Limits":
        """Of the weight of one dataset in a mixture, whose weights add up to `total`."""
        return Limits(0.0, _TIMES * total)

    def overridden(self, values: dict[str, float | None]) -> "Limits":
        """These limits with some of them replaced; names that belong to `Parameter` alone are left out."""
        own = {name: value for name, value in values.items() if name in {"low", "high", "cooldown_steps"}}
        pace = {name: inf if value is None else value for name, value in values.items() if name in _OF_PACE}
        return replace(self, pace=replace(self.pace, **pace), **own)  # type: ignore[arg-type]

    def parameter(self, key: str, path: tuple[str, ...], further: dict[str, float | None]) -> Parameter:
        """The parameter with these limits. Raises InvalidInput, with the field, where limits contradict each other."""
        return Parameter(
            key,
            unit="1",
            low=self.low,
            high=self.high,
            number=self.number,
            cooldown_steps=self.cooldown_steps,
            path=path,
            **{name: value for name, value in further.items() if name in _OF_PARAMETER},  # type: ignore[arg-type]
        )


_OF_PACE = ("most_up", "most_down")
_OF_PARAMETER = ("velocity_cap", "velocity_window_steps", "oscillation_window", "oscillation_horizon_steps")
OVERRIDABLE = ("low", "high", "cooldown_steps", *_OF_PACE, *_OF_PARAMETER)
"""The names of the limits that a user may replace."""
