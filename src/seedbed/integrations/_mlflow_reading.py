"""Runs in an MLflow tracking store, read through MLflow's own client."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, final

from seedbed.errors import NotFound
from seedbed.integrations._mlflow import LARGEST, SERIES_TAG, client, mlflow_errors
from seedbed.integrations._outside import OutsideRun, last_values
from seedbed.integrations._spelling import from_text
from seedbed.records import Json

__all__ = ["MLflow"]

_Steps: TypeAlias = Sequence[tuple[int, Mapping[str, float]]]
_PAGE = 1000
# MLflow's own tags hold names of users, hosts and paths; these do not.
_HARMLESS = {
    *("mlflow.runName", "mlflow.parentRunId", "mlflow.note.content"),
    *("mlflow.source.type", "mlflow.source.git.commit", "mlflow.source.git.branch"),
}
_SYSTEM = "mlflow."
_OURS = "seedbed."


@final
class MLflow:
    """The active runs of the store at `where`, or of one experiment there. Raises NotFound when it has none."""

    system = "mlflow"

    def __init__(self, where: str, experiment: str | None = None) -> None:
        self._client = client(where, create=False)
        with mlflow_errors(where):
            self._experiments = {
                found.experiment_id: found.name
                for found in _pages(self._client.search_experiments)
                if experiment in (None, found.name)
            }
            if not self._experiments:
                raise NotFound(f"there is no experiment {experiment or ''} in {where}".replace("  ", " "))
            self._ids = [run.info.run_id for run in self._found()]

    def ids(self) -> Sequence[str]:
        """MLflow's run ids, oldest first."""
        return self._ids

    def read(self, source_id: str) -> OutsideRun:
        """One run, with the history of every metric. Raises InvalidInput when MLflow cannot read it."""
        with mlflow_errors(f"to read run {source_id}"):
            run = self._client.get_run(source_id)
            histories = {name: self._client.get_metric_history(source_id, name) for name in run.data.metrics}
        tags = run.data.tags
        steps, series = _steps(histories), _series(tags)
        return OutsideRun(
            source_id=source_id,
            params={name: from_text(text) for name, text in run.data.params.items()},
            metrics=_results(steps, series),
            steps=_history(steps, series),
            tags={name: text for name, text in tags.items() if _is_harmless_tag(name)},
            experiment=self._experiments[run.info.experiment_id],
            data=_data(run),
            started=_moment(run.info.start_time),
            ended=_moment(run.info.end_time),
            finished=run.info.status == "FINISHED",
        )

    def _found(self) -> Iterator[Any]:
        return _pages(
            self._client.search_runs,
            experiment_ids=list(self._experiments),
            order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
        )


def _pages(search: Any, **what: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(max_results=_PAGE, page_token=token, **what)
        yield from page
        token = page.token
        if not token:
            return


def _steps(histories: Mapping[str, Sequence[Any]]) -> _Steps:
    """The logged values by step; a metric that was logged twice at one step appears twice, in order of time."""
    by_step: dict[int, list[dict[str, float]]] = {}
    for name in sorted(histories):
        for metric in sorted(histories[name], key=lambda item: (item.step, item.timestamp)):
            of_step = by_step.setdefault(metric.step, [])
            place = sum(name in values for values in of_step)
            if place == len(of_step):
                of_step.append({})
            of_step[place][name] = _value(metric.value)
    return [(step, values) for step in sorted(by_step) for values in by_step[step]]


def _value(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) == LARGEST else value


def _results(steps: _Steps, series: Mapping[str, Json] | None) -> dict[str, float]:
    last = last_values(steps)
    return {name: value for name, value in last.items() if series is None or series.get(name, True) is True}


def _history(steps: _Steps, series: Mapping[str, Json] | None) -> _Steps:
    if series is None:
        return steps
    rest = [(step, {name: value for name, value in values.items() if name in series}) for step, values in steps]
    return [(step, values) for step, values in rest if values]


def _series(tags: Mapping[str, str]) -> Mapping[str, Json] | None:
    """Seedbed's own tag that says which metrics are series, and whether they are results too; None for other runs."""
    found = from_text(tags.get(SERIES_TAG, ""))
    return found if isinstance(found, dict) else None


def _is_harmless_tag(name: str) -> bool:
    return name in _HARMLESS or not name.startswith((_SYSTEM, _OURS))


def _data(run: Any) -> Json:
    """The names and digests of the data sets that the run lists as inputs, with the use of each."""
    found = run.inputs.dataset_inputs if run.inputs else []
    named: list[Json] = [
        [item.dataset.name, item.dataset.digest, *sorted(tag.value for tag in item.tags)] for item in found
    ]
    return sorted(named, key=str) or None


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
