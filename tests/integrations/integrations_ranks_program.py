"""One process of two that a library trains together: `LIBRARY FOLDER`. Each tells what it has in FOLDER/RANK.json."""

import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import accelerate
import pytorch_lightning as lightning
import test_integrations_lightning as of_lightning
import test_integrations_transformers as of_transformers
import torch
from torch import distributed, nn
from training_world import CLIPPED_TO, NUM_EPOCHS, NUM_STEPS, RATE, ROWS, RUNTIME, epoch, loss_of, outcomes, small_net

import seedbed
from seedbed.integrations import AccelerateTracker, LightningCallback
from seedbed.loop import Run

BROKEN_AT = 6
Trained = tuple[Run, nn.Module]


class Broken(Exception):
    """Ends a training."""


def after(run: Run, *, breaks: bool) -> None:
    """After each step: halve the rate after the third, and end the training after the sixth where it is to break."""
    if run.step == 3 and not run.engine.history.records:
        run.propose("lr", scale=0.5, why="the loss is noisy")
    if breaks and run.step == BROKEN_AT:
        raise Broken


def by_lightning(folder: Path, *, breaks: bool = False, kept: str | None = None) -> Trained:
    """A fit by DistributedDataParallel, resumed from the checkpoint `kept`."""
    callback, module = (
        LightningCallback(project="small", store=folder / "store", runtime=RUNTIME),
        of_lightning.Module(),
    )

    class Acts(lightning.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            after(callback.run, breaks=breaks)

    saves = lightning.callbacks.ModelCheckpoint(
        folder / "kept", every_n_train_steps=4, save_top_k=-1, filename="{step}"
    )
    trainer = of_lightning.trainer(
        folder,
        *(callback, Acts(), saves),
        enable_checkpointing=True,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        accumulate_grad_batches=1,
        devices=2,
        strategy="ddp",
        use_distributed_sampler=False,
    )
    data: Any = torch.cat(epoch())
    rank = int(os.environ["RANK"])  # by itself, Lightning takes the rows in another order where several processes train
    sampler: Any = torch.utils.data.DistributedSampler(data, num_replicas=2, rank=rank, shuffle=False)
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=ROWS, sampler=sampler), ckpt_path=kept)
    return callback.run, module.net


def by_transformers(folder: Path, *, breaks: bool = False, kept: str | None = None) -> Trained:
    """A training by the Trainer, resumed from the checkpoint `kept`."""
    callback, model = of_transformers.callback_of(folder), of_transformers.Wrapped()

    class Acts(of_transformers.transformers.TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            after(callback.run, breaks=False)

        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            after(callback.run, breaks=breaks)

    arguments = of_transformers.transformers.TrainingArguments(
        output_dir=str(folder / "kept"),
        num_train_epochs=NUM_EPOCHS,
        per_device_train_batch_size=ROWS,
        learning_rate=RATE,
        optim="adamw_torch",
        max_grad_norm=CLIPPED_TO,
        lr_scheduler_type="cosine",
        lr_scheduler_kwargs={"num_cycles": 0.25},
        save_steps=4,
        logging_steps=1,
        remove_unused_columns=False,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = of_transformers.InOrder(
        model, arguments, train_dataset=of_transformers.rows(), callbacks=[callback, Acts()]
    )
    trainer.train(resume_from_checkpoint=kept)
    return callback.run, model.net


def by_accelerate(folder: Path, *, breaks: bool = False, kept: str | None = None) -> Trained:
    """A loop of one's own, with what Accelerate prepared, resumed from the checkpoint `kept`."""
    accelerator = accelerate.Accelerator(cpu=True, log_with=[AccelerateTracker()], step_scheduler_with_optimizer=False)
    net = small_net()
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2 * NUM_STEPS)
    rows: Any = torch.utils.data.DataLoader(torch.cat(epoch()), batch_size=ROWS)  # type: ignore[arg-type]
    accelerator.init_trackers("small")
    model, optimizer, loader, schedule = accelerator.prepare(net, optimizer, rows, schedule)
    with seedbed.start(model, optimizer, schedule, project="small", store=folder / "store", runtime=RUNTIME) as run:
        accelerator.register_for_checkpointing(run)
        if kept is not None:
            accelerator.load_state(kept)
        for _ in run.epochs(NUM_EPOCHS):
            for _, batch in run.steps(loader):
                loss = loss_of(model, batch)
                optimizer.zero_grad()
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(model.parameters(), CLIPPED_TO)
                optimizer.step()
                schedule.step()
                accelerator.log({"loss": loss})
                after(run, breaks=breaks)
                if breaks and run.step == 4:
                    accelerator.save_state(str(folder / "kept"))
        run.result(loss=0.5)
    return run, net


def resumed(train: Callable[..., Trained], folder: Path, kept: str) -> dict[str, Any]:
    """Train until it breaks, and go on from the checkpoint of step 4."""
    try:
        train(folder, breaks=True)
    except Broken:
        return told(*train(folder, kept=kept))
    raise AssertionError("it did not break")


def told(run: Run, net: nn.Module) -> dict[str, Any]:
    weights = [value for weight in net.parameters() for value in weight.detach().flatten().tolist()]
    attempt = run.record.attempt if distributed.get_rank() == 0 else None  # rank 0 alone keeps the record
    return {"weights": weights, "outcomes": outcomes(run), "steps": run.step, "id": run.run_id, "attempt": attempt}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    scenario, place = sys.argv[1], Path(sys.argv[2])
    scenarios: dict[str, Callable[[], dict[str, Any]]] = {
        "lightning": lambda: resumed(by_lightning, place, str(place / "kept" / "step=4.ckpt")),
        "transformers": lambda: resumed(by_transformers, place, str(place / "kept" / "checkpoint-4")),
        "accelerate": lambda: resumed(by_accelerate, place, str(place / "kept")),
    }
    found = scenarios[scenario]()
    (place / f"{distributed.get_rank()}.json").write_text(json.dumps(found), "utf-8")
    distributed.destroy_process_group()
