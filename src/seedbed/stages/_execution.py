"""One attempt of a training, as a run around its loop: validation, changes, checkpoints, and the final evaluation."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from pydantic import ValidationError
from safetensors.torch import save

from seedbed.change import ChangeRecord, LearningRate, summary
from seedbed.contracts import AuditRun, ChangeSummary, Feature
from seedbed.contracts._move import move_words
from seedbed.errors import StoreCorrupt
from seedbed.loop import Run
from seedbed.loop._attempt import Attempt
from seedbed.loop._declared import Declared
from seedbed.loop.settings import BoundSetting, Limits, LiveObjects
from seedbed.records import ActiveRun, Store
from seedbed.runtime import Contract
from seedbed.stages._baselines import BaselineScorers
from seedbed.stages._config import ChangeSettings, TrainConfig
from seedbed.stages._dataset import LinkDataset
from seedbed.stages._evaluation import CandidateDraw, Evaluation, NegativeKind, batches
from seedbed.stages._inject import Injection
from seedbed.stages._interrupt import Interruption
from seedbed.stages._intervals import ap_parts
from seedbed.stages._observer import Observer, StepReport, TrainingPhase
from seedbed.stages._progress import TrainingProgress
from seedbed.stages._proposer import Proposer, StallProposer, Validation
from seedbed.stages._trainer import Trainer
from seedbed.temporal import RankingScores

__all__ = ["CHECKPOINT", "Collaborators", "Execution", "FinishedAttempt"]

CHECKPOINT = "checkpoint.safetensors"
_LEARNING_RATE = "optimizer.lr"
_READ_KERNELS_EVERY = 25


@final
@dataclass(frozen=True)
class FinishedAttempt:
    """What a finished attempt gives to the record."""

    progress: TrainingProgress
    audit: AuditRun
    changes: ChangeSummary
    num_parameters: int
    events_per_second: float


@final
@dataclass(frozen=True)
class Collaborators:
    """The objects that act on an attempt or watch it; without a `proposer`, the job's settings decide on changes."""

    observer: Observer
    injection: Injection
    proposer: Proposer | None = None


@final
@dataclass(frozen=True)
class _RateOfJob:
    """Finds the one setting of a training, the rate of all groups, within the bounds of its configuration."""

    settings: ChangeSettings

    def find(self, objects: LiveObjects) -> Iterable[BoundSetting]:
        """The rate of the optimizer."""
        limits = Limits(self.settings.low, self.settings.high, cooldown_steps=self.settings.cooldown_steps)
        rate = LearningRate(objects.optimizers[""], objects.schedulers[""])
        return [BoundSetting(tuple(_LEARNING_RATE.split(".")), rate, limits, "lr")]


