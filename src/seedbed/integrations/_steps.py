"""The step metrics of a commit, as they stand: each value of the last attempt that logged it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from seedbed.records import Commit, Event, Store, read_events

__all__ = ["standing_events"]

_LOG = "events.log"


def standing_events(store: Store, commit: Commit) -> list[Event]:
    """What the run logged, oldest step first, without what a later attempt logged again.

    Raises NotFound when the commit vouches for a log that is gone, and StoreCorrupt.
    """
    if _LOG not in commit.snapshot.logs:
        return []
    events = _events(store, commit)
    newest: dict[tuple[int, str], int] = {}
    for event in events:
        for name in event.values:
            newest[event.step, name] = max(event.attempt, newest.get((event.step, name), 0))
    kept = [
        Event(
            event.step,
            event.attempt,
            {name: value for name, value in event.values.items() if newest[event.step, name] == event.attempt},
        )
        for event in events
    ]
    return sorted((event for event in kept if event.values), key=lambda event: event.step)


def _events(store: Store, commit: Commit) -> Sequence[Event]:
    snapshot = commit.snapshot
    path = store.folder(snapshot.project, snapshot.run_id, snapshot.stage) / _LOG
    if path.exists():
        return read_events(path)
    key = f"runs/{snapshot.project}/{snapshot.run_id}/{snapshot.stage.value}/{_LOG}"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / _LOG
        copy.write_bytes(store.files.read(key))
        return read_events(copy)
