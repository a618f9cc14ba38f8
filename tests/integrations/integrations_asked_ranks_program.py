"""One process of two that a library trains together, of which somebody asks for checkpoints: `LIBRARY FOLDER`.

Each tells what it has in FOLDER/RANK.json; on rank 0 somebody asks after the first batch, and while the run is paused.
"""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytorch_lightning as lightning
import test_integrations_lightning as of_lightning
import test_integrations_transformers as of_transformers
import torch
from torch import distributed
from training_world import ACCUMULATED, ROWS, RUNTIME, epoch

from seedbed.integrations import LightningCallback
from seedbed.loop import Run, steering
from seedbed.loop.live import _requests


def ask(run: Run, *verbs: str) -> None:
    for verb in verbs if distributed.get_rank() == 0 else ():
        steering.ask(run.run_id, verb, store=run.store)


def by_transformers(folder: Path) -> Run:
    callback = of_transformers.callback_of(folder)

    class Asks(of_transformers.transformers.TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 1:
                ask(callback.run, "checkpoint", "pause")

    _requests.time = SimpleNamespace(sleep=lambda _: ask(callback.run, "checkpoint", "stop"))  # type: ignore[assignment]
    trainer = of_transformers.trainer(folder, Asks(), callback, gradient_accumulation_steps=1, eval_strategy="no")
    trainer.train()
    run: Run = callback.run
    return run


class FullDisk(of_lightning.Module):
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        raise OSError("no space is left")


def by_lightning(folder: Path, module: of_lightning.Module) -> Run:
    callback = LightningCallback(project="small", store=folder / "store", runtime=RUNTIME)

    class Asks(lightning.Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            if batch_idx == 0 and callback.run.step == 0:
                ask(callback.run, "checkpoint", "pause")

    _requests.time = SimpleNamespace(sleep=lambda _: ask(callback.run, "checkpoint", "stop"))  # type: ignore[assignment]
    trainer = lightning.Trainer(
        max_epochs=1,
        logger=False,
        limit_val_batches=0,
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        accumulate_grad_batches=ACCUMULATED,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=str(folder / "kept"),
        callbacks=[Asks(), callback],
    )
    data: Any = torch.cat(epoch())
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=ROWS))
    return callback.run


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    library, place = sys.argv[1], Path(sys.argv[2])
    programs: dict[str, Callable[[], Run]] = {
        "lightning": lambda: by_lightning(place, of_lightning.Module()),
        "lightning, full disk": lambda: by_lightning(place, FullDisk()),
        "transformers": lambda: by_transformers(place),
    }
    run = programs[library]()
    asked = steering.RemoteRun.open(run.run_id, run.store).requests() if distributed.get_rank() == 0 else ()
    found = {"step": run.step, "is_open": run.is_open, "answers": [each.told for each in asked]}
    (place / f"{distributed.get_rank()}.json").write_text(json.dumps(found), "utf-8")
    distributed.destroy_process_group()
