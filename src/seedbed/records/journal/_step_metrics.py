"""Step metrics: a log like the journal, but without a sync for each record, so that it hardly slows training.

A point is written to the log's tail before `append` returns, so a process that is killed loses none. Points are sealed
in records of the log, many in one, and made durable after `commit_seconds` at the latest, also when no more are logged:
a thread of the log does that. So a crash of the machine loses at most `commit_seconds`.
"""

import logging
import reprlib
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import index
from pathlib import Path
from typing import Any, Self

from seedbed.errors import Conflict, InvalidInput, SeedbedError
from seedbed.records.canonical._canonical import (
    LARGEST_EXACT,
    Json,
    encode,
    encode_ordinary,
    is_ordinary,
    parse_json,
)
from seedbed.records.canonical._numbers import single_of, tagged, untagged, used_as_number
from seedbed.records.canonical._redaction import redacted_names
from seedbed.records.journal._frames import FrameReader
from seedbed.records.journal._journal import FramedFile
from seedbed.records.journal._tail import TailFile, read_tail, set_torn_aside, tail_path
from seedbed.records.storage._owner import Owner

__all__ = ["Event", "EventsLog", "StepReader", "attempt_of", "events_of", "torn_tail"]

_logger = logging.getLogger("seedbed.records")
_STEP, _STEPS = "step", "steps"  # kinds of records: one point, and many points of one attempt
_MOST_IN_RECORD = 500


@dataclass(frozen=True)
class Event:
    """The values logged at one step of one attempt. Where attempts overlap, those of the later one are valid."""

    step: int
    attempt: int
    values: Mapping[str, float]


