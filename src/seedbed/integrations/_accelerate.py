"""Accelerate: a tracker that hands what `accelerator.log` is given to the run."""

from collections.abc import Mapping
from typing import Any, final

from seedbed.integrations._extras import require
from seedbed.integrations._session import numbers_of
from seedbed.loop import Run, current_run

__all__ = ["AccelerateTracker"]

_Tracker: Any = require("accelerate.tracking", "accelerate").GeneralTracker


@final
class AccelerateTracker(_Tracker):  # type: ignore[misc]  # an extra
    """Logs to the open run, beside other trackers: `Accelerator(log_with=[AccelerateTracker(), "tensorboard"])`.

    The run is `run`, or the one that is open when values are logged. Values belong to the run's own step, an optimizer
    step: the `step` that `accelerator.log` is given may count batches. Give the configuration to `seedbed.start`, and
    keep the state of the run in Accelerate's checkpoints by `accelerator.register_for_checkpointing(run)`.
    """

    name = "seedbed"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self, run: Run | None = None) -> None:
        self._run = run
        super().__init__()

    @property
    def tracker(self) -> Run:
        """The run. Raises NotFound where none is open."""
        return current_run() if self._run is None else self._run

    def log(self, values: Mapping[str, Any], step: int | None = None, **kwargs: Any) -> None:
        """Log the numbers among `values`, for the step in progress or the last one."""
        if numbers := numbers_of(values):
            self.tracker.log(numbers)
