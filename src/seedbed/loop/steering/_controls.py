"""What requests are carried out with: the run's engine, and its names of settings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

from seedbed.change.parameters import Delta, Parameter
from seedbed.loop.steering._door import ShownSetting

if TYPE_CHECKING:
    from seedbed.change import ChangeEngine, ChangeHistory

__all__ = ["Controls"]


@dataclass(frozen=True)
class Controls:
    """What requests are carried out with.

    `propose` takes a delta, the number of steps taken so far and the state hash that the proposer saw, if any, as
    `ChangeEngine.propose` does; it may make the change at a later step. What became of it is read in the `history`.
    `resolve` gives the whole name of a setting, and raises NotFound with the nearest.
    """

    propose: Callable[[Delta, int, str | None], object]
    history: Callable[[], "ChangeHistory"]
    state_hash: Callable[[], str]
    resolve: Callable[[str], str]
    settings: Callable[[], Iterable[ShownSetting]]

    @classmethod
    def of(
        cls,
        engine: "ChangeEngine",
        resolve: Callable[[str], str] | None = None,
        settings: Callable[[], Iterable[ShownSetting]] | None = None,
    ) -> Self:
        """Those of an engine, whose settings have their whole names alone unless `resolve` and `settings` say more."""
        registry = engine.rules.registry
        return cls(
            propose=lambda delta, step, against: engine.propose(delta, step, against=against),
            history=lambda: engine.history,
            state_hash=engine.state_hash,
            resolve=resolve or (lambda name: registry[name].key),
            settings=settings or (lambda: _settings_of(engine)),
        )


@final
@dataclass(frozen=True)
class _Setting:
    """One parameter of an engine with its live value."""

    key: str
    value: float
    low: float
    high: float
    unit: str
    movable_at: int
    short: str = ""
    why_not: str = ""

    @classmethod
    def of(cls, parameter: Parameter, value: float, moved_at: int | None) -> Self:
        movable_at = 0 if moved_at is None else moved_at + parameter.cooldown_steps
        return cls(parameter.key, value, parameter.low, parameter.high, parameter.unit, movable_at)


def _settings_of(engine: "ChangeEngine") -> list[_Setting]:
    values = engine.values()
    moves = {key: engine.history.moves(key) for key in values}
    return [
        _Setting.of(each, values[each.key], moves[each.key][-1].step if moves[each.key] else None)
        for each in engine.rules.registry
    ]
