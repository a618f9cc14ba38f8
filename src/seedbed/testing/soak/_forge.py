"""Tools to falsify a finished soak and hide it: sign logs again, correct the seals, write the files again.

They write files as the soak itself does, so that only the content is wrong, never the form.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from seedbed.dashboard import soak_drawing
from seedbed.errors import SeedbedError
from seedbed.gate import exposition, gate_metrics
from seedbed.records import atomic_write_json, digest, read_journal
from seedbed.records.journal._frames import frame
from seedbed.soak import SoakFolder, assemble, soak_metrics
from seedbed.soak._evidence import GENESIS
from seedbed.soak._readback import SoakReadback, iteration_summaries, read_soak
from seedbed.soak.reports._reports import judge_readback, post_soak_snapshot, soak_counts, tuning_report
from seedbed.soak.verify._page import verification_page
from seedbed.soak.verify._verification import SoakVerification

__all__ = ["Logs", "UnsignedRecord", "reframe", "reseal", "rewrite", "set_settings", "summaries"]

JsonObject = dict[str, Any]


@dataclass(slots=True)
class UnsignedRecord:
    """One record of a log, without its sequence and digest."""

    kind: str
    payload: JsonObject

    def is_about(self, change_id: int) -> bool:
        """Whether it belongs to that change."""
        return self.payload.get("id") == change_id


@final
@dataclass(slots=True)
class Logs:
    """Both logs of a soak, to alter and sign again. Each measurement keeps its position among the changes."""

    folder: Path
    changes: list[UnsignedRecord] = field(default_factory=list)
    evidence: list[UnsignedRecord] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> "Logs":
        """Read the logs of a soak."""
        read = (
            [UnsignedRecord(each.kind, dict(each.payload)) for each in read_journal(folder / name)] for name in _NAMES
        )
        return cls(folder, *read)

    def bind(self) -> None:
        """Let the first record name the plan that is in the folder now."""
        plan = SoakFolder(self.folder).plan()
        self.evidence[0].payload.update(schema_version=plan.schema_version, plan=plan.digest())

    def at(self, *kinds: str) -> list[int]:
        """The indices of the change journal's records of these kinds."""
        return [at for at, each in enumerate(self.changes) if each.kind in kinds]

    def measured(self) -> list[int]:
        """The indices of the plant's log's measurements."""
        return [at for at, each in enumerate(self.evidence) if each.kind == "measured"]

    def remove(self, at: int) -> None:
        """Remove one record from the change journal."""
        del self.changes[at]
        self._shift(at, -1)

    def insert(self, at: int, record: UnsignedRecord) -> None:
        """Insert one record into the change journal."""
        self.changes.insert(at, record)
        self._shift(at, 1)

    def forget(self, change_id: int) -> None:
        """Remove all records of a change from the journal, and renumber the later changes."""
        for at in reversed([at for at, each in enumerate(self.changes) if each.is_about(change_id)]):
            self.remove(at)
        for record in self.changes:
            for name in ("id", "batch", "kept"):
                if record.payload.get(name, 0) > change_id:
                    record.payload[name] -= 1

    def sign(self) -> None:
        """Write both logs with correct digests, also of the journal's end that each measurement names."""
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


def reframe(path: Path, records: list[UnsignedRecord]) -> list[str]:
    """Write a log of these records. Returns the digests of its chain after 0, 1, 2, ... records."""
    head, lines = (0, GENESIS), []
    digests = [head[1]]
    for record in records:
        data, entry = frame(head, record.kind, record.payload)
        head = (entry.sequence, entry.digest)
        lines.append(data)
        digests.append(entry.digest)
    path.write_bytes(b"".join(lines))
    return digests


def reseal(path: Path, alter: Callable[[JsonObject], None], *, seal: bool = True) -> None:
    """Alter a sealed file, and with `seal` correct its seal."""
    body = json.loads(path.read_bytes())
    old_seal = body.pop("digest")
    alter(body)
    new_seal = digest(body) if seal else old_seal
    path.write_text(json.dumps({**body, "digest": new_seal}, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def summaries(folder: Path, alter: Callable[[list[JsonObject]], None]) -> None:
    """Alter the artifacts of all iterations, then correct each one's seal and its digest of the one before."""
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
    """Write these values, of all keys, into the settings file."""
    registry = assemble(SoakFolder(folder).plan()).registry
    atomic_write_json(folder / "runtime_overrides.json", registry.document(values))


def rewrite(folder: Path) -> None:
    """Write every artifact again from the logs as they are now, each stating that nothing is wrong.

    The old ones stay when no soak can be read from the logs.
    """
    place = SoakFolder(folder)
    try:
        plan = place.plan()
        readback = read_soak(place, plan, assemble(plan))
        summaries_now = iteration_summaries(readback)
        report = tuning_report(readback)
    except (SeedbedError, AttributeError, LookupError, TypeError, ValueError):
        return
    for path in folder.glob("ITER_SUMMARY_*"):
        path.unlink()
    for summary in summaries_now:
        place.write(place.summary_path(summary.iteration), summary)
    place.write(place.tuning_report_path, report)
    _rewrite_verdict(place, readback)


def _rewrite_verdict(place: SoakFolder, readback: SoakReadback) -> None:
    report = judge_readback(readback, verified=True)
    data, sealed = soak_drawing().draw(readback, report)
    place.drawing_path.write_bytes(data)
    place.write(place.snapshot_path, post_soak_snapshot(readback, report, verified=True, drawing=sealed))
    clean = SoakVerification(readback.plan.soak_id, (), readback.tally, repeated=True, strict=True)
    place.page_path.write_text(verification_page(clean), encoding="utf-8")
    families = (*soak_metrics(soak_counts(readback)), *gate_metrics(report, {"run_id": readback.plan.soak_id}))
    place.metrics_path.write_text(exposition(families), encoding="utf-8")
