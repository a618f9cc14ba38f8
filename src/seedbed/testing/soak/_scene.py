"""The types of a corruption: which soak it alters, what it gets, and what it returns."""

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, final

from seedbed.soak import SoakVerification

__all__ = ["ALTERATIONS", "Base", "Corruption", "Numbers", "Scene", "altered_numbers", "names_place"]


class Base(StrEnum):
    """The finished soak to corrupt.

    HEALTHY; FAILED, whose plant reported values as held that it never got; UNSEEN, which ended before its fault was
    due.
    """

    HEALTHY = "healthy"
    FAILED = "failed"
    UNSEEN = "unseen"


@final
@dataclass(frozen=True, slots=True)
class Scene:
    """A copy of a finished soak to corrupt, the folder of another one, and the generator that chooses the place."""

    folder: Path
    other: Path
    random: Random

    def path(self, name: str) -> Path:
        """A file of the soak."""
        return self.folder / name


@final
@dataclass(frozen=True, slots=True)
class Corruption:
    """One way to falsify a soak. `falsify` does it, and returns the place that verification must name first."""

    what: str
    falsify: Callable[[Scene], str]
    base: Base = Base.HEALTHY

    def inflict(self, scene: Scene) -> str:
        """Falsify the scene's folder, and return the place that verification must name first.

        ValueError when every file is as it was: nobody could find a corruption that alters nothing.
        """
        before = _state(scene.folder)
        place = self.falsify(scene)
        if _state(scene.folder) == before:
            raise ValueError(f"{self.what}: nothing was altered in {scene.folder.name}")
        return place


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Of every name in the folder what it is, and of a file the bytes."""
    return {
        each.name: (stat.S_IFMT(each.lstat().st_mode), each.read_bytes() if each.is_file() else b"")
        for each in folder.iterdir()
    }


def names_place(found: SoakVerification, place: str) -> bool:
    """Whether the first accusation is about `place`. Several allowed places are separated by `|`."""
    return bool(found.accusations) and any(each in found.accusations[0].where for each in place.split("|"))


Numbers = Callable[[float], float]

ALTERATIONS: Mapping[str, Numbers] = MappingProxyType(
    {
        "scaled": lambda number: number * 1000,
        "zeroed": lambda _: 0.0,
        "negated": lambda number: -number,
    }
)
"""What may be done to a number, by the word for it."""


def altered_numbers(value: Any, random: Random, alter: Numbers, skip: frozenset[str] = frozenset()) -> bool:
    """Alter one random number of a JSON value, in place. False when `alter` changes no number."""
    found = [(holder, key) for holder, key, number in _leaves(value, skip) if alter(number) != number]
    if not found:
        return False
    holder, key = random.choice(found)
    number = float(alter(holder[key]))
    holder[key] = int(number) if isinstance(holder[key], int) and number.is_integer() else number
    return True


def _leaves(value: Any, skip: frozenset[str]) -> list[tuple[Any, Any, float]]:
    if isinstance(value, Mapping):
        items: list[tuple[Any, Any]] = [(key, item) for key, item in value.items() if key not in skip]
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return []
    here = [(value, key, item) for key, item in items if isinstance(item, int | float) and not isinstance(item, bool)]
    return here + [leaf for _, item in items for leaf in _leaves(item, skip)]
