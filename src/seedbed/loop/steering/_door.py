"""What a run says of itself to those who may ask it for something: its settings, and whether it takes requests."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from difflib import get_close_matches
from math import isfinite
from typing import Protocol, Self

from pydantic import AwareDatetime, ValidationError

from seedbed.contracts import Message
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.loop.steering._answer import in_words
from seedbed.records import canonical_json

__all__ = ["Door", "SettingRow", "ShownSetting"]


class ShownSetting(Protocol):
    """One setting of a run that can be changed, as the run finds it."""

    @property
    def key(self) -> str:
        """Its whole name."""

    @property
    def short(self) -> str:
        """Its short name, "" for none."""

    @property
    def value(self) -> float | None:
        """The live value; None where there is no number to show."""

    @property
    def low(self) -> float | None:
        """The lowest value that the guards let through; None where it cannot be changed."""

    @property
    def high(self) -> float | None:
        """The highest value that the guards let through; None where it cannot be changed."""

    @property
    def unit(self) -> str:
        """The unit of the three."""

    @property
    def movable_at(self) -> int | None:
        """The step at which it may move again; None where it cannot be changed."""

    @property
    def why_not(self) -> str:
        """Why it may not move now, "" where it may."""


class SettingRow(Message):
    """One setting, as `ShownSetting`; a live value that is not finite is None."""

    key: str
    short: str = ""
    value: float | None
    low: float | None
    high: float | None
    unit: str = "1"
    movable_at: int | None = 0
    why_not: str = ""

    @classmethod
    def of(cls, setting: ShownSetting) -> Self:
        """The row of a live setting."""
        return cls(
            key=setting.key,
            short=setting.short,
            value=setting.value if setting.value is not None and isfinite(setting.value) else None,
            low=setting.low,
            high=setting.high,
            unit=setting.unit,
            movable_at=setting.movable_at,
            why_not=setting.why_not,
        )


class Door(Message):
    """What attempt `attempt` said after `step` optimizer steps, at the time `at`.

    `state` is the hash of all live values, for a request that is to hold for these alone. `told` says in words what the
    run does, such as that it is paused; where `is_open` is false, why it takes no requests.
    """

    schema_version: int = 1
    attempt: int
    step: int
    is_open: bool
    told: str = ""
    state: str = ""
    settings: tuple[SettingRow, ...] = ()
    at: AwareDatetime

    @classmethod
    def closed(cls, attempt: int, step: int, why: str, at: datetime) -> Self:
        """That the attempt takes no requests, and why."""
        return cls(attempt=attempt, step=step, is_open=False, told=in_words(why), at=at)

    def encoded(self) -> bytes:
        """The bytes of its file."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def parsed(cls, data: bytes, key: str) -> Self:
        """What the file `key` says. Raises StoreCorrupt."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as problem:
            why = problem.errors()[0]["msg"]
            raise StoreCorrupt(f"{key} cannot be read: {why}; wait for its next version") from None

    def require(self, name: str) -> SettingRow:
        """The setting of that whole or short name. Raises NotFound, with the nearest."""
        for row in self.settings:
            if name == row.key or (name and name == row.short):
                return row
        raise NotFound(f"the run has no setting {name!r}; {_nearest(name, self.settings)}")


def _nearest(name: str, rows: Sequence[SettingRow]) -> str:
    known = list(_names(rows))
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    return f"the nearest are {near}" if near else f"there are {known}"


def _names(rows: Iterable[SettingRow]) -> Iterable[str]:
    for row in rows:
        yield row.short or row.key
        if row.short:
            yield row.key
