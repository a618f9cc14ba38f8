"""The cost of the callbacks of training libraries: a step of a library beside the same step without the callback.

    python benchmarks/integrations_cost.py [--json] [--quick]

Two trainings of one library go on in one process, each in a thread of its own and never both at once: they hand over to
each other step by step, and are compared as `step_pairs` says. Both have a callback that hands over; one has Seedbed's
besides. No step is sampled, and a step takes next to nothing, so that what is added can be seen; the limit is 1 % of a
step of 5 ms, for the upper end of the interval.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import pytorch_lightning as lightning
import torch
import transformers
from torch import Tensor, nn

from seedbed.integrations import LightningCallback, TransformersCallback
from step_pairs import Extra, extra_of, paired_steps

BAR_US = 50.0
WARM = 20
WIDTH, ROWS = 32, 8
FULL, QUICK = 2000, 300


@final
class Turns:
    """A training in a thread of its own, which goes on by one step for each call of `step`."""

    def __init__(self, train: Callable[["Turns"], object]) -> None:
        self._mine, self._theirs = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(train,), daemon=True)
        self._thread.start()
        self.has_ended = False

    def step(self) -> None:
        """Let it take one step. Ends the program where the training has ended."""
        self._mine.release()
        self._theirs.acquire()
        if self.has_ended:
            sys.exit("a training ended before it was measured")

    def hand_over(self) -> None:
        """In its thread, after each step."""
        self._theirs.release()
        self._mine.acquire()

    def end(self) -> None:
        """Let it go on to its end."""
        self._mine.release(10**6)
        self._thread.join()

    def _run(self, train: Callable[["Turns"], object]) -> None:
        self._mine.acquire()
        try:
            train(self)
        finally:
            self.has_ended = True
            self._theirs.release()


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))


class Module(lightning.LightningModule):
    """The small net as a module of Lightning's, which logs its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.net = small_net()

    def training_step(self, batch: Tensor, _place: int) -> Tensor:
        loss: Tensor = self.net(batch).square().mean()
        self.log("train/loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.net.parameters(), lr=1e-4)


class LightningTurn(lightning.Callback):
    """Hands over after each step."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def on_train_batch_end(self, *_: Any) -> None:
        self._turns.hand_over()


def by_lightning(num: int, options: Mapping[str, Any] | None) -> Callable[[Turns], object]:
    """A fit of `num` steps, with Seedbed's callback where there are `options` for it."""

    def train(turns: Turns) -> None:
        ours = [] if options is None else [LightningCallback(**options)]
        trainer = lightning.Trainer(
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="cpu",
            callbacks=[*ours, LightningTurn(turns)],
        )
        trainer.fit(Module(), torch.utils.data.DataLoader(torch.randn(num * ROWS, WIDTH), batch_size=ROWS))  # type: ignore[arg-type]

    return train


class Wrapped(nn.Module):
    """The small net as the Trainer takes a model."""

    def __init__(self) -> None:
        super().__init__()
        self.net = small_net()

    def forward(self, rows: Tensor, *, return_loss: bool = True) -> dict[str, Tensor]:
        assert return_loss  # the Trainer looks at this default, and evaluates the loss
        return {"loss": self.net(rows).square().mean()}


class TransformersTurn(transformers.TrainerCallback):
    """Hands over after each step."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._turns.hand_over()


def by_transformers(num: int, options: Mapping[str, Any] | None) -> Callable[[Turns], object]:
    """A training of `num` steps, with Seedbed's callback where there are `options` for it."""

    def train(turns: Turns) -> None:
        ours = [] if options is None else [TransformersCallback(**options)]
        with tempfile.TemporaryDirectory() as folder:
            given = transformers.TrainingArguments(
                output_dir=folder,
                max_steps=num,
                per_device_train_batch_size=ROWS,
                save_strategy="no",
                report_to="none",
                use_cpu=True,
                disable_tqdm=True,
                logging_steps=100,
            )
            rows = [{"rows": row} for row in torch.randn(num * ROWS, WIDTH)]
            callbacks = [*ours, TransformersTurn(turns)]
            transformers.Trainer(Wrapped(), given, train_dataset=rows, callbacks=callbacks).train()

    return train


LIBRARIES = {"Lightning": by_lightning, "Transformers": by_transformers}


def measure(pairs: int, folder: Path) -> dict[str, Extra]:
    """What a step with the callback costs more, by library."""
    found = {}
    for name, training in LIBRARIES.items():
        runtime = {"mode": "compat", "sample_every": 10**9}
        options = {"project": "cost", "store": folder / name, "quiet": True, "runtime": runtime}
        bare, ours = (Turns(training(WARM + pairs + 1, each)) for each in (None, options))
        for _ in range(WARM):
            bare.step()
            ours.step()
        found[name] = extra_of(paired_steps(bare.step, ours.step, pairs))
        bare.end()
        ours.end()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what the callbacks of training libraries cost.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--quick", action="store_true", help="few pairs")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the threads that come
    torch.set_num_threads(1)
    logging.disable()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(QUICK if options.quick else FULL, Path(folder))
    if options.json:
        print(json.dumps({name: extra.figures() for name, extra in found.items()}))
    else:
        for name, extra in found.items():
            print(f"{name}: {extra.told()}")
    sys.exit(not all(extra.extra_us.high < BAR_US for extra in found.values()))


if __name__ == "__main__":
    main()
