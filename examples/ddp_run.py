"""A run in several processes: `torchrun --nproc-per-node 2 ddp_run.py`. Every rank runs the same lines."""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import seedbed

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
model = DistributedDataParallel(nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
generator = torch.Generator().manual_seed(rank)  # each rank has data of its own
points = torch.randn(64, 4, generator=generator)
sums = points.sum(1, keepdim=True)

with seedbed.start(model, optimizer, project="ddp", config={"seed": 0}) as run:
    for step, (x, y) in run.steps([(points, sums)] * 60):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log(loss=loss)  # rank 0's is recorded
        if step == 30:
            run.propose("lr", scale=0.5, why="the loss is low")  # all ranks: changed by all of them, or by none
    run.result(loss=loss.item())

dist.destroy_process_group()