@final
class Execution:
    """Runs one attempt and owns its live objects; it begins at the run's checkpoint, if there is one."""

    def __init__(
        self,
        config: TrainConfig,
        data: LinkDataset,
        contract: Contract,
        store: Store,
        record: ActiveRun,
        collaborators: Collaborators,
    ) -> None:
        self._config, self._data = config, data
        self._observer, self._injection = collaborators.observer, collaborators.injection
        self._injection.before_first_step()
        self._trainer = trainer = Trainer(config, data, contract)
        self._proposer = collaborators.proposer or StallProposer(config.change, _LEARNING_RATE)
        self._report_torn({"events.log": record.recover_log(), "changes.log": record.journal().torn_bytes})
        attempt = Attempt(
            store,
            record.project,
            record.run_id,
            finders=(_RateOfJob(config.change),),
            proposers=self._proposer.registered,
            record=record,
        )
        attempt.bind(LiveObjects({"": trainer.model}, {"": trainer.optimizer}, {"": trainer.scheduler}))
        declared = Declared(record.project, config.model_dump(mode="json"), contract.resolved, quiet=True)
        self.run = Run(attempt, declared, contract, None)
        self._progress = self._resumed()
        self._observed: Mapping[str, int] = {}
        self._to_compile = {"training", "evaluation"} if contract.selected(Feature.CDC) else set()
        self._train_seconds, self._first_step = 0.0, self.run.step

    def train(self, interruption: Interruption) -> bool:
        """Take every step that is left; false when interrupted before the last one, with the state checkpointed."""
        while self.run.step < self._trainer.num_steps:
            self._step()
            step = self.run.step
            is_due = step % self._trainer.evaluate_every == 0 or step == self._trainer.num_steps
            self._propose(self._validate() if is_due else None)
            if is_due or interruption.reason or step % self._config.training.checkpoint_every == 0:
                self._checkpoint()
            if interruption.reason:
                return False
        return True

    def evaluate(self, interruption: Interruption) -> Evaluation | None:
        """Evaluate the model and the baselines on the test events; None when interrupted before the last batch."""
        settings = self._config.training
        baselines = BaselineScorers.prepared(self._data, settings)
        draw = CandidateDraw.for_test(settings)
        evaluation = Evaluation(("model", *baselines.names))
        parts = list(batches(self._data.split.test, settings.batch_size))
        for number, batch in enumerate(parts, start=1):
            evaluation.add("model", self._score(batch, draw))
            for name, scores in baselines.score(self._data, batch, draw):
                evaluation.add(name, scores)
            self._report("test", number, len(parts), len(batch))
            if interruption.reason:
                return None
        return evaluation

    def finish(self) -> FinishedAttempt:
        """Close the changes, enforce the contract, and return what the record needs. Raises ContractBroken."""
        audit = self.run.audit()
        weights = {name: tensor.contiguous() for name, tensor in self._trainer.model.state_dict().items()}
        self.run.record.save_blob("weights", save(weights))
        num_parameters = sum(parameter.numel() for parameter in self._trainer.model.parameters())
        return FinishedAttempt(self._progress, audit, summary(self.run.engine.history), num_parameters, self._rate())

    def _resumed(self) -> TrainingProgress:
        path = self.run.record.path(CHECKPOINT)
        if not self.run.restore(path):
            return TrainingProgress()
        try:
            progress = TrainingProgress.model_validate(self.run.restored)
        except ValidationError as problem:
            raise StoreCorrupt(f"{path}: not a checkpoint of this job: {problem}; start a new run") from problem
        self._observer.noted(f"resumed from the checkpoint after step {self.run.step}")
        return progress

    def _report_torn(self, logs: Mapping[str, int]) -> None:
        for name, num_bytes in logs.items():
            if num_bytes:
                self._observer.noted(f"{name} ended in a torn record: {num_bytes} bytes cut off, whole records kept")

    def _step(self) -> None:
        step, batch = self.run.step, self._trainer.batch(self.run.step)
        self._tell_of_compiling("training")
        began = time.perf_counter()
        with self.run.one_step():
            loss = self._trainer.step(step)
            self._train_seconds += time.perf_counter() - began
            self._injection.after_step(self._trainer.optimizer, self.run.engine.history)
            self.run.log(loss=loss, learning_rate=self._trainer.learning_rate)
        ends_epoch = (step + 1) % self._trainer.steps_per_epoch == 0
        total = self._progress.epoch_loss + loss * len(batch)
        update: dict[str, Any] = {"epoch_loss": 0.0 if ends_epoch else total, "last_loss": loss}
        if ends_epoch:
            update["losses"] = (*self._progress.losses, total / len(self._data.split.train))
        self._progress = self._progress.model_copy(update=update)
        self._report("train", step + 1, self._trainer.num_steps, len(batch))

    def _validate(self) -> Validation:
        settings, step = self._config.training, self.run.step
        events = self._data.split.validation[: settings.validation_events]
        parts = list(batches(events, settings.batch_size))
        draw = CandidateDraw(("random",), 1, settings.seed, settings.negatives)
        scores = []
        for number, batch in enumerate(parts, start=1):
            scores.append(self._score(batch, draw)["random"])
            self._report("validation", number, len(parts), len(batch))
        joined = RankingScores.joined(scores)
        ap = joined.metrics()["ap"]
        self.run.log(validation_ap=ap)
        self._progress = self._progress.model_copy(update={"validation": (*self._progress.validation, (step, ap))})
        return Validation(ap, ap_parts(joined))

    def _propose(self, found: Validation | None) -> None:
        """Propose the changes that are due, unless no step is left to use them."""
        step = self.run.step
        stall, deltas = self._proposer.propose(self._progress.stall, step, found)
        self._progress = self._progress.model_copy(update={"stall": stall})
        if deltas and step < self._trainer.num_steps:
            for record in self.run.engine.propose_all(deltas, step):
                self._observer.noted(_described(record))

    def _score(self, batch: range, draw: CandidateDraw) -> dict[NegativeKind, RankingScores]:
        self._tell_of_compiling("evaluation")
        with self.run.evaluation(f"{draw.num_ranked} ranked"):
            return draw.score(self._data, batch, self._trainer.score)

    def _tell_of_compiling(self, part: str) -> None:
        """Say before the first step of each part that it compiles; without a word it looks as if it hung."""
        if part in self._to_compile:
            self._to_compile.remove(part)
            self._observer.noted(f"compiling the model for {part} (runtime.cdc): the next steps may take a minute")

    def _checkpoint(self) -> None:
        self.run.checkpoint(self.run.record.path(CHECKPOINT), **self._progress.model_dump(mode="json"))
        self._injection.after_checkpoint()

    def _report(self, phase: TrainingPhase, step: int, num_steps: int, num_events: int) -> None:
        self.run.record.beat()
        if step % _READ_KERNELS_EVERY == 1:
            self._observed = self.run.evidence().sdpa.kernels
        self._observer.stepped(
            StepReport(
                phase=phase,
                step=step,
                num_steps=num_steps,
                num_events=num_events,
                learning_rate=self._trainer.learning_rate,
                loss=self._progress.last_loss,
                ap=self._progress.validation[-1][1] if self._progress.validation else None,
                observed=self._observed,
            )
        )

    def _rate(self) -> float:
        """Training events per second over the steps of this attempt; 0 when it took no step."""
        num_steps = self.run.step - self._first_step
        return num_steps * self._config.training.batch_size / self._train_seconds if num_steps else 0.0


def _described(record: ChangeRecord) -> str:
    held = f", held back by {record.guard_result.guard}" if record.denied and record.guard_result else ""
    return f"step {record.step}: {record.delta.reason}; {record.delta.parameter} {move_words(record)}{held}"
