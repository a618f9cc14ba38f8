"""The log of expiries: which commits lost their blobs and step logs, by which retention rule and when.

Each record is sealed, numbered, and published before anything is deleted. So a missing blob or step log can always be
explained by its rule and time, and is not mistaken for damage.
"""

import warnings
from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from seedbed.contracts import Message, Stage
from seedbed.errors import InvalidInput, StoreCorrupt, StoreDamaged
from seedbed.records._store import Store
from seedbed.records.canonical._canonical import plain
from seedbed.records.canonical._seal import seal
from seedbed.records.maintenance._retention import RetentionRule
from seedbed.records.snapshot._commit import Commit
from seedbed.records.storage._files import Files
from seedbed.records.storage._layout import expiries_folder
from seedbed.records.storage._numbered_log import LostRecord, NumberedLog, Sealed, advised, parsed, slot_taken

__all__ = ["Expired", "Expiries", "Expiry", "expire_copies"]

_SCHEMA_VERSION = 1


class Expired(Message):
    """One commit whose blobs and step logs have expired; `digest` is the digest of the commit."""

    snapshot_seq: int
    digest: str
    run_id: str
    stage: Stage


class Expiry(Message):
    """One record of the log: the commits of a project that expired at one time by one rule."""

    schema_version: int = _SCHEMA_VERSION
    timestamp: datetime
    rule: RetentionRule
    commits: tuple[Expired, ...] = Field(min_length=1)

    def __str__(self) -> str:
        return f"expired on {self.timestamp:%Y-%m-%d} by rule {self.rule}"


class Expiries:
    """The expiries of one project. A record is never changed."""

    def __init__(self, files: Files, project: str) -> None:
        self._files = files
        self._records = NumberedLog(files, expiries_folder(project))

    def key(self, seq: int) -> str:
        """The key of record `seq` in the store."""
        return self._records.key(seq)

    def read(self, seq: int) -> Expiry:
        """Record `seq`. Raises NotFound, StoreCorrupt when it is damaged, InvalidInput for one of a later version."""
        return parsed(Expiry, self._records.read(seq).body, self.key(seq))

    def history(self) -> list[Expiry]:
        """Every record that can be read, oldest first; of another one a warning StoreDamaged tells."""
        return [found for found in self._followed() if isinstance(found, Expiry)]

    def by_commit(self) -> dict[str, Expiry]:
        """The first expiry of each expired commit, by the digest of the commit; as `history`."""
        return {item.digest: record for record in reversed(self.history()) for item in record.commits}

    def record(self, commits: Sequence[Expired], rule: RetentionRule, now: datetime) -> Expiry:
        """Record durably that `commits` expire. Raises StoreUnavailable."""
        expiry = Expiry(timestamp=now, rule=rule, commits=tuple(commits))
        data, _ = seal(plain(expiry.model_dump(mode="json")))
        seq = len(self._followed()) + 1
        while not self._records.publish(seq, data):
            taken, seq = seq, len(self._followed()) + 1
            if seq <= taken:
                raise slot_taken(self.key(taken))
        return expiry

    def _followed(self) -> list[Expiry | LostRecord]:
        records: list[Expiry | LostRecord] = []
        log = NumberedLog(self._files, self._records.folder)  # which finds anew how far it goes
        while found := log.follow(len(records) + 1):
            records.append(self._parsed(found))
        return records

    def _parsed(self, found: Sealed | LostRecord) -> Expiry | LostRecord:
        if isinstance(found, Sealed):
            try:
                return parsed(Expiry, found.body, self.key(found.seq))
            except (StoreCorrupt, InvalidInput) as problem:
                found = LostRecord(found.seq, str(problem))
        if not found.is_known:
            why = "what it let expire seems to be missing"
            warnings.warn(f"passed over: {advised(found.problem, why)}", StoreDamaged, stacklevel=2)
        return found


def expire_copies(store: Store, project: str, copies: Sequence[tuple[Commit, Expiry]]) -> None:
    """Record that the `copies` have expired, each as that of which it is one has. Raises StoreUnavailable."""
    here = Expiries(store.files, project)
    known = here.by_commit()
    alike: dict[tuple[datetime, str], tuple[Expiry, list[Expired]]] = {}
    for made, expiry in copies:
        if made.digest not in known:
            snapshot = made.snapshot
            gone = Expired(snapshot_seq=made.seq, digest=made.digest, run_id=snapshot.run_id, stage=snapshot.stage)
            alike.setdefault((expiry.timestamp, repr(expiry.rule)), (expiry, []))[1].append(gone)
    for expiry, commits in alike.values():
        here.record(commits, expiry.rule, expiry.timestamp)
