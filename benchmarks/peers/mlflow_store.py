"""MLflow's SQLite store under the load of `load.py`: the first peer that `benchmarks/records.py` measures against.

It imports only what requirements-mlflow.txt installs, never seedbed. To finalise is one `log_batch` of 30 params and 20
metrics, its fastest way in, and `set_terminated`; `create_run` is measured apart, as `start` is for Seedbed. A point is
one `log_metric`.
"""

import logging
import os
import time
from collections.abc import Set
from pathlib import Path

from peers.load import NUM_METRICS, NUM_SETTINGS, main, metric, setting

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

logging.disable(logging.WARNING)

EXPERIMENT, PAGE = "0", 1000


class Database:
    """The database in `folder`, made, by its migrations, when absent. A run is its id."""

    def __init__(self, folder: Path) -> None:
        self._client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
        self._client.get_experiment(EXPERIMENT)

    def start(self) -> str:
        """Create a run."""
        return self._client.create_run(EXPERIMENT).info.run_id

    def finish(self, run: str, number: int) -> None:
        """Log its params and metrics in one batch, and terminate the run."""
        now = int(time.time() * 1000)
        params = [Param(f"setting{at}", str(setting(number, at))) for at in range(NUM_SETTINGS)]
        metrics = [Metric(f"m{at}", metric(number, at), now, 0) for at in range(NUM_METRICS)]
        self._client.log_batch(run, metrics=metrics, params=params)
        self._client.set_terminated(run)

    def log(self, run: str, step: int) -> None:
        """Log one metric."""
        self._client.log_metric(run, "loss", 1 / (1 + step), step=step)

    def name(self, run: str) -> str:
        """The run's id."""
        return run

    def finished(self) -> Set[int | str]:
        """The ids of the finished runs."""
        found, token = set(), None
        while token != "":
            page = self._client.search_runs([EXPERIMENT], "status = 'FINISHED'", max_results=PAGE, page_token=token)
            found |= {run.info.run_id for run in page}
            token = page.token or ""
        return found


if __name__ == "__main__":
    main(Database, "Measure MLflow's SQLite store")
