"""Integrations: import runs of other systems as commits, and export commits as runs of other systems or as tables."""

from seedbed.integrations._importing import IMPORTED, ImportDescription, ImportOutcome, ImportResult, import_runs
from seedbed.integrations._jsonl import JsonLines
from seedbed.integrations._mlflow_reading import MLflow
from seedbed.integrations._mlflow_writing import MLflowTarget
from seedbed.integrations._outside import OutsideRun, RunSource
from seedbed.integrations._step_tables import write_steps
from seedbed.integrations._tables import write_csv, write_parquet
from seedbed.integrations._tensorboard import TensorBoard

__all__ = [
    "IMPORTED",
    "ImportDescription",
    "ImportOutcome",
    "ImportResult",
    "JsonLines",
    "MLflow",
    "MLflowTarget",
    "OutsideRun",
    "RunSource",
    "TensorBoard",
    "import_runs",
    "write_csv",
    "write_parquet",
    "write_steps",
]
