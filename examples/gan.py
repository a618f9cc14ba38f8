"""Two models and two optimizers, each by a name: a GAN learns a ring of eight points.

The steps of the first optimizer are the steps of the run.
"""

import math

import torch
from torch import nn, optim

import seedbed

torch.manual_seed(0)
angles = torch.arange(8) * (2 * math.pi / 8)
ring = torch.stack([angles.cos(), angles.sin()], dim=1)
generator = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
critic = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
models = {"generator": generator, "critic": critic}
optimizers = {name: optim.Adam(model.parameters(), lr=1e-3, betas=(0.5, 0.9)) for name, model in models.items()}
loss_of = nn.functional.binary_cross_entropy_with_logits
real, fake = torch.ones(128, 1), torch.zeros(128, 1)

with seedbed.start(models, optimizers, project="ring", config={"seed": 0}, gate="changes.effective == 1") as run:
    run.propose_at(200, "critic.lr", scale=0.5, why="the critic is ahead of the generator")
    for _ in range(400):
        with run.one_step():
            points = ring[torch.randint(8, (128,))] + 0.02 * torch.randn(128, 2)
            made = generator(torch.randn(128, 8))
            optimizers["critic"].zero_grad()
            critic_loss = loss_of(critic(points), real) + loss_of(critic(made.detach()), fake)
            critic_loss.backward()
            optimizers["critic"].step()
            optimizers["generator"].zero_grad()
            generator_loss = loss_of(critic(made), real)
            generator_loss.backward()
            optimizers["generator"].step()
            run.log({"loss/critic": critic_loss, "loss/generator": generator_loss})
    with torch.no_grad():
        distance = torch.cdist(generator(torch.randn(1000, 8)), ring).min(dim=1).values
    run.result(distance_to_the_ring=distance)
raise SystemExit(run.exit_code)
