"""A PyTorch loop of 300 steps. `resumed_loop.py` is the same one as a run that is changed half-way and can resume."""

import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.images / 16, dtype=torch.float32).flatten(1), torch.tensor(digits.target)
data = TensorDataset(images[:1400], labels[:1400])
train = DataLoader(data, batch_size=64, sampler=RandomSampler(data, replacement=True, num_samples=300 * 64))
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 10))
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=300)

for x, y in train:
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
model.eval()
with torch.no_grad():
    correct = model(images[1400:]).argmax(1) == labels[1400:]
print(f"accuracy {correct.double().mean():.3f}")
