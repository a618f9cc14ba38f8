"""An ordinary PyTorch loop as a run of Seedbed. `plain_loop_bare.py` is the same one without it."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

import seedbed

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--lr", type=float, default=3e-3)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
torch.manual_seed(args.seed)
digits = load_digits()
images, labels = torch.tensor(digits.images / 16, dtype=torch.float32), torch.tensor(digits.target)
train = DataLoader(TensorDataset(images[:1400], labels[:1400]), batch_size=64, shuffle=True)
attention = nn.TransformerEncoderLayer(32, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True)
model = nn.Sequential(nn.Linear(8, 32), attention, nn.Flatten(), nn.Linear(8 * 32, 10))  # a row of pixels is a token
optimizer = optim.Adam(model.parameters(), lr=args.lr)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs * len(train))

with seedbed.start(model, optimizer, scheduler, project="digits", config=vars(args)) as run:
    for epoch in range(args.epochs):
        for _, (x, y) in run.steps(train):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            run.log(loss=loss)
        print(f"epoch {epoch}: loss {loss.item():.3f}")
    model.eval()
    with torch.no_grad():
        correct = model(images[1400:]).argmax(1) == labels[1400:]
    print(f"accuracy {correct.double().mean():.3f}")
    run.result(accuracy=correct)
