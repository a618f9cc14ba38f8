"""Integrations: training loops of other libraries, other trackers, and runs that are imported and exported."""

from ._importing import IMPORTED, ImportDescription, ImportOutcome, ImportResult, import_runs
from ._jsonl import JsonLines
from ._mlflow_mirror import MLflowMirror
from ._mlflow_reading import MLflow
from ._mlflow_writing import MLflowTarget
from ._outside import OutsideRun, RunSource
from ._step_tables import write_steps
from ._tables import write_csv, write_parquet
from ._tensorboard import TensorBoard
from ._tensorboard_mirror import TensorBoardMirror
from ._wandb import WandbMirror

__all__ = [
    "IMPORTED",
    "ImportDescription",
    "ImportOutcome",
    "ImportResult",
    "JsonLines",
    "MLflow",
    "MLflowMirror",
    "MLflowTarget",
    "OutsideRun",
    "RunSource",
    "TensorBoard",
    "TensorBoardMirror",
    "WandbMirror",
    "import_runs",
    "write_csv",
    "write_parquet",
    "write_steps",
]
