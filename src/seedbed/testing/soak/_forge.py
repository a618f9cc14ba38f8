"""Tools of somebody who alters a finished soak and covers it up: logs signed again, seals made right, files rewritten.

They write as the soak itself does, so that what they leave is wrong in what it says, never in its form.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from seedbed.errors import SeedbedError
from seedbed.gate import exposition, gate_metrics
from seedbed.records import atomic_write_json, digest, read_journal
from seedbed.records.journal._frames import frame
from seedbed.soak import SoakFolder, assemble, soak_metrics
from seedbed.soak._evidence import GENESIS
from seedbed.soak._readback import SoakReadback, account, iteration_summaries
from seedbed.soak._reports import judge_soak, post_soak, soak_counts, tuning_report
from seedbed.soak.verify._page import verification_page
from seedbed.soak.verify._verification import SoakVerification

__all__ = ["Logs", "Record", "reframe", "reseal", "rewrite", "set_settings", "summaries"]

Json = dict[str, Any]


@dataclass(slots=True)
class Record:
    """One record of a log, without what chains it to the one before."""

    kind: str
    payload: Json

    def is_about(self, change_id: int) -> bool:
        """Whether it tells of that change."""
        return self.payload.get("id") == change_id


@final
@dataclass(slots=True)
class Logs:
    """Both logs of a soak, to be altered and signed again. Each measurement keeps its place among the changes."""

    folder: Path
    changes: list[Record] = field(default_factory=list)
    evidence: list[Record] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> "Logs":
        """The logs as they stand."""
        read = ([Record(each.kind, dict(each.payload)) for each in read_journal(folder / name)] for name in _NAMES)
        return cls(folder, *read)

    def at(self, *kinds: str) -> list[int]:
        """Where the change journal holds records of these kinds, counted from 0."""
        return [at for at, each in enumerate(self.changes) if each.kind in kinds]

    def measured(self) -> list[int]:
        """Where the plant's log holds the iterations, counted from 0."""
        return [at for at, each in enumerate(self.evidence) if each.kind == "measured"]

    def remove(self, at: int) -> None:
        """Take one record out of the change journal."""
        del self.changes[at]
        self._shift(at, -1)

    def insert(self, at: int, record: Record) -> None:
        """Put one record into the change journal."""
        self.changes.insert(at, record)
        self._shift(at, 1)

    def forget(self, change_id: int) -> None:
        """Take all that is told of a change out of the journal, and close the gap in the numbers."""
        for at in reversed([at for at, each in enumerate(self.changes) if each.is_about(change_id)]):
            self.remove(at)
        for record in self.changes:
            for name in ("id", "batch", "kept"):
                if record.payload.get(name, 0) > change_id:
                    record.payload[name] -= 1

    def sign(self) -> None:
        """Write both logs, every digest right, and every measurement's word on where the changes stood."""
        digests = reframe(self.folder / "changes.log", self.changes)
        for at in self.measured():
            head = self.evidence[at].payload["changes"]
            head["digest"] = digests[min(head["sequence"], len(digests) - 1)]
        reframe(self.folder / "evidence.log", self.evidence)

    def _shift(self, at: int, by: int) -> None:
        for measured in self.measured():
            head = self.evidence[measured].payload["changes"]
            if head["sequence"] > at:
                head["sequence"] += by


_NAMES = ("changes.log", "evidence.log")


def reframe(path: Path, records: list[Record]) -> list[str]:
    """Write a log of these records; where its chain stands after 0, 1, 2, ... of them."""
    head, lines = (0, GENESIS), []
    digests = [head[1]]
    for record in records:
        data, entry = frame(head, record.kind, record.payload)
        head = (entry.sequence, entry.digest)
        lines.append(data)
        digests.append(entry.digest)
    path.write_bytes(b"".join(lines))
    return digests


def reseal(path: Path, alter: Callable[[Json], None], *, seal: bool = True) -> None:
    """Alter a sealed file, and make its seal right again."""
    body = json.loads(path.read_bytes())
    told = body.pop("digest")
    alter(body)
    told = digest(body) if seal else told
    path.write_text(json.dumps({**body, "digest": told}, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def summaries(folder: Path, alter: Callable[[list[Json]], None]) -> None:
    """Alter the artifacts of all iterations, and make each name the one before again."""
    paths = [folder / f"ITER_SUMMARY_{n}.json" for n in range(1, 1 + len(list(folder.glob("ITER_SUMMARY_*.json"))))]
    bodies = [json.loads(path.read_bytes()) for path in paths]
    alter(bodies)
    previous = GENESIS
    for path, body in zip(paths, bodies, strict=True):
        body.pop("digest", None)
        body["previous"], previous = previous, ""
        previous = digest(body)
        path.write_text(json.dumps({**body, "digest": previous}, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def set_settings(folder: Path, values: dict[str, float]) -> None:
    """Put these settings, of all keys, into the file."""
    registry = assemble(SoakFolder(folder).plan()).registry
    atomic_write_json(folder / "runtime_overrides.json", registry.document(values))


def rewrite(folder: Path) -> None:
    """Write every artifact anew from the logs as they are now, each saying that all is well.

    Leaves the old ones where no soak can be read from the logs.
    """
    place = SoakFolder(folder)
    try:
        plan = place.plan()
        found = account(place, plan, assemble(plan))
        told = iteration_summaries(found)
        report = tuning_report(found)
    except (SeedbedError, AttributeError, LookupError, TypeError, ValueError):
        return
    for path in folder.glob("ITER_SUMMARY_*"):
        path.unlink()
    for summary in told:
        place.write(place.summary_path(summary.iteration).name, summary)
    place.write("TUNING_REPORT.json", report)
    _rewrite_verdict(place, found)


def _rewrite_verdict(place: SoakFolder, found: SoakReadback) -> None:
    report = judge_soak(found, verified=True)
    place.write("POST_SOAK_SNAPSHOT.json", post_soak(found, report, verified=True))
    clean = SoakVerification(found.plan.soak_id, (), found.tally, repeated=True, strict=True)
    (place.path / "DELTA_VERIFY_REPORT.md").write_text(verification_page(clean), encoding="utf-8")
    families = (*soak_metrics(soak_counts(found)), *gate_metrics(report, {"run_id": found.plan.soak_id}))
    (place.path / "POST_SOAK_METRICS.prom").write_text(exposition(families), encoding="utf-8")
