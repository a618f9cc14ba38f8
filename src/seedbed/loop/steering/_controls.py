"""What requests are carried out with: the run's engine, and its names of settings."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Self

from seedbed.change.guards import Move
from seedbed.change.parameters import Delta, Parameter
from seedbed.contracts import SettingView

if TYPE_CHECKING:
    from seedbed.change import ChangeEngine, ChangeHistory

__all__ = ["Controls"]


@dataclass(frozen=True)
class Controls:
    """What requests are carried out with.

    `propose` takes a delta, the number of steps taken so far and the state hash that the proposer saw, if any, as
    `ChangeEngine.propose` does; it may make the change at a later step. What became of it is read in the `history`.
    `resolve` gives the whole name of a setting, and raises NotFound with the nearest. `say` tells the person who
    watches the run what became of a change.
    """

    propose: Callable[[Delta, int, str | None], object]
    history: Callable[[], "ChangeHistory"]
    state_hash: Callable[[], str]
    resolve: Callable[[str], str]
    settings: Callable[[], Iterable[SettingView]]
    say: Callable[[str], None] = lambda _: None

    @classmethod
    def of(
        cls,
        engine: "ChangeEngine",
        resolve: Callable[[str], str] | None = None,
        settings: Callable[[], Iterable[SettingView]] | None = None,
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


def _settings_of(engine: "ChangeEngine") -> list[SettingView]:
    values, history = engine.values(), engine.history
    return [_view(each, values[each.key], history.moves(each.key)[-1:]) for each in engine.rules.registry]


def _view(parameter: Parameter, value: float, last: Sequence[Move]) -> SettingView:
    return SettingView(
        key=parameter.key,
        value=value if isfinite(value) else None,
        unit=parameter.unit,
        low=parameter.low,
        high=parameter.high,
        movable_at=max([0, *(each.step + parameter.cooldown_steps for each in last)]),
    )
