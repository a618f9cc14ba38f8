"""A training of two processes that is compared with itself; its argument says what is planted in that of rank 1."""

import os
import sys
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import seedbed

PLANTED = sys.argv[1]
RUNTIME = {"sdpa": "off", "flash": "off", "amp": "off", "cdc": "off"}

dist.init_process_group("gloo", timeout=timedelta(seconds=120))
torch.manual_seed(0)
model = DistributedDataParallel(nn.Linear(3, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
torch.manual_seed(dist.get_rank())
with seedbed.start(model, optimizer, project="ranks", runtime=RUNTIME, quiet=True, store="own-store") as run:
    for step, x in run.steps([torch.randn(4, 3) for _ in range(6)]):
        if step == 3:
            run.propose("lr", scale=0.5, why="to see")
        if PLANTED == "draw" and dist.get_rank() == 1 and step == 4:
            x = x * int.from_bytes(os.urandom(2), "big")
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log(loss=loss)
    run.result(loss=1.0)
dist.destroy_process_group()
