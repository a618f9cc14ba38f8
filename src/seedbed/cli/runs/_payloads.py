"""The blobs and logs of a commit that are not in the store any more: expired by retention, or lost."""

from collections.abc import Iterator
from dataclasses import dataclass

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records import Commit, Event, Expiries, RunView, Store, merged_events, run_events
from seedbed.records.storage import EVENTS

__all__ = ["Missing", "expiry_of", "missing_payloads", "read_steps"]

_STEPS = f"the step metrics ({EVENTS})"


@dataclass(frozen=True)
class Missing:
    """The names of the payloads that `expiry` says expired, and of those that are `lost`."""

    expiry: str | None
    expired: list[str]
    lost: list[str]

    def lines(self) -> Iterator[str]:
        """What is missing and why, a line for each reason."""
        if self.expired:
            yield f"{self.expiry}: {', '.join(self.expired)}"
        if self.lost:
            yield f"lost: {', '.join(self.lost)}; `seedbed runs fsck` says what can be done"


def missing_payloads(store: Store, view: RunView, commit: Commit) -> Missing:
    """Those of the blobs and logs that `commit`, of `view`, names and of which there is no file. None is read."""
    snapshot, expiry = commit.snapshot, expiry_of(store, commit)
    folder = view.folder.relative_to(store.work).as_posix()
    there = {item.key for item in store.files.list(folder)}
    logs = {name for name in snapshot.logs if f"{folder}/{name}" not in there}
    diffs = {"diff_prev": snapshot.diff_prev.details, "diff_baseline": snapshot.diff_baseline.details}
    blobs = {f"blob {name}": digest for name, digest in sorted(snapshot.blobs.items())}
    blobs |= {f"the full list of {name}": digest for name, digest in diffs.items() if digest}
    may_expire = [_STEPS] if EVENTS in logs else []
    may_expire += [name for name, digest in blobs.items() if not _has_blob(store, digest)]
    never = [f"the log {name}" for name in sorted(logs - {EVENTS})]
    return Missing(expiry, may_expire, never) if expiry else Missing(None, [], may_expire + never)


def read_steps(store: Store, view: RunView, *, merged: bool = False) -> Iterator[Event]:
    """What the run logged at its steps, as `run_events`, or as `merged_events` with `merged=True`.

    Where its log is missing, raises NotFound that says when and by which rule it expired, else StoreCorrupt.
    """
    try:
        yield from (merged_events if merged else run_events)(store, view)
    except NotFound as problem:
        expiry = view.commit and expiry_of(store, view.commit)
        if expiry:
            raise NotFound(f"the step metrics of run {view.run_id} {expiry}") from None
        told = f"the step metrics of run {view.run_id} are lost: {problem}; see `seedbed runs fsck`"
        raise StoreCorrupt(told) from None


def expiry_of(store: Store, commit: Commit) -> str | None:
    """When, and by which rule of retention, the blobs and step log of `commit` expired; None where they have not."""
    found = Expiries(store.files, commit.snapshot.project).by_commit().get(commit.digest)
    return None if found is None else str(found)


def _has_blob(store: Store, digest: str) -> bool:
    try:
        store.blobs.key(digest)
    except NotFound:
        return False
    return True
