"""What a run logs, written to TensorBoard's event files while it runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from seedbed.integrations._extras import require
from seedbed.integrations._spelling import flattened, to_text
from seedbed.records import Commit, Json
from seedbed.records.canonical._numbers import read_number

__all__ = ["TensorBoardMirror"]


@final
class TensorBoardMirror:
    """Mirrors a run to event files in `folder`, which `tensorboard --logdir` names: each run in a folder of its own.

    Values are scalars, settings are hyperparameters. When the run commits, its results are scalars `final/...` at its
    last step, and the digest is a text. Raises NotFound without the extra `tensorboard`.
    """

    def __init__(self, folder: str | Path) -> None:
        self._tensorboard: Any = require("torch.utils.tensorboard", "tensorboard")
        self._hparams: Any = require("torch.utils.tensorboard.summary", "tensorboard").hparams
        self._folder = Path(folder)
        self._writer: Any = None
        self._step = 0

    def begin(self, project: str, run_id: str, config: Mapping[str, Json]) -> None:
        """Open an event file in the folder of this run, and write its settings there."""
        self._writer = self._tensorboard.SummaryWriter(str(self._folder / run_id))
        settings = {name: _plain(value) for name, value in flattened(config).items()}
        for summary in self._hparams({"project": project, **settings}, {}):
            self._writer.file_writer.add_summary(summary)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write each value as a scalar."""
        self._step = max(self._step, step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def finish(self, commit: Commit | None) -> None:
        """Write the results of the commit, and close the file."""
        if commit is not None:
            for name, value in flattened(commit.snapshot.metrics).items():
                if (number := read_number(value)) is not None:
                    self._writer.add_scalar(f"final/{name}", number, self._step)
            self._writer.add_text("seedbed.digest", commit.digest, self._step)
        self._writer.close()


def _plain(value: Json) -> str | float:
    """The value as a hyperparameter, which is a number, a truth value or a text."""
    return value if isinstance(value, bool | int | float | str) else to_text(value)
