"""A loop whose rate is halved at step 150, and which goes on from its last checkpoint when it is started again.

`resumed_loop_bare.py` is the same one without Seedbed.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import seedbed

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.images / 16, dtype=torch.float32).flatten(1), torch.tensor(digits.target)
data = TensorDataset(images[:1400], labels[:1400])
train = DataLoader(data, batch_size=64, sampler=RandomSampler(data, replacement=True, num_samples=300 * 64))
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 10))
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=300)

with seedbed.start(model, optimizer, scheduler, project="digits") as run:
    run.propose_at(150, "lr", scale=0.5, why="half of the steps are done")
    run.restore("digits.ckpt")
    for _, (x, y) in run.steps(train):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        run.log(loss=loss)
        run.checkpoint("digits.ckpt", every=100)
    model.eval()
    with torch.no_grad():
        correct = model(images[1400:]).argmax(1) == labels[1400:]
    print(f"accuracy {correct.double().mean():.3f}")
    run.result(accuracy=correct)
