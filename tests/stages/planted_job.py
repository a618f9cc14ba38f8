"""A small stream whose rule is planted, a job on it that trains in seconds, and typed readers of what it recorded."""

from collections.abc import Callable, Mapping

import numpy as np

from seedbed.contracts import ChangeSummary
from seedbed.records import RunView, Snapshot
from seedbed.runtime import resolve_config
from seedbed.stages import Job, ModelSettings, StepReport, TrainConfig, TrainingResult, TrainingSettings
from seedbed.temporal import EventStream


def planted_stream(num_events: int = 2000, num_sources: int = 20, num_destinations: int = 12) -> EventStream:
    """Every source goes round the destinations one by one: the next is always the one after the last."""
    rng = np.random.default_rng(7)
    t = 1_700_000_000 + np.cumsum(rng.integers(1, 60, num_events))
    src = rng.integers(0, num_sources, num_events)
    place = np.arange(num_sources)
    dst = np.empty(num_events, np.int64)
    for event, source in enumerate(src):
        place[source] = (place[source] + 1) % num_destinations
        dst[event] = num_sources + place[source]
    return EventStream(
        src=src.astype(np.int32),
        dst=dst.astype(np.int32),
        t=t.astype(np.int64),
        features=rng.normal(size=(num_events, 1)).astype(np.float32),
        late=rng.normal(size=(num_events, 1)).astype(np.float32),
        known_at=(t + 30).astype(np.int64),
        names=tuple(f"s{i}" for i in range(num_sources)) + tuple(f"d{i}" for i in range(num_destinations)),
        num_sources=num_sources,
        feature_names=("noise",),
        late_names=("late_noise",),
    )


class Watcher:
    """Keeps every report and note; `at_step` is called with every report."""

    def __init__(self, at_step: Callable[[StepReport], object] = lambda report: None) -> None:
        self.reports: list[StepReport] = []
        self.notes: list[str] = []
        self.run_id = ""
        self._at_step = at_step

    def started(self, run_id: str, facts: Mapping[str, str]) -> None:
        self.run_id = run_id

    def stepped(self, report: StepReport) -> None:
        self.reports.append(report)
        self._at_step(report)

    def noted(self, text: str) -> None:
        self.notes.append(text)


def job(*, runtime: Mapping[str, object] | None = None, num_events: int = 2000, **sections: object) -> Job:
    """A job on the planted stream; keyword arguments replace sections or runtime settings."""
    config = TrainConfig.model_validate(
        {
            "project": "planted",
            "model": ModelSettings(num_neighbours=(4, 4), node_width=16, time_width=8, embedding_width=16),
            "training": TrainingSettings(
                epochs=1, batch_size=30, learning_rate=0.01, checkpoint_every=4, warmup_steps=2
            ),
            **sections,
        }
    )
    resolved = resolve_config(code={"cdc": "off", "sample_every": 10, **(runtime or {})})
    return Job(config, planted_stream(num_events), "planted", resolved)


def snapshot_of(run: TrainingResult | RunView) -> Snapshot:
    """The snapshot that a finished run committed."""
    assert run.commit is not None, f"{run.run_id} is {run.status}: {run.reason or 'no reason'}"
    return run.commit.snapshot


def changes_of(snapshot: Snapshot) -> ChangeSummary:
    """The changes in a record."""
    return ChangeSummary.model_validate(snapshot.documents["changes"])


def number(values: object, *path: str) -> float:
    """The number under the keys of `path` in a JSON object."""
    for name in path:
        assert isinstance(values, dict)
        values = values[name]
    assert isinstance(values, float)
    return values
