"""The files of a run's folder by which it is steered: requests, answers, and what the run says of itself."""

import contextlib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Self, final

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.loop.steering._answer import RequestAnswer
from seedbed.loop.steering._door import Door
from seedbed.loop.steering._request import MOST_BYTES, RunRequest, parsed
from seedbed.records import Files, LocalFiles, Store
from seedbed.records._status import is_claimed

__all__ = ["Post", "Received"]

_MOST_RACES = 1_000
_MOST_MISSING = 16  # numbers that a listing leaves out; where more are, nobody counted, and somebody made a number up
_LARGEST = 10**9
_NUMBER = re.compile(r"(\d{20})\.json/?")
_ANSWER = re.compile(r"(\d{20})\.(\d{6}|final)\.json")
_FINAL = "final"
_DOOR = "door.json"  # among the requests: a view that is written again every few seconds


@dataclass(frozen=True)
class Received:
    """One request with its number; `problem` says why it cannot be read, where it cannot."""

    number: int
    request: RunRequest | None
    problem: str = ""


@final
@dataclass(frozen=True)
class Post:
    """The requests, the answers and the door of one stage of a run, whose files have keys that begin with `folder`.

    Requests and answers are published by put-if-absent and never changed; the door is what the run said last.
    """

    files: Files
    folder: str

    @classmethod
    def of(cls, store: Store, folder: Path) -> Self:
        """Those of the run whose local folder in the store is `folder`."""
        return cls(store.files, folder.relative_to(store.work).as_posix())

    @property
    def requests(self) -> str:
        """The folder of the requests, which anyone may write who may write to the store."""
        return f"{self.folder}/requests"

    @property
    def answers(self) -> str:
        """The folder of the answers, which the run writes."""
        return f"{self.folder}/answers"

    def publish(self, request: RunRequest) -> int:
        """Publish a request under the next number, durable on return. Raises StoreUnavailable and InvalidInput."""
        data, first = request.encoded(), 1 + max((number for number, _ in self._listed(0)), default=0)
        for number in range(first, first + _MOST_RACES):
            with contextlib.suppress(FileExistsError):  # another proposer was faster, or something else stands there
                self.files.create(f"{self.requests}/{_name(number)}", data)
                return number
        raise StoreUnavailable(
            f"others asked first in {self.requests}, {_MOST_RACES:,} times in a row; nothing was asked; try again"
        )

    def received(self, after: int, skipped: Collection[int] = ()) -> list[Received]:
        """The requests after number `after`, in order, but for those `skipped`. Raises StoreUnavailable.

        A listing may miss a file that is published while it goes on, so a number that it leaves out is read too.
        """
        sizes = dict(self._listed(after))
        wanted = range(after + 1, max(sizes, default=after) + 1)
        numbers = wanted if len(wanted) <= len(sizes) + _MOST_MISSING else sorted(sizes)
        return [self._one(number, sizes.get(number, 0)) for number in numbers if number not in skipped]

    def may_have(self, number: int) -> bool:
        """Whether a request `number` may be there; in a local folder that is known without listing the folder."""
        if isinstance(self.files, LocalFiles):
            return os.path.lexists(self.files.path(f"{self.requests}/{_name(number)}"))
        return True

    def read(self, number: int) -> RunRequest:
        """The request `number`. Raises NotFound, StoreCorrupt, and InvalidInput where it is none."""
        return parsed(self.files.read(f"{self.requests}/{_name(number)}"))

    def note(self, answer: RequestAnswer) -> None:
        """Publish an answer that is not final, durable on return. Raises StoreUnavailable."""
        for place in count(1):  # to list the folder takes longer, once a run has answered thousands
            with contextlib.suppress(FileExistsError):
                self.files.create(f"{self.answers}/{answer.request:020d}.{place:06d}.json", answer.encoded())
                return

    def end(self, answer: RequestAnswer) -> bool:
        """Publish the final answer, durable on return; False where the request has one, which stays.

        Raises StoreUnavailable.
        """
        try:
            self.files.create(f"{self.answers}/{answer.request:020d}.{_FINAL}.json", answer.encoded())
        except FileExistsError:
            return False
        return True

    def ended(self) -> set[int]:
        """The numbers of the requests with a final answer."""
        return {number for number, place in self._answered("") if place == _FINAL}

    def answers_to(self, number: int) -> list[RequestAnswer]:
        """Every answer to request `number`, the final one at the end. Raises StoreCorrupt for a damaged one."""
        return [RequestAnswer.parsed(self.files.read(key), key) for key in self._keys_to(number)]

    def all_answers(self) -> dict[int, list[RequestAnswer]]:
        """Every answer, by the number of its request."""
        found: dict[int, list[RequestAnswer]] = {}
        for number, place in self._answered(""):
            key = f"{self.answers}/{number:020d}.{place}.json"
            found.setdefault(number, []).append(RequestAnswer.parsed(self.files.read(key), key))
        return found

    def door(self) -> Door:
        """What the run said last. Raises NotFound where no run ever said anything there, and StoreCorrupt."""
        key = f"{self.requests}/{_DOOR}"
        return Door.parsed(self.files.read(key), key)

    def show(self, door: Door) -> None:
        """Replace what the run said last, unless a later attempt has said something. Raises StoreUnavailable."""
        if not self.later_attempt(door.attempt):
            self.files.replace(f"{self.requests}/{_DOOR}", door.encoded(), durable=False)

    def later_attempt(self, attempt: int) -> int:
        """The attempt after `attempt` that has begun and said something; 0 where there is none, as far as can be read.

        What is said among the requests, where others may write, counts only with the claim of that attempt.
        """
        try:
            newest = self.door().attempt
        except (NotFound, StoreCorrupt):
            return 0
        return newest if newest > attempt and is_claimed(self.files, self.folder, newest) else 0

    def _keys_to(self, number: int) -> list[str]:
        answered = takewhile(lambda found: found[0] == number, self._answered(f"{self.answers}/{number:020d}"))
        return [f"{self.answers}/{number:020d}.{place}.json" for _, place in answered]

    def _answered(self, after: str) -> Iterator[tuple[int, str]]:
        for item in self.files.list(self.answers, after=after, deep=False):
            if match := _ANSWER.fullmatch(item.key.rpartition("/")[2]):
                yield int(match[1]), match[2]

    def _listed(self, after: int) -> Iterator[tuple[int, int]]:
        """The number and size of each request after number `after`, of what stands in its place too."""
        for item in self.files.list(self.requests, after=f"{self.requests}/{_name(after)}", deep=False):
            match = _NUMBER.fullmatch(item.key.removeprefix(f"{self.requests}/"))
            if match and after < int(match[1]) <= _LARGEST:  # a folder there sorts after the file
                yield int(match[1]), item.size_bytes

    def _one(self, number: int, size_bytes: int) -> Received:
        if size_bytes > MOST_BYTES:
            return Received(number, None, f"it has {size_bytes:,} bytes, expected at most {MOST_BYTES:,}")
        try:
            return Received(number, self.read(number))
        except NotFound:
            return Received(number, None, "its file is missing, while a later one is there")
        except StoreUnavailable:
            raise
        except (InvalidInput, StoreCorrupt) as problem:
            return Received(number, None, str(problem))


def _name(number: int) -> str:
    return f"{number:020d}.json"
