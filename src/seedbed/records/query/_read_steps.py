"""Reading the step metrics of a run: all, merged over attempts, or live as they are logged."""

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from seedbed.contracts import RunStatus
from seedbed.errors import NotFound, StoreCorrupt, StoreDamaged
from seedbed.records._store import RunView, Store
from seedbed.records.journal._frames import FrameReader
from seedbed.records.journal._step_metrics import Event, StepReader, torn_tail
from seedbed.records.snapshot._snapshot import LogHead
from seedbed.records.storage._layout import EVENTS, run_folder
from seedbed.records.storage._local import open_regular

__all__ = ["follow_events", "merged_events", "read_step_events", "run_events"]

_LOOK_EVERY_SECONDS = 0.25
_NONE = "none of its step metrics can be read"
_RESTORE = "restore the file from a copy of the store"


def read_step_events(path: Path, recorded: LogHead | None = None) -> list[Event]:
    """The events of the log at `path`, oldest first; changes nothing. `recorded` is the end that its commit recorded.

    Of a log that is damaged, or ends before that, the events before the damage; a warning StoreDamaged says what is
    lost, or that the log is another than the recorded one. Raises NotFound when there is no file.
    """
    try:
        reader = FrameReader(lambda: open_regular(path), path, recorded.sequence if recorded else 0)
        return list(_whole(StepReader(reader, path), path, recorded))
    except FileNotFoundError:
        raise NotFound(f"there is no log at {path}; the run may not have written one") from None


def run_events(store: Store, view: RunView) -> Iterator[Event]:
    """The events that the run has logged, oldest first; none when it logged nothing.

    Of a log that is damaged, or ends before the end that its commit recorded, the events before the damage; a warning
    StoreDamaged says what is lost, or that the log is another than the recorded one. Raises NotFound when its commit
    names a log that is missing.
    """
    recorded = view.commit.snapshot.logs.get(EVENTS) if view.commit else None
    try:
        yield from _whole(_reader(store, view, recorded), _key(view), recorded)
    except NotFound:
        if recorded:
            raise


def wait_a_moment() -> None:
    """Wait a quarter of a second."""
    time.sleep(_LOOK_EVERY_SECONDS)


def follow_events(store: Store, view: RunView, pause: Callable[[], None] = wait_a_moment) -> Iterator[Event]:
    """All events of the run, then new ones as they are logged, until its attempt ends; calls `pause` between two reads.

    A run on another machine whose store is in a bucket uploads its log only when it finishes. A warning StoreDamaged
    says where the points that were logged last cannot be read.
    Raises StoreCorrupt, with the byte offset, for a damaged record that is no torn tail.
    """
    reader = _reader(store, view)
    running = True
    while running:
        # Read before the log, so that everything logged before the end is seen.
        running = store.find(view.run_id, project=view.project, stage=view.stage).status is RunStatus.RUNNING
        with contextlib.suppress(NotFound):
            yield from reader.more()
        if running:
            pause()
    if reader.is_torn:
        warnings.warn(torn_tail(_key(view)), StoreDamaged, stacklevel=2)


def merged_events(store: Store, view: RunView) -> list[Event]:
    """All events of the run, by step, without values that a later attempt logged again. Raises as `run_events`."""
    found = list(run_events(store, view))
    newest: dict[tuple[int, str], int] = {}
    for event in found:
        for name in event.values:
            newest[event.step, name] = max(event.attempt, newest.get((event.step, name), 0))
    kept = [replace(event, values=_newest_of(event, newest)) for event in found]
    return sorted((event for event in kept if event.values), key=lambda event: event.step)


def _newest_of(event: Event, newest: Mapping[tuple[int, str], int]) -> dict[str, float]:
    return {name: value for name, value in event.values.items() if newest[event.step, name] == event.attempt}


def _whole(reader: StepReader, name: Path | str, recorded: LogHead | None) -> Iterator[Event]:
    """The events of the log `name` before its damage, of which a warning tells."""
    last, problem = None, ""
    try:
        for last in reader.more():
            yield last
    except StoreCorrupt as damage:
        problem = str(damage)
    else:
        if reader.is_torn and not recorded:
            problem = torn_tail(name)
        elif recorded and reader.head[0] < recorded.sequence:
            found = f"it holds {reader.head[0]} of the {recorded.sequence} records that its commit recorded"
            problem = f"the log {name} is cut short: {found}; {_RESTORE}"
    lost = f"what was logged after step {last.step} of attempt {last.attempt} is lost" if last else _NONE
    if not problem and recorded and reader.marked != recorded.digest:
        problem = f"the log {name} has another record {recorded.sequence} than its commit recorded; {_RESTORE}"
        lost = "these may be the step metrics of another run"
    if problem:
        warnings.warn(f"{lost}: {problem}", StoreDamaged, stacklevel=2)


def _key(view: RunView) -> str:
    return f"{run_folder(view.project, view.run_id, view.stage)}/{EVENTS}"


def _reader(store: Store, view: RunView, recorded: LogHead | None = None) -> StepReader:
    key = _key(view)
    reader = FrameReader(partial(_opened, store, key), key, recorded.sequence if recorded else 0)
    return StepReader(reader, store.work / key)


def _opened(store: Store, key: str) -> BinaryIO:
    """Open the log in the local folder, or else the one in the store. Raises NotFound."""
    try:
        return open_regular(store.work / key)
    except FileNotFoundError:
        return io.BytesIO(store.files.read(key))
