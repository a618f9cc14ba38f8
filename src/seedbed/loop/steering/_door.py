"""What a run says of itself to those who may ask it for something: its settings, and whether it takes requests."""

import reprlib

from pydantic import AwareDatetime, ValidationError

from seedbed.contracts import Message, SettingView
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.loop.settings._names import LISTED
from seedbed.loop.settings._nearest import nearest_words
from seedbed.loop.steering._post import Post
from seedbed.records import canonical_json
from seedbed.records._status import is_claimed

__all__ = ["Door", "later_attempt", "read_door", "show_door"]


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

    def encoded(self) -> bytes:
        """The bytes of its file."""
        return canonical_json(self.model_dump(mode="json"))

    def require(self, name: str) -> SettingView:
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
