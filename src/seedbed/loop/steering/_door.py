"""What a run says of itself to those who may ask it for something: its settings, and whether it takes requests."""

import reprlib
from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, ValidationError

from seedbed.contracts import Message, SettingView
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.loop.settings._names import LISTED
from seedbed.loop.settings._nearest import is_of_freezing, nearest_words
from seedbed.loop.steering._answer import in_words
from seedbed.records import canonical_json

__all__ = ["Door"]


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
    settings: tuple[SettingView, ...] = ()
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

    def require(self, name: str) -> None:
        """Raise NotFound, with the nearest, unless it is a name of a setting, whole or short, or of a module to freeze.

        Which modules can be frozen the run knows, and answers.
        """
        names = {each for row in self.settings for each in (row.key, row.short) if each}
        if name not in names and not is_of_freezing(name):
            known = [each.short or each.key for each in self.settings]
            raise NotFound(f"the run has no setting {reprlib.repr(name)}; {nearest_words(name, known)}; {LISTED}")
