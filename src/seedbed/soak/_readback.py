"""A soak read back from its two logs. Artifacts, verification and gate all use it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from seedbed.change import ChangeHistory
from seedbed.change._history import fold
from seedbed.errors import StoreCorrupt
from seedbed.records import Entry, read_journal, read_json_with_hash
from seedbed.soak._evidence import GENESIS, EvidenceRecord, Head, head_of, parse_evidence
from seedbed.soak._folder import SoakFolder
from seedbed.soak._iteration_summary import IterationSummary, summarise
from seedbed.soak._iterations import IterationRecord, decided_iterations, iteration_records
from seedbed.soak._plan import Assembly, SoakPlan
from seedbed.soak._tally import SoakTally, tally

__all__ = ["SoakReadback", "iteration_summaries", "read_soak"]


@dataclass(frozen=True, slots=True)
class SoakReadback:
    """A soak as its two logs record it, with what follows from them. `final_hash` is the state of its settings file."""

    plan: SoakPlan
    assembly: Assembly
    changes: Sequence[Entry]
    evidence: Sequence[Entry]
    evidence_records: Sequence[EvidenceRecord]
    history: ChangeHistory
    iterations: Sequence[IterationRecord]
    tally: SoakTally
    length: int
    final_hash: str

    @property
    def heads(self) -> dict[str, Head]:
        """The ends of both logs, by name."""
        return {"changes": head_of(self.changes), "evidence": head_of(self.evidence)}

    @property
    def is_finished(self) -> bool:
        """Whether every iteration was measured."""
        return len(self.iterations) >= self.length


def read_soak(folder: SoakFolder, plan: SoakPlan, assembly: Assembly) -> SoakReadback:
    """Read a soak from its logs.

    Raises StoreCorrupt, with the place, for logs that were altered or contradict each other, and NotFound.
    """
    changes, evidence = _read_log(folder.changes_path), _read_log(folder.evidence_path)
    controller = assembly.controller(plan)
    decided = decided_iterations(controller, evidence, changes)
    history = fold(changes)
    _, final_hash = read_json_with_hash(folder.settings_path)
    iterations = tuple(iteration_records(decided, history, final_hash))
    records = [record for _, record in parse_evidence(evidence)]
    return SoakReadback(
        plan=plan,
        assembly=assembly,
        changes=changes,
        evidence=evidence,
        evidence_records=records,
        history=history,
        iterations=iterations,
        tally=tally(iterations, records, assembly.registry),
        length=controller.length,
        final_hash=final_hash,
    )


def iteration_summaries(readback: SoakReadback) -> list[IterationSummary]:
    """The artifact of every iteration, in order. Each one holds the digest of the one before."""
    summaries: list[IterationSummary] = []
    previous = GENESIS
    for iteration in readback.iterations:
        summaries.append(summarise(readback.plan.soak_id, iteration, readback.assembly.registry, previous))
        previous = summaries[-1].digest()
    return summaries


def _read_log(path: Path) -> list[Entry]:
    entries = read_journal(path)
    for entry in entries:
        if not _is_finite(entry.payload):
            raise StoreCorrupt(f"{path.name}, record {entry.sequence}: a number is not finite; restore it from a copy")
    return entries


def _is_finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or isfinite(value)
