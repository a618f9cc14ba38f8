"""The closed loop: measure, decide, propose through guards, let the next measurement judge, summarise."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol, final

from seedbed.change import ChangeEngine, ChangeRecord, Kind, SettingsFile
from seedbed.change._rollback import ROLLBACK
from seedbed.errors import ContractBroken, StoreCorrupt
from seedbed.soak._controller import IterationDecision
from seedbed.soak._delivery import FileReader
from seedbed.soak._evidence import GENESIS, Ending, Evidence, Measured, head_of, parse_evidence
from seedbed.soak._folder import SoakFolder
from seedbed.soak._iteration_summary import summarise
from seedbed.soak._iterations import DecidedIteration, decided_iterations, episodes
from seedbed.soak._metrics import SoakCounts
from seedbed.soak._plan import Assembly
from seedbed.soak._reports import counts_of
from seedbed.soak._tally import tally
from seedbed.soak.verify._outcome import was_made

__all__ = ["Soak", "SoakObserver", "SoakProgress"]


@dataclass(frozen=True, slots=True)
class SoakProgress:
    """One more iteration is measured and tuned: its decision and the changes proposed on it, as they stand now."""

    iteration: int
    length: int
    reading: DecidedIteration
    records: tuple[ChangeRecord, ...]


class SoakObserver(Protocol):
    """Told how a soak gets on. Watching changes nothing."""

    def iterated(self, progress: SoakProgress) -> None:
        """One more iteration."""

    def noted(self, text: str) -> None:
        """Something worth a line."""


@final
class Soak:
    """Runs a soak in its folder from wherever it stands: at its beginning, or where a process ended.

    The state of a soak is its two logs. What was measured is measured again when it is resumed, which brings the plants
    to where they were, and must come out the same. Raises StoreCorrupt when it does not, or when a log was altered,
    Conflict when another process runs it, and ContractBroken when a crash left a change of which nobody can say whether
    it was made.
    """

    def __init__(self, folder: SoakFolder, assembly: Assembly, observer: SoakObserver) -> None:
        self._folder, self._registry, self._observer = folder, assembly.registry, observer
        self._plan = folder.plan()
        with ExitStack() as opened:
            opened.enter_context(folder.held())
            self._changes = opened.enter_context(folder.open_changes())
            evidence = opened.enter_context(folder.open_evidence())
            for log in (self._changes, evidence):
                if log.torn_bytes:
                    observer.noted(f"{log.path.name}: cut off {log.torn_bytes} bytes of a record that was never whole")
            self._evidence = Evidence(evidence)
            self._rig, self._course = assembly.rig(self._plan), assembly.course(self._plan)
            reader = FileReader(folder.settings_path, self._registry, self._rig, self._evidence.held)
            self._file = SettingsFile(folder.settings_path, self._registry, reader)
            self._ramp_down = assembly.profile.ramp_down
            self._num_summarised, self._previous = 0, GENESIS
            self._readings = self._begin(reader)
            self._opened = opened.pop_all()

    def counts(self) -> SoakCounts:
        """How it stands, as metrics: what was proposed in the last iteration is not settled, and in no count."""
        told = list(episodes(self._readings, self._engine.history, self._engine.state_hash()))[:-1]
        records = [record for _, record in parse_evidence(self._evidence.entries())]
        observed = [reading.decision.observation.kpis for reading in self._readings[-1:]]
        counted = tally(told, records, self._registry)
        return counts_of(self._plan.soak_id, counted, observed, freeze_ready=False)

    @property
    def engine(self) -> ChangeEngine:
        """What changes the settings."""
        return self._engine

    def run(self, stop: Callable[[], bool], time_is_up: Callable[[], bool]) -> bool:
        """Every iteration that is left; False when `stop` was asked for before the last, to be resumed some time.

        Once `time_is_up`, the soak ramps down and ends.
        """
        while len(self._readings) < self._course.length:
            if stop():
                return False
            if time_is_up():
                self._end_early()
            self._iterate()
        self._engine.close()
        self._summarise(all_of_them=True)
        return True

    def close(self) -> None:
        """Let its files go."""
        self._opened.close()

    def _begin(self, reader: FileReader) -> list[DecidedIteration]:
        entries = self._evidence.entries()
        is_new = not self._folder.settings_path.exists()
        if is_new and entries:
            raise StoreCorrupt(f"{self._folder.settings_path} is missing, though the soak has begun; restore it")
        if is_new:
            self._file.create(self._rig.initial)
        self._engine = ChangeEngine(self._changes, self._file, self._registry)
        if not entries:
            reader.reload()
            return []
        records = [record for _, record in parse_evidence(entries)]
        for record in records:
            reader.repeat(record)
        return self._go_on(reader, [record for record in records if isinstance(record, Measured)])

    def _go_on(self, reader: FileReader, measured: Sequence[Measured]) -> list[DecidedIteration]:
        """Settle what a crash left open, and do what was to follow the last measurement."""
        last = measured[-1] if measured else None
        step = 0 if last is None else last.iteration
        # Effects are noted before anything is proposed: with a proposal, all that the last measurement showed is known.
        history = self._engine.history
        seen = step if any(each.step == step for each in (*history.records, *history.superseded)) else max(0, step - 1)
        self._engine.recover(seen)
        self._recall(seen)
        reader.reload()  # whatever the file holds now, the plant holds too
        if last is not None and seen < step:
            self._file.note_use(last.plant.used)
        found = decided_iterations(self._course, self._evidence.entries(), self._changes.entries())
        self._require_known(has_ended=len(found) >= self._course.length)
        self._observer.noted(f"resumed after iteration {step}; everything measured came out the same again")
        if found:
            self._act(found[-1].decision)
        return found

    def _recall(self, seen: int) -> None:
        """Let what is still watched be as far on as it was: `seen` iterations had shown their effects."""
        for key in self._registry.keys():  # noqa: SIM118  not a mapping
            if (record := self._engine.history.held(key)) is not None:
                is_seen = record.phase is Kind.EFFECTIVE
                self._file.resume_watch(key, former=record.before, waited_steps=seen - record.step, seen=is_seen)

    def _iterate(self) -> None:
        iteration = len(self._readings) + 1
        changes, state_hash = head_of(self._changes.entries()), self._engine.state_hash()
        plant, control = self._rig.measure(iteration)
        measured = Measured(iteration, state_hash, plant, control, changes)
        self._evidence.measured(measured)
        self._file.note_use(plant.used)
        self._require_known()
        reading = DecidedIteration(measured, self._evidence.head, self._course.observe(measured, self._engine.history))
        self._readings.append(reading)
        records = self._act(reading.decision)
        self._summarise()
        self._observer.iterated(SoakProgress(iteration, self._course.length, reading, records))

    def _act(self, decision: IterationDecision) -> tuple[ChangeRecord, ...]:
        """Carry a decision out, or as much of it as does not stand yet."""
        iteration = decision.iteration
        standing = [each.delta.proposer == ROLLBACK for each in self._engine.history.at_step(iteration)]
        back = self._engine.rollback(iteration) if decision.lost and True not in standing else ()
        if not decision.deltas or False in standing:
            return back
        return (*back, *self._engine.propose_all(decision.deltas, iteration, rules=decision.rules))

    def _require_known(self, *, has_ended: bool = False) -> None:
        """No change is UNKNOWN. One that was made, and waited for its use when the soak ended, is left to the gate."""
        for record in self._engine.history.in_phase(Kind.UNKNOWN):
            if not (has_ended and was_made(record)):
                move = f"{record.delta.parameter}, {record.before:g} -> {record.after:g}"
                raise ContractBroken(
                    f"change {record.id} of {move}, is UNKNOWN: {record.reason}; look at what the plant runs with, and "
                    "begin a new soak"
                )

    def _end_early(self) -> None:
        length = len(self._readings) + self._ramp_down
        if length < self._course.length:
            self._evidence.ending(Ending(length))
            self._course.end_after(length)

    def _summarise(self, *, all_of_them: bool = False) -> None:
        """Write the artifact of every iteration whose changes are settled, in order."""
        state_hash, last = self._engine.state_hash(), len(self._readings)
        for episode in episodes(self._readings, self._engine.history, state_hash, first=self._num_summarised):
            is_settled = all(record.phase is not Kind.APPLIED for record in episode.records)
            if not all_of_them and (episode.measured.iteration == last or not is_settled):
                return
            summary = summarise(self._plan.soak_id, episode, self._registry, self._previous)
            self._folder.write(self._folder.summary_path(summary.iteration).name, summary)
            self._previous = summary.digest()
            self._num_summarised += 1
