"""What a run logs, written to MLflow while it runs: one experiment a project, one run of MLflow a run."""

import time
from collections.abc import Mapping
from typing import Any, final

from seedbed.integrations._extras import require
from seedbed.integrations._mlflow import client, mlflow_errors
from seedbed.integrations._mlflow_plan import fits, params_of, planned
from seedbed.records import Commit, Event, Json

__all__ = ["MLflowMirror"]

_RUN_TAG, _PROJECT_TAG = "seedbed.run_id", "seedbed.project"
_METRICS_AT_ONCE, _PARAMS_AT_ONCE = 1000, 100  # as MLflow's batches allow
_PATIENCE_SECONDS = 1.0


@final
class MLflowMirror:
    """Mirrors a run to the tracking store at `where`: a URI, a SQLite file, or a folder of MLflow's file store.

    Values are written about once a second. When the run commits, its results, digest and predecessor follow, so that
    `seedbed runs export mlflow` knows it as written. A run that is resumed goes on in the same run of MLflow. Names
    that MLflow does not accept are left out. Raises NotFound without the extra `mlflow`, InvalidInput for what MLflow
    refuses.
    """

    def __init__(self, where: str) -> None:
        self._client: Any = client(where, create=True)
        self._entities: Any = require("mlflow.entities", "mlflow")
        self._id = ""
        self._points: list[Any] = []
        self._last: dict[str, tuple[int, float]] = {}
        self._written = time.monotonic()

    def begin(self, project: str, run_id: str, config: Mapping[str, Json]) -> None:
        """Make a run of MLflow, or open the one that an earlier attempt of this run left unfinished."""
        with mlflow_errors(f"the run {run_id} of {project}"):
            experiment = self._experiment(project)
            ours = f"tags.`{_RUN_TAG}` = '{run_id}' and attributes.status != 'FINISHED'"
            known = self._client.search_runs([experiment], filter_string=ours, max_results=1)
            self._id = known[0].info.run_id if known else self._created(experiment, project, run_id, config)
            self._client.set_terminated(self._id, "RUNNING")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep the values, and write all that are kept when a second has passed."""
        moment_ms = time.time_ns() // 1_000_000
        for name, value in values.items():
            if step >= self._last.get(name, (step, value))[0]:
                self._last[name] = (step, value)
            if fits(name):
                self._points.append(self._entities.Metric(name, float(value), moment_ms, step))
        if time.monotonic() - self._written >= _PATIENCE_SECONDS or len(self._points) >= _METRICS_AT_ONCE:
            self._write()

    def finish(self, commit: Commit | None) -> None:
        """Write what is left and, with a commit, its results and tags; end the run of MLflow as FINISHED or FAILED."""
        self._write()
        with mlflow_errors(f"the end of the run {self._id}"):
            if commit is not None:
                self._write_commit(commit)
            self._client.set_terminated(self._id, "FAILED" if commit is None else "FINISHED")

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _created(self, experiment: str, project: str, run_id: str, config: Mapping[str, Json]) -> str:
        tags = {_RUN_TAG: run_id, _PROJECT_TAG: project}
        created: str = self._client.create_run(experiment, run_name=run_id, tags=tags).info.run_id
        self._write_params(created, params_of(config)[0])
        return created

    def _write_params(self, run: str, texts: Mapping[str, str]) -> None:
        params = [self._entities.Param(name, text) for name, text in texts.items()]
        for start in range(0, len(params), _PARAMS_AT_ONCE):
            self._client.log_batch(run, params=params[start : start + _PARAMS_AT_ONCE])

    def _write(self) -> None:
        with mlflow_errors(f"values of the run {self._id}"):
            for start in range(0, len(self._points), _METRICS_AT_ONCE):
                self._client.log_batch(self._id, metrics=self._points[start : start + _METRICS_AT_ONCE])
        self._points, self._written = [], time.monotonic()

    def _write_commit(self, commit: Commit) -> None:
        logged = [Event(step, commit.snapshot.attempt_id, {name: value}) for name, (step, value) in self._last.items()]
        plan = planned(commit, logged)
        results = [
            self._entities.Metric(name, value, plan.moment_ms, step)
            for name, value, step in plan.points
            if name not in self._last
        ]
        tags = [self._entities.RunTag(name, text) for name, text in plan.tags.items()]
        self._client.log_batch(self._id, metrics=results, tags=tags)
