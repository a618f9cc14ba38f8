"""A training by Transformers that is killed while a checkpoint is owed: `program FOLDER POINT`."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from test_integrations_transformers import At, trainer
from training_world import RUNTIME, Outside

from seedbed.integrations import TransformersCallback

POINTS = ("before the save", "before the answer")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class BeforeAnswer(transformers.TrainerCallback):
    """Kills the process when the fourth step was saved."""

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 4:
            kill()


def main(folder: Path, point: str) -> None:
    outside = Outside(folder)
    callback: Any = TransformersCallback(project="small", store=outside.store, runtime=RUNTIME, quiet=True)

    def ask() -> None:
        outside.ask(callback.run, "checkpoint")
        outside.ask(callback.run, "pause")
        if point == POINTS[0]:
            trained._save_checkpoint = lambda *_: kill()

    trained = trainer(folder, At(4, ask), BeforeAnswer(), callback, save_strategy="steps", save_steps=2)
    trained.train()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), sys.argv[2])
