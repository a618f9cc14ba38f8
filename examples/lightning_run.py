"""A training of Lightning's as a run: one more line, the callback. Changed half-way, by another callback."""

import pytorch_lightning as lightning
import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

from seedbed.integrations import LightningCallback


class Digits(lightning.LightningModule):
    """A small network for images of digits, 8 by 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

    def training_step(self, batch: list[torch.Tensor], _place: int) -> torch.Tensor:
        loss = nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[torch.Tensor], _place: int) -> None:
        self.log("test/accuracy", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = optim.Adam(self.parameters(), lr=3e-3)
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=300)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Halve(lightning.Callback):
    """Halves the learning rate after the third epoch."""

    def on_train_epoch_end(self, trainer: lightning.Trainer, _module: lightning.LightningModule) -> None:
        if trainer.current_epoch == 2:
            callback.run.propose("lr", scale=0.5, why="three epochs are done")


lightning.seed_everything(0, verbose=False)
digits = load_digits()
images, labels = torch.tensor(digits.images / 16, dtype=torch.float32), torch.tensor(digits.target)
train, test = TensorDataset(images[:1400], labels[:1400]), TensorDataset(images[1400:], labels[1400:])
callback = LightningCallback(project="digits", config={"seed": 0}, gate=["changes.effective == 1"])
trainer = lightning.Trainer(max_epochs=6, callbacks=[callback, Halve()], accelerator="cpu", logger=False)
trainer.fit(Digits(), DataLoader(train, batch_size=64, shuffle=True), DataLoader(test, batch_size=64))
raise SystemExit(callback.run.exit_code)
