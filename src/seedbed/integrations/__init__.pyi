"""Integrations: training loops of other libraries, other trackers, and runs that are imported and exported."""

from ._accelerate import AccelerateTracker
from ._importing import IMPORTED, ImportDescription, ImportOutcome, ImportResult, import_runs
from ._jsonl import JsonLines
from ._lightning import LightningCallback
from ._mlflow_mirror import MLflowMirror
from ._mlflow_reading import MLflow
from ._mlflow_writing import MLflowTarget
from ._outside import OutsideRun, RunSource
from ._step_tables import write_steps
from ._tables import write_csv, write_parquet
from ._tensorboard import TensorBoard
from ._tensorboard_mirror import TensorBoardMirror
from ._transformers import TransformersCallback
from ._wandb import WandbMirror

__all__ = [
    "IMPORTED",
    "AccelerateTracker",
    "ImportDescription",
    "ImportOutcome",
    "ImportResult",
    "JsonLines",
    "LightningCallback",
    "MLflow",
    "MLflowMirror",
    "MLflowTarget",
    "OutsideRun",
    "RunSource",
    "TensorBoard",
    "TensorBoardMirror",
    "TransformersCallback",
    "WandbMirror",
    "import_runs",
    "write_csv",
    "write_parquet",
    "write_steps",
]