class EventsLog:
    """The step metrics of a run, for writing. One process appends, from any of its threads."""

    def __init__(self, path: Path, file: FramedFile, tail: TailFile, *, attempt: int, commit_seconds: float) -> None:
        self.torn_bytes = file.torn_bytes
        self._path = path
        self._file = file
        self._tail = tail
        self._attempt = attempt
        self._clean_names: set[str] = set()
        self._unsealed: list[bytes] = []  # the points that are in the tail
        self._durable = file.num_records  # the record up to which the log is on the disk
        self._is_ready = False  # for a point in the tail: open, no seal is half done, and the thread runs
        self._is_closed = False
        self._problem: SeedbedError | None = None  # of the log's thread
        self._syncing = threading.RLock()  # taken before the other one: beside a slow sync points are logged
        self._lock = threading.RLock()
        self._owner = Owner()
        self._committer = _BackgroundCommitter(self, commit_seconds)

    @classmethod
    def open(cls, path: Path, *, attempt: int = 1, commit_seconds: float = 1.0) -> Self:
        """Open or create the log at `path`; a torn record at its end is cut off, and `torn_bytes` is its size.

        Points that a killed process left in the tail are sealed. Of a torn tail the logger seedbed.records tells, and
        its bytes are kept in a file beside it. Raises StoreCorrupt, with the byte offset, for a
        damaged record elsewhere, InvalidInput for a tail of a later version, and StoreUnavailable.
        """
        left = read_tail(path)
        if left.is_torn:
            _logger.warning("%s; its bytes are kept as %s", torn_tail(path), set_torn_aside(path).name)
        file, _ = FramedFile.open(path)
        try:
            if left.points and left.after >= file.num_records:
                file.append_encoded(_STEPS, _sealed(left.attempt, left.points))
                file.sync()
            tail = TailFile(path, attempt, file.num_records)
            return cls(path, file, tail, attempt=attempt, commit_seconds=commit_seconds)
        except BaseException:
            file.close()
            raise

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Log `values` at `step`, which is any kind of integer; names are redacted, NaN and infinities are kept.

        When this returns, a killed process does not lose the point. Raises InvalidInput for a step that is no integer,
        for values that are not numbers and for names that are not texts or are the same after redaction; Conflict in a
        forked child, when the log is closed and when another process has opened it since; StoreUnavailable when this
        write, or an earlier one by the log's thread, failed.
        """
        number = step if type(step) is int and -LARGEST_EXACT <= step <= LARGEST_EXACT else _integer(step)
        clean: dict[str, Json] = {}
        written = encode_ordinary
        for given, value in values.items():
            name = given if type(given) is str else _text(given)
            if type(value) is float and is_ordinary(value):
                clean[name] = value
            else:
                clean[name], written = _number(name, value), encode
        if not self._clean_names.issuperset(clean):
            # The same few names come at every step: each name that redaction does not change is checked only once.
            clean = redacted_names(clean)
            self._clean_names |= clean.keys() & values.keys()
        point = written([number, clean])
        self._owner.require_here("this log")
        with self._lock:
            if not self._is_ready:
                self._get_ready()
            if len(self._unsealed) >= _MOST_IN_RECORD:
                self._seal()
            if self._tail.append(point):
                self._unsealed.append(point)
            else:
                self._seal(point)

    def commit(self) -> None:
        """Make everything logged so far durable, which closing the log did too.

        Raises StoreUnavailable, and Conflict in a forked child and when another process has opened the log since.
        """
        self._owner.require_here("this log")
        with self._syncing:
            with self._lock:
                if self._is_closed:
                    return
                self._settle()
                if self._unsealed:
                    self._seal()
                last = self._file.num_records
            if last > self._durable:
                self._file.sync()
                self._durable = last

    def commit_beside(self) -> bool:
        """As `commit`, by the log's thread; where it fails, the next point is told of it, and this returns False."""
        try:
            self.commit()
        except SeedbedError as problem:
            with self._lock:
                self._problem, self._is_ready = problem, False
        return self._problem is None

    def close(self) -> None:
        """Commit and close the file, once. Raises as `commit`, also when a commit by the log's thread failed."""
        self._owner.require_here("this log")
        with self._syncing, self._lock:
            if self._is_closed:
                return
            try:
                self._raise_problem()
                self.commit()
                self._file.require_own()
            except BaseException:
                self.abandon()
                raise
            self._shut()
            self._tail.close()

    def abandon(self) -> None:
        """Close the file and write nothing, such as where another process writes the log now; its tail is left."""
        with self._syncing, self._lock:
            self._shut()
            self._tail.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get_ready(self) -> None:
        """Do what needs not be done for every point. Raises as `append`."""
        if self._is_closed:
            raise Conflict(
                f"the log {self._path} is closed and takes no more points; log them before, or open the log again"
            )
        self._raise_problem()
        self._committer.start()
        self._settle()
        self._is_ready = True

    def _raise_problem(self) -> None:
        if self._problem:
            raise self._problem

    def _shut(self) -> None:
        self._is_ready, self._is_closed = False, True
        self._committer.stop()
        self._file.close()

    def _seal(self, *more: bytes) -> None:
        """Write the points of the tail, and `more`, as one record. Where that fails, those of the tail stay there."""
        self._is_ready = False
        self._file.append_encoded(_STEPS, _sealed(self._attempt, [*self._unsealed, *more]))
        self._settle()

    def _settle(self) -> None:
        """Forget the points of the tail once a record holds them, also where an interrupt came after it was written.

        Points written behind them would be taken for sealed ones, and be lost with the process.
        """
        self._file.look_again()
        if self._tail.after != self._file.num_records:
            self._unsealed.clear()
            self._tail.restart(self._file.num_records)


class _BackgroundCommitter:
    """Commits `log` at regular intervals in a thread of its own, until that fails or nobody has the log any more."""

    def __init__(self, log: EventsLog, every_seconds: float) -> None:
        stopped, owner = threading.Event(), Owner()
        self._stopped = stopped
        # In a forked child there is no thread to stop, and one of the parent may have held the event at the fork.
        self._log = weakref.ref(log, lambda _: stopped.set() if owner.is_here else None)
        self._every_seconds = every_seconds
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="seedbed-events", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_seconds) and self._commit():
            pass

    def _commit(self) -> bool:
        log = self._log()  # for no longer than this: who drops it ends the thread
        return log is not None and log.commit_beside()


