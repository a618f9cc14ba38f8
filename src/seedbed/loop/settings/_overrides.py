"""The limits that a user gives in place of those that were derived."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from seedbed.change.parameters._parameter import finite
from seedbed.errors import InvalidInput
from seedbed.loop.settings._limits import OVERRIDABLE
from seedbed.loop.settings._nearest import nearest_words

__all__ = ["NO_OVERRIDES", "Overrides", "checked_overrides"]

Overrides = Mapping[str, Mapping[str, float | None]]
"""Limits by the key or short name of a setting: `{"lr": {"low": 1e-6, "high": 1e-1, "cooldown_steps": 0}}`."""
NO_OVERRIDES: Overrides = MappingProxyType({})

_LATER = ("accumulation", "batch_size", "clip", "clip.norm", "loader.batch_size")
_LATER_BEGINS = ("freeze.", "loader.mixture.", "mixture.", "model.freeze.")
_WITHOUT = ("velocity_cap", "oscillation_horizon_steps", "most_up", "most_down")


def checked_overrides(overrides: Overrides, names: Iterable[str], owners: Iterable[str]) -> Overrides:
    """The overrides, each of a setting that is in `names` or may be found later, and of numbers that limit it.

    `owners` are the names of models, optimizers and loaders, which begin the keys of settings that are found later.
    Raises InvalidInput, with the nearest name, for another setting or limit, and for what is no number.
    """
    owners = tuple(owners)
    known = {*names, *_LATER, *(f"{owner}.{last}" for owner in owners for last in ("batch_size", "clip_norm"))}
    begins = (*_LATER_BEGINS, *(f"{owner}.{part}." for owner in owners for part in ("freeze", "mixture")))
    for name, limits in overrides.items():
        if name not in known and not (isinstance(name, str) and name.startswith(begins)):
            raise InvalidInput(f"settings: nothing is called {name!r}; {nearest_words(str(name), sorted(known))}")
        if not isinstance(limits, Mapping):
            raise InvalidInput(f'settings[{name!r}] is {limits!r}: expected its limits by name, as {{"high": 0.1}}')
        for limit, value in limits.items():
            _require_limit(name, limit, value)
    return overrides


def _require_limit(name: str, limit: str, value: object) -> None:
    where = f"settings[{name!r}][{limit!r}]"
    if limit not in OVERRIDABLE:
        raise InvalidInput(f"{where}: there is no such limit; {nearest_words(str(limit), OVERRIDABLE)}")
    if value is None and limit in _WITHOUT:
        return
    number = finite(value)
    if number is None or isinstance(value, bool):
        raise InvalidInput(f"{where} is {value!r}: expected a finite number")
    if limit in {"most_up", "most_down"} and number < 1:
        raise InvalidInput(f"{where} is {value!r}: expected how many times, 1 or more")
