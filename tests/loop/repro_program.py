"""A training that is compared with itself. What is planted in it is named by its first argument."""

import json
import os
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import seedbed

PLANTED = sys.argv[1]
RUNTIME = {"sdpa": "off", "flash": "off", "amp": "off", "cdc": "off"}


def unseeded() -> torch.Generator:
    return torch.Generator().manual_seed(int.from_bytes(os.urandom(6), "little"))


def is_second() -> bool:
    plan = json.loads(Path(os.environ["SEEDBED_REPRO"]).read_text("utf-8"))
    return plan["replay_of"] is not None


def ask_from_outside(run: seedbed.Run) -> None:
    """What somebody else does, in the first run alone; the run looks for requests once a second."""
    if not is_second():
        seedbed.propose(run.run_id, "lr", scale=0.5, why="planted", store=run.store)
        time.sleep(1.1)


torch.manual_seed(0)
x = torch.randn(48, 4)
y = (x.sum(1) > 0).long()
data = TensorDataset(x, y)
loader = DataLoader(data, batch_size=8, shuffle=True, generator=unseeded() if PLANTED == "shuffled" else None)
if PLANTED in {"dropout", "list"}:
    loader = [(x[at : at + 8], y[at : at + 8]) for at in range(0, 48, 8)]  # type: ignore[assignment]
model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 2))
if PLANTED == "freeze":
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
if PLANTED == "dropout":
    torch.seed()
if PLANTED == "nothing":
    sys.exit(0)
if PLANTED == "error":
    raise ValueError("planted")
with seedbed.start(model, optimizer, project="planted", runtime=RUNTIME, quiet=True, store="own-store") as run:
    saves = PLANTED in {"own", "lost", "mean"}
    mean = 0.0  # a state of the loop that is in no checkpoint
    if saves and run.restore("own.pt") and PLANTED == "lost":
        torch.manual_seed(123)
    for _ in run.epochs(2) if saves else range(2):
        for step, (a, b) in run.steps(loader):
            if PLANTED == "draw" and step == 7:
                a = a + torch.randn(a.shape, generator=unseeded())
            loss = nn.functional.cross_entropy(model(a), b)
            mean = 0.9 * mean + 0.1 * loss.item()
            optimizer.zero_grad()
            (loss * (1 + mean) if PLANTED in {"mean", "mean, not saved"} else loss).backward()
            optimizer.step()
            run.log(loss=loss)
            if PLANTED == "time":
                run.log(entropy=int.from_bytes(os.urandom(6), "little"))
            if step == 4 and PLANTED == "overwritten":
                run.propose("dropout", set=0.1, why="planted")
            elif step == 4 and PLANTED == "freeze":
                run.propose("freeze.0.1", set=1, why="planted")
            elif step == 4 and PLANTED == "outside":
                ask_from_outside(run)
            elif step == 4 and PLANTED != "unchanged":
                run.propose("lr", scale=0.5, why="planted")
            if step == 8 and PLANTED == "overwritten" and is_second():
                setattr(model[1], "p", 0.2)  # noqa: B010  its type is that of any module
            if saves:
                run.checkpoint("own.pt", every=2)
    run.result(last=float(loss))
