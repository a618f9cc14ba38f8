"""The log of expiries: which commits lost their blobs and step logs, by which retention rule and when.

Each record is sealed, numbered, and published before anything is deleted. So a missing blob or step log can always be
explained by its rule and time, and is not mistaken for damage.
"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from seedbed.contracts import Message, Stage
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records.canonical._canonical import plain
from seedbed.records.canonical._seal import seal
from seedbed.records.maintenance._retention import RetentionRule
from seedbed.records.storage._files import Files
from seedbed.records.storage._layout import expiries_folder
from seedbed.records.storage._numbered_log import NumberedLog, parsed

__all__ = ["Expired", "Expiries", "Expiry"]

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
        self._records = NumberedLog(files, expiries_folder(project))

    def key(self, seq: int) -> str:
        """The key of record `seq` in the store."""
        return self._records.key(seq)

    def read(self, seq: int) -> Expiry:
        """Record `seq`. Raises NotFound, StoreCorrupt when it is damaged, InvalidInput for one of a later version."""
        return parsed(Expiry, self._records.read(seq).body, self.key(seq))

    def history(self) -> list[Expiry]:
        """Every record, oldest first. Raises StoreCorrupt when one is missing or damaged, InvalidInput as `read`."""
        self._records.require_gapless()
        found: list[Expiry] = []
        while True:
            try:
                found.append(self.read(len(found) + 1))
            except NotFound:
                return found

    def by_commit(self) -> dict[str, Expiry]:
        """The first expiry of each expired commit, by the digest of the commit. Raises as `history`."""
        return {item.digest: record for record in reversed(self.history()) for item in record.commits}

    def record(self, commits: Sequence[Expired], rule: RetentionRule, now: datetime) -> Expiry:
        """Record durably that `commits` expire. Raises StoreUnavailable."""
        expiry = Expiry(timestamp=now, rule=rule, commits=tuple(commits))
        data, _ = seal(plain(expiry.model_dump(mode="json")))
        seq = len(self.history()) + 1
        while not self._records.publish(seq, data):
            if len(self.history()) < seq:
                raise StoreCorrupt(f"{self.key(seq)} is taken but cannot be read; run `seedbed runs fsck`")
            seq = len(self.history()) + 1
        return expiry
