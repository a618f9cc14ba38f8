"""The TRAINING stage: one job, from events to a committed record, resumable at any step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import final

import torch

from seedbed.change import ReplayRule
from seedbed.contracts import RunStatus, Stage
from seedbed.errors import InvalidInput
from seedbed.gate._reachable import refuse_unreachable
from seedbed.records import ActiveRun, Commit, Store, new_run_id
from seedbed.runtime import Contract, declare, tune_host
from seedbed.stages._dataset import LinkDataset, prepare
from seedbed.stages._draft import lint_gate, make_draft
from seedbed.stages._enough import warn_of_shortages
from seedbed.stages._execution import Collaborators, Execution
from seedbed.stages._inject import Fault, PowerCut, append_half_record, injected
from seedbed.stages._interrupt import interruption
from seedbed.stages._job import BegunJob, Job
from seedbed.stages._many_nodes import warn_of_many_nodes
from seedbed.stages._observer import Observer
from seedbed.stages._once import warn_of_document_numbers
from seedbed.stages._proposer import ReplayProposer

__all__ = ["TrainingResult", "train"]


@final
@dataclass(frozen=True)
class TrainingResult:
    """How a training ended: FINISHED with its commit, or INTERRUPTED without one, and by what (Ctrl-C, or a signal)."""

    run_id: str
    status: RunStatus
    commit: Commit | None
    reason: str = ""


def train(
    job: Job,
    store: Store,
    observer: Observer,
    *,
    run_id: str | None = None,
    fault: Fault | None = None,
    replay: ReplayRule | None = None,
) -> TrainingResult:
    """Train, evaluate and commit; an unfinished run of this `run_id` resumes from its last checkpoint.

    With `replay`, the changes of another run are proposed again, and nothing else is proposed.
    The first Ctrl-C ends the run after its current step, checkpointed, as INTERRUPTED. Raises ContractBroken when
    STRICT does not observe what was declared, InvalidInput for a job that cannot run, Conflict for a run that is
    finished or began with another job, Diverged when a loss or score is not finite, StoreUnavailable when the disk
    fails.
    """
    job = replace(job, config=job.config.model_copy(update={"runtime": job.runtime.config}))
    tune_host(job.runtime.config.threads)
    data = prepare(job.stream, job.config.data, job.config.model)
    lint_gate(job.config.gate)
    warn_of_shortages(job.config, data.split)
    warn_of_many_nodes(job.config.model, data.stream.num_nodes)
    warn_of_document_numbers(data.stream)
    run_id = run_id or new_run_id(store.clock.now())
    this = BegunJob(
        config=job.config,
        data=data.digest,
        replay_of=None if replay is None else replay.of,
        overridden={name: list(values) for name, values in job.overridden.items()},
    )
    begun = BegunJob.read(store.folder(job.config.project, run_id, Stage.TRAINING))
    if begun is None or begun.config.gate != job.config.gate:
        refuse_unreachable(job.config.gate, "the gate")
    if begun is not None:
        begun.require_same(this)
    contract = declare(job.runtime, device=_device(job.config.training.device))
    run = store.start(job.config.project, run_id, Stage.TRAINING)
    if begun is None:
        this.write(run)
    else:
        begun.warn_of_other_neighbours(run_id)
    with injected(fault) as injection, _determinism(job.config.training.deterministic):
        try:
            proposer = None if replay is None else ReplayProposer(replay, job.config.change)
            result = _attempt(job, data, contract, store, run, Collaborators(observer, injection, proposer))
        except PowerCut:
            num_bytes = append_half_record(run.path("events.log"))
        else:
            if not injection.happened:
                observer.noted(f"the fault {fault} did not happen: no change took effect that it could undo")
            return result
    observer.noted(f"power cut injected: events.log ends with {num_bytes} bytes of half a record; resuming")
    return train(job, store, observer, run_id=run.run_id, replay=replay)


def _attempt(
    job: Job, data: LinkDataset, contract: Contract, store: Store, record: ActiveRun, collaborators: Collaborators
) -> TrainingResult:
    collaborators.observer.started(record.run_id, _facts(job, data, contract, record))
    with record, interruption() as requested:
        execution = Execution(job.config, data, contract, store, record, collaborators)
        with execution.run as run:
            evaluation = execution.evaluate(requested) if execution.train(requested) else None
            if evaluation is None:
                run.abandon(requested.reason)
                return TrainingResult(record.run_id, RunStatus.INTERRUPTED, None, requested.reason)
            draft = make_draft(job.config, job.cohort, data, record, execution.finish(), evaluation)
            return TrainingResult(record.run_id, RunStatus.FINISHED, run.finish(draft))


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
        raise InvalidInput("training.device is cuda, but torch sees no CUDA device; set it to cpu")
    return torch.device(wanted)
