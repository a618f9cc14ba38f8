"""What a corruption is given, and what it must answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, final

from seedbed.soak import SoakVerification

__all__ = ["Base", "Corruption", "Numbers", "Scene", "altered_numbers", "names"]


class Base(StrEnum):
    """Which finished soak is corrupted: HEALTHY, or FAILED, whose plant was never handed what it said it holds."""

    HEALTHY = "healthy"
    FAILED = "failed"


@final
@dataclass(frozen=True, slots=True)
class Scene:
    """A copy of a finished soak to be corrupted, another finished soak's folder, and the chance that says where."""

    folder: Path
    other: Path
    chance: Random

    def path(self, name: str) -> Path:
        """A file of the soak."""
        return self.folder / name


@final
@dataclass(frozen=True, slots=True)
class Corruption:
    """One way to falsify a soak: what is done, to which soak, and how. `inflict` answers with the place to be named."""

    what: str
    inflict: Callable[[Scene], str]
    base: Base = Base.HEALTHY


def names(found: SoakVerification, place: str) -> bool:
    """Whether what verification accuses first is the place of the corruption; several are parted by `|`."""
    return bool(found.accusations) and any(each in found.accusations[0].where for each in place.split("|"))


Numbers = Callable[[float], float]


def altered_numbers(value: Any, chance: Random, alter: Numbers, skip: frozenset[str] = frozenset()) -> bool:
    """Alter one number somewhere in a JSON value, in place; False when no number would become another."""
    found = [(holder, key) for holder, key, number in _leaves(value, skip) if alter(number) != number]
    if not found:
        return False
    holder, key = chance.choice(found)
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
