"""Step metrics: the journal's frames without a sync for each, so that a training loop hardly notices them.

Points that come slowly are each handed to the kernel at once. Of points that come in a rush many share a frame, handed
over within `_HOLD_SECONDS` while more come. What was logged is on the disk `commit_seconds` later at the latest,
whether more is logged or not: a thread of the log sees to it. So a killed process loses nothing of a slow loop and
`commit_seconds` of a fast one at most, and a crash of the whole machine as much of either.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from seedbed.errors import InvalidInput, SeedbedError
from seedbed.records.canonical._canonical import Json
from seedbed.records.canonical._redaction import redacted_object
from seedbed.records.journal._journal import FramedFile
from seedbed.records.storage._clock import Clock, SystemClock

__all__ = ["Event", "EventsLog", "events_of"]

_STEP, _STEPS = "step", "steps"  # one point, and many of one attempt
_TAG = "$float"
_HOLD_SECONDS = 0.02
_HELD_POINTS = 500


@dataclass(frozen=True)
class Event:
    """The values logged at one step of one attempt. Where attempts overlap, the later attempt's values stand."""

    step: int
    attempt: int
    values: Mapping[str, float]


class EventsLog:
    """Appends step metrics. One process writes it, from any of its threads."""

    def __init__(self, file: FramedFile, *, attempt: int, clock: Clock, commit_seconds: float) -> None:
        self.torn_bytes = file.torn_bytes
        self._file = file
        self._attempt = attempt
        self._clock = clock
        self._commit_seconds = commit_seconds
        self._harmless: set[str] = set()
        self._held: list[list[Json]] = []
        self._handed_at, self._synced_at = -math.inf, clock.monotonic()
        self._dirty = False
        self._lock = threading.RLock()
        self._keeper = _Keeper(self.commit, commit_seconds)

    @classmethod
    def open(cls, path: Path, *, attempt: int = 1, clock: Clock | None = None, commit_seconds: float = 1.0) -> Self:
        """Open or create the log at `path`; a torn tail is cut off, and `torn_bytes` says how much.

        Raises StoreCorrupt, with the byte offset, for a bad record elsewhere; StoreUnavailable when the disk refuses.
        """
        file, _ = FramedFile.open(path)
        return cls(file, attempt=attempt, clock=clock or SystemClock(), commit_seconds=commit_seconds)

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Log `values` at `step`; names are redacted, NaN and infinities kept and marked as such.

        Raises InvalidInput for what is no number, for names that are no texts, or the same once redacted, and
        StoreUnavailable, also for what the log's own thread could not write since the last call.
        """
        tagged: dict[str, Json] = {}
        for name, value in values.items():
            tagged[name] = value if type(value) is float and math.isfinite(value) else _tagged(name, value)
        if not self._harmless.issuperset(tagged):
            # The same few names come at every step, so those that redaction leaves as they are go through it once.
            tagged = redacted_object(tagged)
            self._harmless |= tagged.keys() & values.keys()
        now = self._clock.monotonic()
        with self._lock:
            self._keeper.require_well()
            self._held.append([step, tagged])
            if now - self._handed_at >= _HOLD_SECONDS or len(self._held) >= _HELD_POINTS:
                self._hand_over(now)
            if now - self._synced_at >= self._commit_seconds:
                self.commit()

    def commit(self) -> None:
        """Make everything logged so far durable. Raises StoreUnavailable."""
        with self._lock:
            now = self._clock.monotonic()
            if self._held:
                self._hand_over(now)
            if self._dirty:
                self._file.sync()
                self._dirty = False
            self._synced_at = now

    def close(self) -> None:
        """Commit, and let the file go. Raises StoreUnavailable, also for what the log's own thread could not write."""
        self._keeper.stop()
        try:
            self._keeper.require_well()
            self.commit()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hand_over(self, now: float) -> None:
        held, self._held = self._held, []
        self._handed_at = now
        self._dirty = True
        if len(held) == 1:
            step, values = held[0]
            self._file.append(_STEP, {"attempt": self._attempt, "step": step, "values": values})
        else:
            points: list[Json] = [*held]
            self._file.append(_STEPS, {"attempt": self._attempt, "points": points})
        self._keeper.start()


class _Keeper:
    """Calls `keep` every so often in a thread of its own; what it raises is raised where somebody can hear it."""

    def __init__(self, keep: Callable[[], None], every_seconds: float) -> None:
        self._keep = keep
        self._every_seconds = every_seconds
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._problem: SeedbedError | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="seedbed-events", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def require_well(self) -> None:
        if self._problem:
            raise self._problem

    def _run(self) -> None:
        while self._problem is None and not self._stopped.wait(self._every_seconds):
            try:
                self._keep()
            except SeedbedError as problem:
                self._problem = problem


def events_of(kind: str, payload: Mapping[str, Any]) -> Iterator[Event]:
    """The events of one record; none of a kind that this version does not know."""
    if kind == _STEP:
        yield _event(payload["step"], payload["attempt"], payload["values"])
    elif kind == _STEPS:
        for step, values in payload["points"]:
            yield _event(step, payload["attempt"], values)


def _event(step: int, attempt: int, values: Mapping[str, Any]) -> Event:
    return Event(step, attempt, {name: _untagged(value) for name, value in values.items()})


def _tagged(name: str, value: object) -> Json:
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        number = value if isinstance(value, int) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InvalidInput(f"the metric {name!r} is {value!r}, expected a number; nothing was logged") from None
    if isinstance(number, int):
        return number if abs(number) < 2**53 else float(number)
    if math.isfinite(number):
        return number
    return {_TAG: "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"}


def _untagged(value: Any) -> float:
    return float(value[_TAG]) if isinstance(value, dict) else value
