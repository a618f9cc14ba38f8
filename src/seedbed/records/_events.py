"""Step metrics: the journal's frames without a sync for each, so that a training loop hardly notices them.

Every record is handed to the kernel at once, so a killed process loses none. Syncs come at most once in
`commit_seconds`, which bounds what a crash of the whole machine may lose.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from seedbed.records._canonical import Json
from seedbed.records._clock import Clock, SystemClock
from seedbed.records._framed import FramedFile, read_frames
from seedbed.records._redaction import redacted_object

__all__ = ["Event", "EventsLog", "read_events"]

_KIND = "step"
_TAG = "$float"


@dataclass(frozen=True)
class Event:
    """The values logged at one step of one attempt. Where attempts overlap, the later attempt's values stand."""

    step: int
    attempt: int
    values: Mapping[str, float]


class EventsLog:
    """Appends step metrics. One process writes it."""

    def __init__(self, file: FramedFile, *, attempt: int, clock: Clock, commit_seconds: float) -> None:
        self.torn_bytes = file.torn_bytes
        self._file = file
        self._attempt = attempt
        self._clock = clock
        self._commit_seconds = commit_seconds
        self._synced_at = clock.monotonic()
        self._dirty = False
        self._harmless: set[str] = set()

    @classmethod
    def open(cls, path: Path, *, attempt: int = 1, clock: Clock | None = None, commit_seconds: float = 1.0) -> Self:
        """Open or create the log at `path`; a torn tail is cut off, and `torn_bytes` says how much.

        Raises StoreCorrupt, with the byte offset, for a bad record elsewhere; StoreUnavailable when the disk refuses.
        """
        file, _ = FramedFile.open(path)
        return cls(file, attempt=attempt, clock=clock or SystemClock(), commit_seconds=commit_seconds)

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Log `values` at `step`; names are redacted, NaN and infinities kept and marked as such.

        Raises InvalidInput for names that are no texts, or the same once redacted, and StoreUnavailable.
        """
        tagged: dict[str, Json] = {name: _tagged(value) for name, value in values.items()}
        if not self._harmless.issuperset(tagged):
            # The same few names come at every step, so those that redaction leaves as they are go through it once.
            tagged = redacted_object(tagged)
            self._harmless |= tagged.keys() & values.keys()
        self._dirty = True
        self._file.append(_KIND, {"attempt": self._attempt, "step": step, "values": tagged})
        if self._clock.monotonic() - self._synced_at >= self._commit_seconds:
            self.commit()

    def commit(self) -> None:
        """Make everything logged so far durable. Raises StoreUnavailable."""
        if self._dirty:
            self._file.sync()
            self._dirty = False
        self._synced_at = self._clock.monotonic()

    def close(self) -> None:
        """Commit, and let the file go. Raises StoreUnavailable."""
        try:
            self.commit()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_events(path: Path) -> list[Event]:
    """Every whole record of the events log at `path`, oldest first, without touching it.

    Raises NotFound when there is no file and StoreCorrupt, with the byte offset, for a bad record that is no torn tail.
    """
    return [_event(entry.payload) for entry in read_frames(path).entries]


def _event(payload: Mapping[str, Any]) -> Event:
    values = {name: _untagged(value) for name, value in payload["values"].items()}
    return Event(payload["step"], payload["attempt"], values)


def _tagged(value: float) -> Json:
    number = float(value) if not isinstance(value, int) else value
    if math.isfinite(number):
        return number
    return {_TAG: "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"}


def _untagged(value: Any) -> float:
    return float(value[_TAG]) if isinstance(value, dict) else value
