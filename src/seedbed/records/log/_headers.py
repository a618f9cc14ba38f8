"""The fields that are needed to find a commit, of all commits of a project, in columns: 100,000 load in a moment."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from seedbed.contracts import Stage
from seedbed.records.log._made_order import made_order
from seedbed.records.snapshot._digests import replicates_digest

__all__ = ["Header", "Headers", "header_of"]


@dataclass(frozen=True)
class Header:
    """The header of one commit. `group` is the digest of its comparison group, `replicates` of its replicates.

    `timestamp` is as it was recorded, in ISO 8601.
    """

    seq: int
    run_id: str
    stage: Stage
    attempt: int
    cohort_id: str
    group: str
    replicates: str
    timestamp: str
    is_copy: bool

    @property
    def key(self) -> str:
        """The key of the commit: a second commit with the same key and content is a no-op."""
        return f"{self.run_id}:{self.stage.value}:{self.attempt}"


def header_of(body: Mapping[str, Any]) -> Header:
    """The header of a commit's `body` in the current schema. Raises KeyError, TypeError or ValueError if it is none."""
    _moment(body["timestamp"])
    return Header(
        seq=body["snapshot_seq"],
        run_id=body["run_id"],
        stage=Stage(body["stage"]),
        attempt=body["attempt_id"],
        cohort_id=body["metadata"]["cohort_id"],
        group=body["digests"]["comparison_group"],
        replicates=replicates_digest(body),
        timestamp=body["timestamp"],
        is_copy=bool(body.get("origin")),
    )


class Headers:
    """The headers of commits 1 to n, with the look-ups that writers and readers need.

    A number may be lost, when its commit cannot be read: no look-up finds it, and iterating passes over it.
    """

    def __init__(self) -> None:
        self._keys: list[str] = []  # "" for a lost number
        self._cohorts = _Column()
        self._groups = _Column()
        self._replicates = _Column()
        self._timestamps: list[str] = []
        self._copies: set[int] = set()
        self._newest_of_stage: dict[str, int] = {}
        self._earlier: dict[int, int] = {}  # the commit before it of the same run and stage, where there is one
        self._num_lost = 0

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> "Headers":
        """The headers from what `columns` returned. Raises KeyError, TypeError, ValueError or IndexError."""
        headers = cls()
        headers._keys = list(map(str, columns["keys"]))
        headers._cohorts, headers._groups, headers._replicates = (
            _Column.from_json(columns[name], len(headers._keys)) for name in ("cohorts", "groups", "replicates")
        )
        headers._timestamps, headers._copies = list(map(str, columns["timestamps"])), set(columns["copies"])
        if len(headers._timestamps) != len(headers._keys):
            raise ValueError(f"{len(headers._timestamps)} timestamps for {len(headers._keys)} rows")
        for seq, key in enumerate(headers._keys, 1):
            if key:
                headers._add_to_stage(key, seq)
        headers._num_lost = headers._keys.count("")
        return headers

    def _add_to_stage(self, key: str, seq: int) -> None:
        stage = key.rpartition(":")[0]
        earlier = self._newest_of_stage.get(stage)
        if earlier is not None:
            self._earlier[seq] = earlier
        self._newest_of_stage[stage] = seq

    def columns(self) -> dict[str, Any]:
        """The headers as JSON, for `from_columns`."""
        return {
            "keys": self._keys,
            "cohorts": self._cohorts.to_json(),
            "groups": self._groups.to_json(),
            "replicates": self._replicates.to_json(),
            "timestamps": self._timestamps,
            "copies": sorted(self._copies),
        }

    def append(self, header: Header) -> None:
        """Add the header of a later commit than all before; the numbers between are lost. Raises ValueError if not."""
        if header.seq <= self.last:
            raise ValueError(f"the header of commit {header.seq} comes after that of {self.last}")
        while self.last < header.seq - 1:
            self.append_lost()
        self._keys.append(header.key)
        self._cohorts.append(_place(header.cohort_id, header.stage))
        self._groups.append(header.group)
        self._replicates.append(header.replicates)
        self._timestamps.append(header.timestamp)
        if header.is_copy:
            self._copies.add(header.seq)
        self._add_to_stage(header.key, header.seq)

    def append_lost(self) -> None:
        """Add the next number, whose commit cannot be read."""
        self._keys.append("")
        for column in (self._cohorts, self._groups, self._replicates):
            column.append("")
        self._timestamps.append("")
        self._num_lost += 1

    def lose(self, seq: int) -> None:
        """Take out commit `seq`, which cannot be read any more."""
        stage = self._keys[seq - 1].rpartition(":")[0]
        later = next((each for each in self._of_stage(stage) if self._earlier.get(each) == seq), None)
        earlier = self._earlier.pop(seq, None)
        if later is None:
            del self._newest_of_stage[stage]
            if earlier is not None:
                self._newest_of_stage[stage] = earlier
        elif earlier is None:
            del self._earlier[later]
        else:
            self._earlier[later] = earlier
        self._keys[seq - 1] = self._timestamps[seq - 1] = ""
        for column in (self._cohorts, self._groups, self._replicates):
            column.clear(seq)
        self._copies.discard(seq)
        self._num_lost += 1

    def _of_stage(self, stage: str) -> Iterator[int]:
        """The numbers of the commits of a run's stage, written `run_id:STAGE`, newest first."""
        seq = self._newest_of_stage.get(stage)
        while seq is not None:
            yield seq
            seq = self._earlier.get(seq)

    def is_lost(self, seq: int) -> bool:
        """Whether number `seq` is lost."""
        return not self._keys[seq - 1]

    def lost(self) -> list[int]:
        """The numbers that are lost, ascending."""
        return [seq for seq, key in enumerate(self._keys, 1) if not key] if self._num_lost else []

    def newest(self) -> int | None:
        """The number of the newest commit that can be read; None when there is none."""
        return next((seq for seq in range(len(self._keys), 0, -1) if self._keys[seq - 1]), None)

    def newest_made(self) -> int | None:
        """The number of the commit that was made last, as `made_order`; None when there is none."""
        if not self._copies:
            return self.newest()
        rows = enumerate(zip(self._keys, self._timestamps, strict=True), 1)
        return made_order((seq, _moment(text), seq in self._copies) for seq, (key, text) in rows if key)[-1]

    def with_key(self, key: str) -> int | None:
        """The number of the first commit with the key `run_id:STAGE:attempt`; None when there is none."""
        same = (seq for seq in self._of_stage(key.rpartition(":")[0]) if self._keys[seq - 1] == key)
        return min(same, default=None)

    def newest_of_stage(self, run_id: str, stage: Stage) -> int | None:
        """The number of the newest commit of the run's stage, whichever attempt made it; None when there is none."""
        return self._newest_of_stage.get(f"{run_id}:{stage.value}")

    def run_id(self, seq: int) -> str:
        """The run of commit `seq`."""
        return self._keys[seq - 1].partition(":")[0]

    def run_ids(self) -> set[str]:
        """The names of all runs."""
        return {stage.partition(":")[0] for stage in self._newest_of_stage}

    def newest_of_cohort(self, cohort_id: str, stage: Stage) -> int | None:
        """The number of the newest commit of the cohort and stage; None when there is none."""
        found = self._cohorts.rows(_place(cohort_id, stage))
        return found[-1] if found else None

    def in_group(self, group: str) -> Sequence[int]:
        """The numbers of the commits of the comparison group, oldest first."""
        return self._groups.rows(group)

    def replicating(self, replicates: str) -> Sequence[int]:
        """The numbers of the commits with this digest of replicates, oldest first."""
        return self._replicates.rows(replicates)

    @property
    def last(self) -> int:
        """The newest number, lost or not; 0 when there is none."""
        return len(self._keys)

    def of(self, seq: int) -> Header:
        """The header of commit `seq`. Raises IndexError for a number that is not there, ValueError for a lost one."""
        row = range(len(self._keys))[seq - 1]
        run_id, stage, attempt = self._keys[row].split(":")
        return Header(
            seq=seq,
            run_id=run_id,
            stage=Stage(stage),
            attempt=int(attempt),
            cohort_id=self._cohorts[row].partition("/")[0],
            group=self._groups[row],
            replicates=self._replicates[row],
            timestamp=self._timestamps[row],
            is_copy=row + 1 in self._copies,
        )

    def __iter__(self) -> Iterator[Header]:
        return (self.of(seq) for seq, key in enumerate(self._keys, 1) if key)


