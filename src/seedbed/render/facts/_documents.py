"""The typed documents that a record holds, such as its audit and its changes."""

from typing import TypeVar

from pydantic import ValidationError

from seedbed.contracts import Message
from seedbed.contracts._faults import faults_of
from seedbed.records import Snapshot

__all__ = ["document_of"]

M = TypeVar("M", bound=Message)


def document_of(snapshot: Snapshot, name: str, kind: type[M]) -> tuple[M | None, str]:
    """The record's document called `name`; or None, and why there is none."""
    if name not in snapshot.documents:
        return None, f"The record holds no document {name}."
    try:
        return kind.model_validate(snapshot.documents[name]), ""
    except ValidationError as error:
        first = faults_of(error, kind)[0]
        where = f"{name}.{first.place}" if first.place else name
        return None, f"The record's document {name} cannot be read: {where}: {first.what}."
