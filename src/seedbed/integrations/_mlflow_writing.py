"""Commits as runs of MLflow, written through MLflow's own client: one experiment a project, one run a commit."""

from collections.abc import Sequence
from typing import Any, final

from seedbed.integrations._extras import require
from seedbed.integrations._mlflow import DIGEST_TAG, client, mlflow_errors
from seedbed.integrations._mlflow_plan import MLflowRun, planned
from seedbed.records import Commit, Event

__all__ = ["MLflowTarget"]

_METRICS_AT_ONCE, _PARAMS_AT_ONCE = 1000, 100  # as MLflow's batches allow
_FINISHED = "FINISHED"


@final
class MLflowTarget:
    """A tracking store that commits are written to."""

    def __init__(self, where: str) -> None:
        self._client = client(where, create=True)
        self._entities = require("mlflow.entities", "mlflow")

    def write(self, commit: Commit, events: Sequence[Event]) -> bool:
        """Write `commit` and its step metrics; returns False, and writes nothing, when it was exported before.

        A run that an earlier export did not finish is deleted and written again. Raises InvalidInput.
        """
        with mlflow_errors(f"commit {commit.seq} of {commit.snapshot.project}"):
            experiment = self._experiment(commit.snapshot.project)
            for run in self._written(experiment, commit):
                if run.info.status == _FINISHED:
                    return False
                self._client.delete_run(run.info.run_id)
            self._write(experiment, planned(commit, events))
        return True

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _written(self, experiment: str, commit: Commit) -> Sequence[Any]:
        ours = f"tags.`{DIGEST_TAG}` = '{commit.digest}'"
        return list(self._client.search_runs([experiment], filter_string=ours))

    def _write(self, experiment: str, plan: MLflowRun) -> None:
        created = self._client.create_run(experiment, plan.moment_ms, run_name=plan.name, tags=dict(plan.tags))
        params = [self._entities.Param(name, text) for name, text in plan.params.items()]
        points = [self._entities.Metric(name, value, plan.moment_ms, step) for name, value, step in plan.points]
        for start in range(0, len(params), _PARAMS_AT_ONCE):
            self._client.log_batch(created.info.run_id, params=params[start : start + _PARAMS_AT_ONCE])
        for start in range(0, len(points), _METRICS_AT_ONCE):
            self._client.log_batch(created.info.run_id, metrics=points[start : start + _METRICS_AT_ONCE])
        self._client.set_terminated(created.info.run_id, _FINISHED, plan.moment_ms)