class _Column:
    """A column of texts that repeat, each stored once, with the numbers (from 1) of the rows that hold each."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._codes: list[int] = []
        self._code_of: dict[str, int] = {}
        self._rows: dict[int, list[int]] = defaultdict(list)

    @classmethod
    def from_json(cls, found: Mapping[str, Any], num_rows: int) -> "_Column":
        column = cls()
        column._texts, column._codes = list(map(str, found["texts"])), found["codes"]
        column._code_of = {text: code for code, text in enumerate(column._texts)}
        if len(column._codes) != num_rows:
            raise ValueError(f"{len(column._codes)} codes for {num_rows} rows")
        for number, code in enumerate(column._codes, 1):
            column._rows[code].append(number)
        return column

    def to_json(self) -> dict[str, Any]:
        return {"texts": self._texts, "codes": self._codes}

    def clear(self, row: int) -> None:
        """Put the text "" into `row`, counted from 1."""
        rows = self._rows[self._codes[row - 1]]
        del rows[bisect_left(rows, row)]
        self._codes[row - 1] = self._code("")

    def append(self, text: str) -> None:
        code = self._code(text)
        self._codes.append(code)
        self._rows[code].append(len(self._codes))

    def _code(self, text: str) -> int:
        code = self._code_of.setdefault(text, len(self._texts))
        if code == len(self._texts):
            self._texts.append(text)
        return code

    def rows(self, text: str) -> Sequence[int]:
        code = self._code_of.get(text)
        return () if code is None else self._rows[code]

    def __getitem__(self, row: int) -> str:
        return self._texts[self._codes[row]]


def _place(cohort_id: str, stage: Stage) -> str:
    return f"{cohort_id}/{stage.value}"


def _moment(timestamp: str) -> datetime:
    found = datetime.fromisoformat(timestamp)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
