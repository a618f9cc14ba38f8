"""The TRAINING stage: one job, from events to a committed record, resumable at any step."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import final

import torch
from pydantic import ValidationError

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import InvalidInput, NotFound
from seedbed.records import ActiveRun, Commit, RunView, Store
from seedbed.runtime import Contract, ResolvedConfig, declare, tune_host
from seedbed.stages._config import TrainConfig
from seedbed.stages._dataset import LinkDataset, prepare
from seedbed.stages._draft import make_draft
from seedbed.stages._execution import Execution
from seedbed.stages._inject import Fault, Injection, PowerCut, injected, tear
from seedbed.stages._interrupt import interruption
from seedbed.stages._observer import Observer
from seedbed.temporal import EventStream

__all__ = ["Job", "TrainingResult", "configuration_of", "new_run_id", "train"]


_JOB = "job"


@final
@dataclass(frozen=True)
class Job:
    """What to train on what: a configuration, its events and what people call them.

    `runtime` is what the configuration's own runtime section came to, and is recorded in its place.
    """

    config: TrainConfig
    stream: EventStream
    cohort: str
    runtime: ResolvedConfig


@final
@dataclass(frozen=True)
class TrainingResult:
    """How an execution ended: FINISHED with its commit, or INTERRUPTED with none."""

    run_id: str
    status: RunStatus
    commit: Commit | None


def new_run_id() -> str:
    """A name that sorts by when it was given, for people; no order is read from it."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def configuration_of(run: RunView) -> TrainConfig:
    """The configuration that a run began with, so that it can go on. Raises NotFound when the run's folder lacks it."""
    path = run.folder / f"{_JOB}.json"
    try:
        return TrainConfig.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as problem:
        raise NotFound(f"{path}: the run's configuration cannot be read ({problem}); start a new run") from None


def train(
    job: Job, store: Store, observer: Observer, *, run_id: str | None = None, fault: Fault | None = None
) -> TrainingResult:
    """Train, evaluate and commit; a `run_id` that was left unfinished goes on from its last checkpoint.

    A first Ctrl-C ends the run after its current step, checkpointed, as INTERRUPTED. Raises ContractBroken when STRICT
    does not observe what was declared, InvalidInput for a job that cannot run, Conflict for a run that is finished or
    was begun with another configuration, StoreUnavailable when the disk refuses.
    """
    job = replace(job, config=job.config.model_copy(update={"runtime": job.runtime.config}))
    tune_host(job.runtime.config.threads)
    data = prepare(job.stream, job.config.data, job.config.model)
    contract = declare(job.runtime, device=_device(job.config.training.device))
    run = store.start(job.config.project, run_id or new_run_id(), Stage.TRAINING)
    run.write_document(_JOB, job.config.model_dump(mode="json"))
    with injected(fault) as injection, _determinism(job.config.training.deterministic):
        try:
            return _attempt(job, data, contract, run, observer, injection)
        except PowerCut:
            num_bytes = tear(run.path("events.log"))
    observer.noted(f"power cut injected: {num_bytes} bytes of half a record stand at the end of events.log; resuming")
    return train(job, store, observer, run_id=run.run_id)


def _attempt(
    job: Job, data: LinkDataset, contract: Contract, run: ActiveRun, observer: Observer, injection: Injection
) -> TrainingResult:
    observer.started(run.run_id, _facts(job, data, contract, run))
    with run, interruption() as asked:
        execution = Execution(job.config, data, contract, run, observer, injection)
        try:
            evaluation = execution.evaluate(asked) if execution.train(asked) else None
            if evaluation is None:
                run.interrupted(asked.reason)
                return TrainingResult(run.run_id, RunStatus.INTERRUPTED, None)
            draft = make_draft(job.config, job.cohort, data, run, execution.finish(), evaluation)
        finally:
            run.write_document("audit_run", execution.evidence().model_dump(mode="json"))
        return TrainingResult(run.run_id, RunStatus.FINISHED, run.finish(draft))


def _facts(job: Job, data: LinkDataset, contract: Contract, run: ActiveRun) -> dict[str, str]:
    stream, split = data.stream, data.split
    requested = [feature.value for feature in contract.capabilities if contract.requested(feature)]
    return {
        "events": f"{len(stream):,} of {job.cohort}, {stream.num_nodes:,} nodes",
        "split": f"{len(split.train):,} train, {len(split.validation):,} validation, {len(split.test):,} test",
        "runtime": f"{job.runtime.config.mode.value} on {contract.device}: {', '.join(requested)}",
        "attempt": str(run.attempt),
    }


@contextmanager
def _determinism(wanted: bool) -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(wanted)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _device(wanted: str) -> torch.device:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InvalidInput("training.device is cuda, but torch sees no CUDA device; say cpu, or auto")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