def events_of(kind: str, payload: Mapping[str, Any]) -> Iterator[Event]:
    """The events of one record; none for a kind that this version does not know."""
    if kind == _STEP:
        yield _event(payload["step"], payload["attempt"], payload["values"])
    elif kind == _STEPS:
        for step, values in payload["points"]:
            yield _event(step, payload["attempt"], values)


def attempt_of(kind: object, payload: object) -> int:
    """The attempt of the points in a record; 0 for a record of another kind."""
    found = payload.get("attempt") if kind in (_STEP, _STEPS) and isinstance(payload, dict) else 0
    return found if isinstance(found, int) else 0


class StepReader:
    """Reads the points of a log as `FrameReader` reads its records, those that are still in the tail too, each once."""

    def __init__(self, reader: FrameReader, log: Path) -> None:
        self._reader = reader
        self._log = log
        self.is_torn = False  # the tail: what was logged last cannot be read
        self._given = (0, 0)  # the record after which points of the tail were given, and how many

    @property
    def head(self) -> tuple[int, str]:
        """Sequence and digest of the last record that was read; 0 and a digest of zeros before the first."""
        return self._reader.head

    @property
    def marked(self) -> str:
        """As `FrameReader.marked`."""
        return self._reader.marked

    def more(self) -> Iterator[Event]:
        """The events since the last call, oldest first. Raises as `FrameReader.more`."""
        # The tail first: its points are sealed in the next record by the time that one is read, or not at all.
        tail = read_tail(self._log)
        self.is_torn = tail.is_torn
        for entry in self._reader.more():
            events = events_of(entry.kind, entry.payload)
            after, given = self._given
            yield from islice(events, given if entry.sequence == after + 1 else 0, None)
        head = self._reader.head[0]
        if tail.points and tail.after >= head:
            given = self._given[1] if self._given[0] == tail.after else 0
            self._given = (tail.after, max(given, len(tail.points)))
            for point in tail.points[given:]:
                step, values = parse_json(point)
                yield _event(step, tail.attempt, values)


def torn_tail(log: Path | str) -> str:
    """What is wrong where the tail of `log` is torn."""
    return (
        f"the checksum of {tail_path(Path(log))} differs, so the points that were logged last cannot be read: the "
        "machine stopped before they were durable, or the file was damaged since"
    )


def _sealed(attempt: int, points: Sequence[bytes]) -> bytes:
    return b'{"attempt":%d,"points":[%b]}' % (attempt, b",".join(points))


def _integer(step: object) -> int:
    try:
        if isinstance(single_of(step), bool):
            raise TypeError
        found = index(step)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        raise InvalidInput(f"the step is {_SHORT.repr(step)}, expected an integer; nothing was logged") from None
    if abs(found) > LARGEST_EXACT:
        raise InvalidInput(
            f"the step is {_SHORT.repr(found)}, expected at most 2^53 - 1 (or at least -(2^53 - 1)), since JSON rounds "
            "beyond; log a smaller count, such as batches; nothing was logged"
        )
    return found


def _event(step: int, attempt: int, values: Mapping[str, Any]) -> Event:
    return Event(step, attempt, {name: untagged(value) for name, value in values.items()})


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise InvalidInput(f"the name of a metric is {_SHORT.repr(name)}, expected a text; nothing was logged")
    return str.__str__(name)  # of a member of an enumeration its value


def _number(name: str, value: object) -> Json:
    try:
        return tagged(used_as_number(value))
    except (TypeError, ValueError):
        raise InvalidInput(
            f"the metric {name!r} is {_SHORT.repr(value)}, expected a number; nothing was logged"
        ) from None


class _Short(reprlib.Repr):
    """Writes a value into an error, shortened where it is long."""

    def __init__(self) -> None:
        super().__init__()
        self.maxother = self.maxstring = 60

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002  the name of a hook
        return repr(x) if x.bit_length() <= 64 else f"an integer of {x.bit_length()} bits"


_SHORT = _Short()
