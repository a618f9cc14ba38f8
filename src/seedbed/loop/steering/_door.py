"""What a run says of itself to those who may ask it for something: its settings, and whether it takes requests."""

import reprlib
from math import isfinite
from typing import Protocol, Self

from pydantic import AwareDatetime, ValidationError

from seedbed.contracts import Message
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.loop.settings._names import LISTED
from seedbed.loop.settings._nearest import nearest_words
from seedbed.loop.steering._post import Post
from seedbed.records import canonical_json
from seedbed.records._status import is_claimed

__all__ = ["Door", "SettingRow", "ShownSetting", "later_attempt", "read_door", "show_door"]


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

    def encoded(self) -> bytes:
        """The bytes of its file."""
        return canonical_json(self.model_dump(mode="json"))

    def require(self, name: str) -> SettingRow:
        """The setting of that whole or short name. Raises NotFound, with the nearest."""
        for row in self.settings:
            if name == row.key or (name and name == row.short):
                return row
        known = [each.short or each.key for each in self.settings]
        raise NotFound(f"the run has no setting {reprlib.repr(name)}; {nearest_words(name, known)}; {LISTED}")


_FILE = "door.json"  # among the requests: a view that is written again every few seconds


def read_door(post: Post) -> Door:
    """What the run said last. Raises NotFound where no run ever said anything there, and StoreCorrupt."""
    key = f"{post.requests}/{_FILE}"
    try:
        return Door.model_validate_json(post.files.read(key))
    except ValidationError as problem:
        raise StoreCorrupt(f"{key} cannot be read: {problem.errors()[0]['msg']}; wait for its next version") from None


def later_attempt(post: Post, attempt: int) -> int:
    """The attempt after `attempt` that has begun and said something; 0 where there is none, as far as can be read.

    What is said among the requests, where others may write, counts only with the claim of that attempt.
    """
    try:
        newest = read_door(post).attempt
    except (NotFound, StoreCorrupt):
        return 0
    return newest if newest > attempt and is_claimed(post.files, post.folder, newest) else 0


def show_door(post: Post, door: Door) -> None:
    """Replace what the run said last, unless a later attempt has said something. Raises StoreUnavailable."""
    if not later_attempt(post, door.attempt):
        post.files.replace(f"{post.requests}/{_FILE}", door.encoded(), durable=False)
