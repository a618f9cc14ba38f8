"""What reading and writing MLflow share: its client, its form of infinities, and Seedbed's own tags."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seedbed.errors import InvalidInput, NotFound
from seedbed.integrations._extras import require

__all__ = ["DIGEST_TAG", "LARGEST", "SERIES_TAG", "client", "mlflow_errors"]

DIGEST_TAG = "seedbed.digest"
# Lists the metrics that are series of steps, each with whether its last value is a result too; others are results.
SERIES_TAG = "seedbed.step_metrics"
# MLflow's SQL stores keep infinities as the largest numbers.
LARGEST = sys.float_info.max
_SQLITE = "sqlite:///"


def client(where: str, *, create: bool) -> Any:
    """MLflow's client for the tracking store at `where`: a URI, a SQLite file, or a folder of its file store.

    Raises NotFound when the extra is missing, or when the store is missing and `create` is false.
    """
    uri = _uri(where)
    path = Path(uri.removeprefix(_SQLITE).partition("?")[0])
    if uri.startswith(_SQLITE) and not create and not path.exists():
        raise NotFound(f"there is no MLflow store at {where}")  # MLflow itself would create an empty one
    # Nothing is sent anywhere, and MLflow's older file store can still be read.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    tracking = require("mlflow", "mlflow")
    with mlflow_errors(where):
        return tracking.MlflowClient(tracking_uri=uri)


@contextmanager
def mlflow_errors(what: str) -> Iterator[None]:
    """Converts MLflow's errors: raises InvalidInput with MLflow's message and `what` was read or written."""
    refused = require("mlflow.exceptions", "mlflow").MlflowException
    try:
        with warnings.catch_warnings():
            # Our users cannot fix that MLflow calls deprecated functions of its own libraries.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    except refused as problem:
        raise InvalidInput(f"MLflow refuses {what}: {problem}") from None


def _uri(where: str) -> str:
    if "://" in where or where.startswith(_SQLITE):
        return where
    path = Path(where)
    return path.resolve().as_uri() if path.is_dir() else f"{_SQLITE}{path.resolve()}"
