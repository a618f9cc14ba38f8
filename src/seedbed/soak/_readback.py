"""A whole soak read back from its two logs: the one source that artifacts, verification and gate rest on."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from seedbed.change import ChangeHistory
from seedbed.change._history import fold
from seedbed.errors import StoreCorrupt
from seedbed.records import Entry, read_journal, read_json_with_hash
from seedbed.soak._evidence import GENESIS, Head, Record, head_of, parse_evidence
from seedbed.soak._folder import SoakFolder
from seedbed.soak._iteration_summary import IterationSummary, summarise
from seedbed.soak._iterations import IterationRecord, decided_iterations, episodes
from seedbed.soak._plan import Assembly, SoakPlan
from seedbed.soak._tally import SoakTally, tally

__all__ = ["SoakReadback", "account", "iteration_summaries"]


@dataclass(frozen=True, slots=True)
class SoakReadback:
    """What the logs of a soak tell, and what follows from them. `final_hash` is the state of the settings file."""

    plan: SoakPlan
    assembly: Assembly
    changes: Sequence[Entry]
    evidence: Sequence[Entry]
    records: Sequence[Record]
    history: ChangeHistory
    told: Sequence[IterationRecord]
    tally: SoakTally
    length: int
    final_hash: str

    @property
    def heads(self) -> dict[str, Head]:
        """Where both logs end."""
        return {"changes": head_of(self.changes), "evidence": head_of(self.evidence)}

    @property
    def is_finished(self) -> bool:
        """Whether every iteration was measured."""
        return len(self.told) >= self.length


def account(folder: SoakFolder, plan: SoakPlan, assembly: Assembly) -> SoakReadback:
    """Read a soak. Raises StoreCorrupt, naming what, for logs that were altered or contradict each other; NotFound."""
    changes, evidence = _log(folder.changes_path), _log(folder.evidence_path)
    course = assembly.course(plan)
    found = decided_iterations(course, evidence, changes)
    history = fold(changes)
    _, final_hash = read_json_with_hash(folder.settings_path)
    told = tuple(episodes(found, history, final_hash))
    records = [record for _, record in parse_evidence(evidence)]
    counted = tally(told, records, assembly.registry)
    return SoakReadback(plan, assembly, changes, evidence, records, history, told, counted, course.length, final_hash)


def iteration_summaries(account: SoakReadback) -> list[IterationSummary]:
    """Every iteration's artifact, each naming the digest of the one before."""
    found: list[IterationSummary] = []
    previous = GENESIS
    for episode in account.told:
        found.append(summarise(account.plan.soak_id, episode, account.assembly.registry, previous))
        previous = found[-1].digest()
    return found


def _log(path: Path) -> list[Entry]:
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
