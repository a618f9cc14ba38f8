"""The closed loop of a soak: measure, decide, propose through guards, check the effects, summarise."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol, final

from seedbed.change import ChangeEngine, ChangeRecord, Kind, SettingsFile
from seedbed.change._rollback import ROLLBACK
from seedbed.errors import ContractBroken, SeedbedError, StoreCorrupt
from seedbed.records import read_journal
from seedbed.soak._controller import IterationDecision
from seedbed.soak._delivery import FileReader
from seedbed.soak._evidence import (
    GENESIS,
    EndingRecord,
    EvidenceLog,
    MeasurementRecord,
    PlanRecord,
    head_of,
    parse_evidence,
)
from seedbed.soak._folder import SoakFolder
from seedbed.soak._iteration_summary import summarise
from seedbed.soak._iterations import MeasuredIteration, decided_iterations, iteration_records
from seedbed.soak._plan import Assembly
from seedbed.soak._tally import tally
from seedbed.soak.reports._metrics import SoakCounts
from seedbed.soak.reports._reports import counts_of
from seedbed.soak.verify._outcome import was_made
from seedbed.soak.verify._resumable import require_resumable

__all__ = ["Soak", "SoakObserver", "SoakProgress"]


@dataclass(frozen=True, slots=True)
class SoakProgress:
    """One more finished iteration: its decision, and its proposed changes as they are now."""

    iteration: int
    length: int
    decided: MeasuredIteration
    records: tuple[ChangeRecord, ...]


class SoakObserver(Protocol):
    """Receives the progress of a soak. It has no influence on the soak."""

    def iterated(self, progress: SoakProgress) -> None:
        """Called after every iteration."""

    def noted(self, text: str) -> None:
        """Called with a message for the user."""


@final
class Soak:
    """Runs the soak of a folder: a new one from its first iteration, an interrupted one from where it ended.

    The state of a soak is its two logs. A resumed soak measures all its iterations again, which brings its plants back
    to their state, and must get the same samples. Raises StoreCorrupt, before anything is written, when it does not or
    when a file was altered, Conflict when another process runs this soak, and ContractBroken when it is unknown after a
    crash whether a change was made.
    """

    def __init__(self, folder: SoakFolder, assembly: Assembly, observer: SoakObserver) -> None:
        self._folder, self._registry, self._observer = folder, assembly.registry, observer
        self._plan = folder.plan()
        with ExitStack() as opened:
            opened.enter_context(folder.locked())
            require_resumable(folder, assembly)
            self._arms, self._controller = assembly.plant_arms(self._plan), assembly.controller(self._plan)
            reader = FileReader(
                folder.settings_path, self._registry, self._arms, lambda record: self._evidence.append(record)
            )
            self._repeat(reader)  # only then is a log opened, which cuts off a torn record
            self._changes = opened.enter_context(folder.open_changes())
            evidence = opened.enter_context(folder.open_evidence())
            for log in (self._changes, evidence):
                if log.torn_bytes:
                    observer.noted(f"{log.path.name}: cut off {log.torn_bytes} bytes of a record that was never whole")
            self._evidence = EvidenceLog(evidence)
            self._file = SettingsFile(folder.settings_path, self._registry, reader)
            self._ramp_down = assembly.profile.ramp_down
            self._num_summarised, self._previous = 0, GENESIS
            self._decided = self._start(reader)
            self._opened = opened.pop_all()

    def counts(self) -> SoakCounts:
        """The counts so far, for metrics. The changes of the last iteration have no outcome yet and are not counted."""
        settled = list(iteration_records(self._decided, self._engine.history, self._engine.state_hash()))[:-1]
        evidence = [record for _, record in parse_evidence(self._evidence.entries())]
        observed = [each.decision.observation.kpis for each in self._decided[-1:]]
        counted = tally(settled, evidence, self._registry)
        return counts_of(self._plan.soak_id, counted, observed, freeze_ready=False)

    @property
    def engine(self) -> ChangeEngine:
        """The engine that changes the settings."""
        return self._engine

    def run(self, stop: Callable[[], bool], time_is_up: Callable[[], bool]) -> bool:
        """Run all remaining iterations. False when `stop` returned true before the last one; resume it then.

        Once `time_is_up` returns true, the soak ramps down and ends.
        """
        while len(self._decided) < self._controller.length:
            if stop():
                return False
            if time_is_up():
                self._end_early()
            self._iterate()
        self._engine.close()
        self._write_summaries(all_of_them=True)
        return True

    def close(self) -> None:
        """Close its files and release its lock."""
        self._opened.close()

    def _repeat(self, reader: FileReader) -> None:
        """Do again what the plant's log holds, which brings the plants back to their state. Nothing is written."""
        path = self._folder.evidence_path
        for entry, record in parse_evidence(read_journal(path)) if path.exists() else ():
            try:
                reader.repeat(record)
            except (SeedbedError, ArithmeticError, LookupError, TypeError, ValueError) as problem:
                what = f"{problem}; restore the file from a copy, then resume"
                raise StoreCorrupt(f"{path}, record {entry.sequence}: {what}") from None

    def _start(self, reader: FileReader) -> list[MeasuredIteration]:
        entries = self._evidence.entries()
        if not self._folder.settings_path.exists():
            self._file.create(self._arms.initial)
        self._engine = ChangeEngine(self._changes, self._file, self._registry)
        if not entries:
            if self._plan.is_bound:
                self._evidence.append(PlanRecord(self._plan.schema_version, self._plan.digest()))
            reader.reload()
            return []
        records = [record for _, record in parse_evidence(entries)]
        return self._resume(reader, [record for record in records if isinstance(record, MeasurementRecord)])

    def _resume(self, reader: FileReader, measured: Sequence[MeasurementRecord]) -> list[MeasuredIteration]:
        """Recover what a crash left open, and carry out the decision after the last measurement."""
        last = measured[-1] if measured else None
        step = 0 if last is None else last.iteration
        # Effects are recorded before the next proposal: if there is one, the last measurement's effects are known.
        history = self._engine.history
        seen = step if any(each.step == step for each in (*history.records, *history.superseded)) else max(0, step - 1)
        self._engine.recover(seen)
        self._restore_watches(seen)
        reader.reload()  # the plant must hold what the file holds now
        if last is not None and seen < step:
            self._file.note_use(last.plant.used)
        decided = decided_iterations(self._controller, self._evidence.entries(), self._changes.entries())
        self._require_known_outcomes(has_ended=len(decided) >= self._controller.length)
        self._observer.noted(f"resumed after iteration {step}; measuring again gave the same samples")
        if decided:
            self._carry_out(decided[-1].decision)
        return decided

    def _restore_watches(self, seen: int) -> None:
        """Watch again the changes that were watched before the crash. The effects of `seen` iterations are known."""
        for key in self._registry.keys():  # noqa: SIM118  not a mapping
            if (record := self._engine.history.held(key)) is not None:
                is_seen = record.phase is Kind.EFFECTIVE
                self._file.resume_watch(key, former=record.before, waited_steps=seen - record.step, seen=is_seen)

    def _iterate(self) -> None:
        iteration = len(self._decided) + 1
        changes, state_hash = head_of(self._changes.entries()), self._engine.state_hash()
        plant, control = self._arms.measure(iteration)
        measured = MeasurementRecord(iteration, state_hash, plant, control, changes)
        self._evidence.append(measured)
        self._file.note_use(plant.used)
        self._require_known_outcomes()
        decision = self._controller.observe(measured, self._engine.history)
        decided = MeasuredIteration(measured, self._evidence.head, decision)
        self._decided.append(decided)
        records = self._carry_out(decision)
        self._write_summaries()
        self._observer.iterated(SoakProgress(iteration, self._controller.length, decided, records))

    def _carry_out(self, decision: IterationDecision) -> tuple[ChangeRecord, ...]:
        """Carry out a decision, or the part of it that is not yet in the journal.

        What was lost is rolled back first: once anything was proposed, that was done, even if nothing was to be set.
        """
        iteration = decision.iteration
        proposed = [each.delta.proposer == ROLLBACK for each in self._engine.history.at_step(iteration)]
        back = self._engine.rollback(iteration) if decision.lost and not proposed else ()
        if not decision.deltas or False in proposed:
            return back
        return (*back, *self._engine.propose_all(decision.deltas, iteration, rules=decision.rules))

    def _require_known_outcomes(self, *, has_ended: bool = False) -> None:
        """Require that no change is UNKNOWN. Once a soak has ended, the gate judges those made but not used."""
        for record in self._engine.history.in_phase(Kind.UNKNOWN):
            if not (has_ended and was_made(record)):
                move = f"{record.delta.parameter}, {record.before:g} -> {record.after:g}"
                raise ContractBroken(
                    f"change {record.id} of {move}, is UNKNOWN: {record.reason}; check which value the plant runs "
                    "with, and start a new soak"
                )

    def _end_early(self) -> None:
        length = len(self._decided) + self._ramp_down
        if length < self._controller.length:
            self._evidence.append(EndingRecord(length))
            self._controller.end_after(length)

    def _write_summaries(self, *, all_of_them: bool = False) -> None:
        """Write the artifact of every iteration whose changes have their outcomes, in order."""
        state_hash, last = self._engine.state_hash(), len(self._decided)
        for each in iteration_records(self._decided, self._engine.history, state_hash, first=self._num_summarised):
            is_settled = all(change.phase is not Kind.APPLIED for change in each.changes)
            if not all_of_them and (each.measured.iteration == last or not is_settled):
                return
            summary = summarise(self._plan.soak_id, each, self._registry, self._previous)
            self._folder.write(self._folder.summary_path(summary.iteration), summary)
            self._previous = summary.digest()
            self._num_summarised += 1
