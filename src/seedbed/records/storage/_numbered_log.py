"""A log of sealed records, numbered from 1 without gaps, each published by put-if-absent and never changed.

It needs no lock and no clock: writers race for the next number, and the loser reads the winner and tries the next one.
"""

import re
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records.canonical._names import commit_file
from seedbed.records.canonical._seal import unseal
from seedbed.records.storage._files import Files

__all__ = ["NumberedLog", "Sealed", "damaged", "parsed", "record_number"]

Model = TypeVar("Model", bound=BaseModel)

_RECORD = re.compile(r"(\d{20})\.json")


@dataclass(frozen=True)
class Sealed:
    """One record of a numbered log, its digest verified."""

    seq: int
    digest: str
    body: dict[str, Any]


class NumberedLog:
    """The records in one folder of a store."""

    def __init__(self, files: Files, folder: str) -> None:
        self.folder = folder
        self._files = files

    def key(self, seq: int) -> str:
        """The key of record `seq`."""
        return f"{self.folder}/{commit_file(seq)}"

    def read(self, seq: int) -> Sealed:
        """Record `seq`. Raises NotFound, and StoreCorrupt when its bytes have changed."""
        data = self._files.read(self.key(seq))
        try:
            body, sealed = unseal(data)
        except ValueError as problem:
            raise damaged(self.key(seq), str(problem)) from None
        return Sealed(seq, sealed, body)

    def publish(self, seq: int, data: bytes) -> bool:
        """Claim the number `seq` for `data`, durable on return; False when it is taken. Raises StoreUnavailable."""
        try:
            self._files.create(self.key(seq), data)
        except FileExistsError:
            return False
        return True

    def numbers(self, after: int = 0) -> list[int]:
        """The numbers of the records after number `after`, ascending, damaged ones included."""
        listed = self._files.list(self.folder, after=self.key(after), deep=False)
        return [number for item in listed if (number := record_number(item.key)) is not None]

    def require_gapless(self, after: int = 0) -> None:
        """Raise StoreCorrupt when a number after `after` is missing while a later one exists."""
        for expected, found in enumerate(self.numbers(after), after + 1):
            if found != expected:
                raise StoreCorrupt(
                    f"record {expected} of {self.folder} is missing, while {found} exists; "
                    "restore the file from a copy of the store: it cannot be rebuilt"
                )

    def next_after(self, seq: int) -> Sealed | None:
        """The record after `seq`; None when there is none."""
        try:
            return self.read(seq + 1)
        except NotFound:
            return None


def record_number(key: str) -> int | None:
    """The number of the record that `key` names; None when it names none."""
    match = _RECORD.fullmatch(key.rpartition("/")[2])
    return int(match[1]) if match else None


def damaged(key: str, found: str) -> StoreCorrupt:
    """The error for a damaged record."""
    return StoreCorrupt(f"the record {key} is damaged: {found}; restore the file from a copy of the store")


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
