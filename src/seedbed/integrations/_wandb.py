"""What a run logs, written to Weights & Biases while it runs; by default to files alone."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

from seedbed.integrations._extras import require
from seedbed.integrations._spelling import flattened
from seedbed.records import Commit, Json

__all__ = ["WandbMirror"]

_STEP = "step"


@final
class WandbMirror:
    """Mirrors a run to W&B: to files in `folder`, which `wandb sync` uploads later, or with mode="online" at once.

    Goes on in the W&B run that is open, if there is one, and leaves it open. Otherwise it makes one, with the project
    and name of the run, that holds what was logged and nothing of the machine. The step is the metric `step`, which all
    others are drawn over, since W&B drops values whose own step goes back. Raises NotFound without the extra `wandb`.
    """

    def __init__(self, folder: str | Path = ".", *, mode: Literal["offline", "online"] = "offline") -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # W&B would report errors of its own
        self._wandb: Any = require("wandb", "wandb")
        self._folder, self._mode = Path(folder), mode
        self._run: Any = None
        self._is_ours = False

    def begin(self, project: str, run_id: str, config: Mapping[str, Json]) -> None:
        """Take the open run of W&B, or make one; `config` becomes its configuration."""
        self._is_ours = self._wandb.run is None
        self._run = self._made(project, run_id) if self._is_ours else self._wandb.run
        self._run.config.update(dict(config), allow_val_change=True)
        self._run.define_metric("*", step_metric=_STEP)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add one row: the values and their step."""
        self._run.log({**values, _STEP: step})

    def finish(self, commit: Commit | None) -> None:
        """Add the results and the digest of the commit to the summary; end the run if the mirror made it."""
        if commit is not None:
            results = {name: value for name, value in flattened(commit.snapshot.metrics).items() if _is_number(value)}
            self._run.summary.update({**results, "seedbed.seq": commit.seq, "seedbed.digest": commit.digest})
        if self._is_ours:
            self._run.finish(exit_code=1 if commit is None else 0)

    def _made(self, project: str, run_id: str) -> Any:
        quiet = self._wandb.Settings(
            console="off",
            disable_git=True,
            save_code=False,
            silent=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._wandb.init(
            project=project,
            id=run_id,
            name=run_id,
            dir=str(self._folder),
            mode=self._mode,
            resume="allow",
            settings=quiet,
        )


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
