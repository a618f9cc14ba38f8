"""A log of sealed records, numbered from 1 without gaps, each published by put-if-absent and never changed.

It needs no lock and no clock: writers race for the next number, and the loser reads the winner and tries the next one.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from time import monotonic
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records.canonical._canonical import Json, digest_bytes
from seedbed.records.canonical._names import commit_file
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.storage._files import Files, Unreadable

__all__ = [
    "LostRecord",
    "NumberedLog",
    "Quarantined",
    "Sealed",
    "advised",
    "damaged",
    "parsed",
    "record_number",
    "slot_taken",
    "tombstone",
    "unadvised",
]

Model = TypeVar("Model", bound=BaseModel)

TOMBSTONE = "TOMBSTONE"
_ASK_FSCK = "`seedbed runs fsck` says what can be done"
_LOOK_AGAIN_SECONDS = 60.0
_MOST_LOST = 10_000  # of five hundred writers without turns, one of a thousand million commits loses so many
_RECORD = re.compile(r"(\d{20})\.json")


class Quarantined(StoreCorrupt):
    """The record is known to be lost: a tombstone stands in its place."""


@dataclass(frozen=True)
class Sealed:
    """One record of a numbered log, its digest verified."""

    seq: int
    digest: str
    body: dict[str, Any]


@dataclass(frozen=True)
class LostRecord:
    """A number whose record is missing or cannot be read; `is_known` where a tombstone says that it is lost.

    `found` is the digest of the bytes that stand there, "" where there are none that can be read.
    """

    seq: int
    problem: str
    is_known: bool = False
    found: str = ""


class NumberedLog:
    """The records in one folder of a store.

    `mentioned` is asked for the highest number after a given one of whose record there is a whole copy elsewhere, 0 for
    none: so the end of a log that is lost stays taken.
    """

    def __init__(self, files: Files, folder: str, mentioned: Callable[[int], int] = lambda _: 0) -> None:
        self.folder = folder
        self._files = files
        self._mentioned_after = mentioned
        self._taken: int | None = None  # the highest number that was there when the log was last looked through
        self._mentioned = 0  # the highest number of which there was a copy then, and no record
        self._looked_at = 0.0
        self._missing = range(0)  # the numbers before the next one that is there, as a listing showed

    def key(self, seq: int) -> str:
        """The key of record `seq`."""
        return f"{self.folder}/{commit_file(seq)}"

    def read(self, seq: int) -> Sealed:
        """Record `seq`. Raises NotFound, and StoreCorrupt when its bytes have changed or cannot be read.

        Quarantined, which is a StoreCorrupt, says that a tombstone stands there.
        """
        key = self.key(seq)
        try:
            body, sealed = unseal(self._files.read(key))
        except ValueError as problem:
            raise damaged(key, str(problem)) from None
        except NotFound:
            raise NotFound(f"there is no record {key}; if there was one, {_ASK_FSCK}") from None
        except Unreadable as problem:
            told = f"the record {key} is taken, but: {problem}"
            raise Unreadable(told, is_whole=problem.is_whole) from None
        if body.get("kind") == TOMBSTONE:
            raise Quarantined(f"the record {key} is lost, and quarantined since {body['timestamp']}: {body['reason']}")
        return Sealed(seq, sealed, body)

    def is_quarantined(self, seq: int) -> bool:
        """Whether a tombstone stands in the place of record `seq`."""
        found = self._found(seq)
        return isinstance(found, LostRecord) and found.is_known

    def follow(self, seq: int) -> Sealed | LostRecord | None:
        """What stands at number `seq`, where all before it were followed; None where the log ends.

        A record that is missing or damaged is a `LostRecord`, so one fault does not hide the records after it. So is
        what can be no record, such as a folder, also at the next number: nobody can record there, but behind it.
        """
        if self._taken is None:
            self._look(seq - 1)
        found = self._found(seq)
        if found is None and self._is_taken(seq):
            if seq not in self._missing:
                self._missing = range(seq, min(self._asked_again(seq - 1), default=self._mentioned + 1))
                found = self._found(seq)
            found = found or self._lost(seq)
        return found

    def _asked_again(self, after: int) -> list[int]:
        """As `numbers`. Over NFS a machine believes for a while that a name is missing; a listing ends that."""
        parts = self.folder.split("/")
        for depth in range(len(parts)):  # that of the folder too
            next(self._files.list("/".join(parts[:depth]), deep=False), None)
        return self.numbers(after)

    def _found(self, seq: int) -> Sealed | LostRecord | None:
        try:
            return self.read(seq)
        except NotFound:
            return None
        except StoreCorrupt as damage:
            return LostRecord(seq, str(damage), isinstance(damage, Quarantined), self._digest_found(seq))

    def _digest_found(self, seq: int) -> str:
        try:
            return digest_bytes(self._files.read(self.key(seq)))
        except (NotFound, StoreCorrupt):
            return ""

    def _lost(self, seq: int) -> LostRecord:
        taken = self._taken or 0
        found = f"number {taken} exists" if seq < taken else f"a run's folder holds a copy of number {self._mentioned}"
        return LostRecord(seq, f"the record {self.key(seq)} is missing, while {found}")

    def _is_taken(self, seq: int) -> bool:
        """Whether a later record, or a copy of this one, was there when the log was last looked through."""
        return seq < (self._taken or 0) or seq <= self._mentioned

    def publish(self, seq: int, data: bytes) -> bool:
        """Claim the number `seq` for `data`, durable on return; False when it is taken. Raises StoreUnavailable.

        The number of a record that was lost stays taken where a later one, or a copy of it, exists: `follow` tells so.
        One that was lost since this object last looked through the log, a minute ago at most, may be given again.
        """
        if monotonic() - self._looked_at > _LOOK_AGAIN_SECONDS:  # listing a long log takes longer than publishing
            self._look(seq - 1)
            if self._is_taken(seq):
                return False
        try:
            self._files.create(self.key(seq), data)
        except FileExistsError:
            return False
        return True

    def _look(self, after: int) -> None:
        self._taken, self._looked_at = max(self.numbers(after), default=0), monotonic()
        self._mentioned = self._mentioned_after(max(self._taken, after))

    def races(self) -> Iterator[None]:
        """One item for each race for a number that a writer may lose in a row. Raises StoreUnavailable after that."""
        yield from repeat(None, _MOST_LOST)
        raise StoreUnavailable(f"others recorded first in {self.folder}, {_MOST_LOST:,} times in a row; try again")

    def numbers(self, after: int = 0) -> list[int]:
        """The numbers of the records after number `after`, ascending, damaged ones included."""
        listed = self._files.list(self.folder, after=self.key(after), deep=False)
        return [number for item in listed if (number := record_number(item.key)) is not None]


def record_number(key: str) -> int | None:
    """The number of the record that `key` names; None when it names none."""
    match = _RECORD.fullmatch(key.rpartition("/")[2])
    return int(match[1]) if match else None


def damaged(key: str, found: str) -> StoreCorrupt:
    """The error for a damaged record."""
    return StoreCorrupt(f"the record {key} is damaged: {found}; {_ASK_FSCK}")


def slot_taken(key: str) -> StoreCorrupt:
    """The error for what stands in the place of the next record and is none, such as a link that leads nowhere."""
    return StoreCorrupt(
        f"{key} is taken but cannot be read; move away what stands there, such as a link that leads nowhere, then try "
        f"again; {_ASK_FSCK}"
    )


def unadvised(problem: str) -> str:
    """The problem without the advice to ask `fsck`."""
    return problem.removesuffix(f"; {_ASK_FSCK}")


def advised(problem: str, *more: str) -> str:
    """The problem, what `more` is to be said of it, and the advice to ask `fsck`: once, and at the end."""
    return "; ".join((unadvised(problem), *more, _ASK_FSCK))


def tombstone(seq: int, lost: str, reason: str, timestamp: str) -> bytes:
    """The record that takes the place of number `seq`; `lost` is the digest of what was there, "" if not known."""
    body: dict[str, Json] = {"kind": TOMBSTONE, "lost": lost, "reason": reason, "seq": seq, "timestamp": timestamp}
    return seal(body)[0]


def parsed(model: type[Model], body: dict[str, Any], key: str) -> Model:
    """The record `key` as a `model`, whose default of `schema_version` is the newest version.

    Raises StoreCorrupt when `body` is not valid for it, InvalidInput for a later version.
    """
    version, newest = body.get("schema_version"), model.model_fields["schema_version"].default
    if isinstance(version, int) and version > newest:
        raise InvalidInput(f"{key} has schema version {version}, this Seedbed reads 1 to {newest}; upgrade it")
    try:
        return model.model_validate({"schema_version": None, **body})  # a record without a version is refused
    except ValidationError as problem:
        found = problem.errors()[0]
        place = ".".join(map(str, found["loc"]))
        raise damaged(key, f"it is no {model.__name__.lower()}: {found['msg']} at {place}") from None
