"""The names of settings: keys, and short names where they are unambiguous."""

import reprlib
from collections.abc import Mapping
from typing import final

from seedbed.errors import NotFound
from seedbed.loop.settings._nearest import nearest_words

__all__ = ["LISTED", "SettingNames"]

LISTED = "run.settings() and `seedbed changes settings RUN` list them all"


@final
class SettingNames:
    """Resolves what a person calls a setting. `shorts` has the short name of each key, in the order of the list."""

    def __init__(self, shorts: Mapping[str, str]) -> None:
        self._shorts = dict(shorts)

    def all(self) -> tuple[str, ...]:
        """Every key, and every short name that is unambiguous."""
        names = list(self._shorts.values())
        return (*self._shorts, *(each for each in dict.fromkeys(names) if names.count(each) == 1))

    def short(self, key: str) -> str:
        """The short name of a key; empty where several settings share it."""
        short = self._shorts[key]
        return short if list(self._shorts.values()).count(short) == 1 and short != key else ""

    def resolve(self, name: str) -> str:
        """The key of that name. Raises NotFound for an ambiguous name, with all it may mean, and for an unknown one."""
        if name in self._shorts:
            return name
        meant = [key for key, short in self._shorts.items() if short == name]
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise NotFound(f"{name!r} may be any of {', '.join(meant)}: say which")
        known = [self.short(key) or key for key in self._shorts]
        raise NotFound(f"no setting is called {reprlib.repr(name)}; {nearest_words(name, known)}; {LISTED}")
