"""Step metrics: a log like the journal, but without a sync for each record, so that it hardly slows training.

Points that come slowly are each written at once. Points that come fast share a record, which is written within
`_FLUSH_SECONDS` while more come. A thread of the log makes every point durable after `commit_seconds` at the latest,
also when no more are logged. So a killed process loses nothing of a slow loop and at most `commit_seconds` of a fast
one; a crash of the machine loses at most `commit_seconds` of either.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from seedbed.errors import InvalidInput, SeedbedError
from seedbed.records.canonical._canonical import Json
from seedbed.records.canonical._redaction import redacted_names
from seedbed.records.journal._journal import FramedFile
from seedbed.records.storage._clock import Clock, SystemClock

__all__ = ["Event", "EventsLog", "events_of"]

_STEP, _STEPS = "step", "steps"  # kinds of records: one point, and many points of one attempt
_TAG = "$float"
_FLUSH_SECONDS = 0.02
_MAX_PENDING_POINTS = 500


@dataclass(frozen=True)
class Event:
    """The values logged at one step of one attempt. Where attempts overlap, those of the later one are valid."""

    step: int
    attempt: int
    values: Mapping[str, float]


class EventsLog:
    """The step metrics of a run, for writing. One process appends, from any of its threads."""

    def __init__(self, file: FramedFile, *, attempt: int, clock: Clock, commit_seconds: float) -> None:
        self.torn_bytes = file.torn_bytes
        self._file = file
        self._attempt = attempt
        self._clock = clock
        self._commit_seconds = commit_seconds
        self._clean_names: set[str] = set()
        self._pending: list[list[Json]] = []
        self._flushed_at, self._synced_at = -math.inf, clock.monotonic()
        self._dirty = False
        self._lock = threading.RLock()
        self._committer = _BackgroundCommitter(self.commit, commit_seconds)

    @classmethod
    def open(cls, path: Path, *, attempt: int = 1, clock: Clock | None = None, commit_seconds: float = 1.0) -> Self:
        """Open or create the log at `path`; a torn tail is cut off, and `torn_bytes` is its size.

        Raises StoreCorrupt, with the byte offset, for a damaged record elsewhere, and StoreUnavailable.
        """
        file, _ = FramedFile.open(path)
        return cls(file, attempt=attempt, clock=clock or SystemClock(), commit_seconds=commit_seconds)

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Log `values` at `step`; names are redacted, NaN and infinities are kept.

        Raises InvalidInput for values that are not numbers and for names that are not texts or are the same after
        redaction; StoreUnavailable when this write, or an earlier one by the log's thread, failed.
        """
        tagged: dict[str, Json] = {}
        for name, value in values.items():
            tagged[name] = value if type(value) is float and math.isfinite(value) else _tagged(name, value)
        if not self._clean_names.issuperset(tagged):
            # The same few names come at every step: each name that redaction does not change is checked only once.
            tagged = redacted_names(tagged)
            self._clean_names |= tagged.keys() & values.keys()
        now = self._clock.monotonic()
        with self._lock:
            self._committer.raise_problem()
            self._pending.append([step, tagged])
            if now - self._flushed_at >= _FLUSH_SECONDS or len(self._pending) >= _MAX_PENDING_POINTS:
                self._flush(now)
            if now - self._synced_at >= self._commit_seconds:
                self.commit()

    def commit(self) -> None:
        """Make everything logged so far durable. Raises StoreUnavailable."""
        with self._lock:
            now = self._clock.monotonic()
            if self._pending:
                self._flush(now)
            if self._dirty:
                self._file.sync()
                self._dirty = False
            self._synced_at = now

    def close(self) -> None:
        """Commit and close the file. Raises StoreUnavailable, also when a write by the log's thread failed."""
        self._committer.stop()
        try:
            self._committer.raise_problem()
            self.commit()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flush(self, now: float) -> None:
        pending, self._pending = self._pending, []
        self._flushed_at = now
        self._dirty = True
        if len(pending) == 1:
            step, values = pending[0]
            self._file.append(_STEP, {"attempt": self._attempt, "step": step, "values": values})
        else:
            points: list[Json] = [*pending]
            self._file.append(_STEPS, {"attempt": self._attempt, "points": points})
        self._committer.start()


class _BackgroundCommitter:
    """Calls `commit` at regular intervals in its own thread; `raise_problem` raises its error in the caller's."""

    def __init__(self, commit: Callable[[], None], every_seconds: float) -> None:
        self._commit = commit
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

    def raise_problem(self) -> None:
        if self._problem:
            raise self._problem

    def _run(self) -> None:
        while self._problem is None and not self._stopped.wait(self._every_seconds):
            try:
                self._commit()
            except SeedbedError as problem:
                self._problem = problem


def events_of(kind: str, payload: Mapping[str, Any]) -> Iterator[Event]:
    """The events of one record; none for a kind that this version does not know."""
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
