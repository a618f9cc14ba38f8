"""Settings of what libraries wrap or build, with the libraries themselves and tiny random models."""

import pytest
import torch
from settings_rig import live, nothing_is_hidden  # noqa: F401
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from seedbed.change import Delta, Scale, Set
from seedbed.loop.settings import LiveObjects, Settings
from seedbed.records import MemoryJournal


@pytest.mark.slow
def test_what_accelerate_wraps_is_seen_through_and_changes_are_proven() -> None:
    accelerate = pytest.importorskip("accelerate")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.1), nn.Linear(8, 1))
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    rows: DataLoader[tuple[torch.Tensor, ...]] = DataLoader(TensorDataset(torch.randn(64, 2)), batch_size=4)
    step = torch.optim.lr_scheduler.StepLR(sgd, 100)
    model, optimizer, loader, scheduler = accelerate.Accelerator(cpu=True).prepare(net, sgd, rows, step)
    settings = Settings(live(model, optimizer, scheduler))
    engine = settings.engine(MemoryJournal())
    settings.add(LiveObjects(loaders={"": loader}))
    for number, (x,) in enumerate(settings.tracked(loader)):
        if number == 2:
            for name in ("lr", "dropout", "batch_size", "freeze.0"):
                op = Set(1.0) if name == "freeze.0" else Scale(2.0)
                settings.propose(Delta(name, op, "by hand", "me"), number)
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        scheduler.step()
    assert [each.outcome.value for each in engine.history.records] == ["EFFECTIVE"] * 4
    assert sgd.param_groups[0]["lr"] == 0.2


@pytest.mark.slow
def test_the_groups_and_ties_of_a_transformer_have_settings_that_people_know() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        n_layer=2, n_head=2, n_embd=8, vocab_size=16, n_positions=8, bos_token_id=0, eos_token_id=0
    )
    model = transformers.GPT2LMHeadModel(config)
    decayed = [weight for weight in model.parameters() if weight.ndim > 1]
    others = [weight for weight in model.parameters() if weight.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    settings = Settings(live(model, optimizer))
    engine = settings.engine(MemoryJournal())
    tokens = torch.randint(16, (4, 8), generator=torch.Generator().manual_seed(0))

    def step() -> None:
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    model.train()
    step()
    for name, op in (
        ("lr", Scale(0.5)),
        ("weight_decay", Set(0.05)),
        ("dropout", Set(0.2)),
        ("freeze.transformer.h.0", Set(1.0)),
    ):
        settings.propose(Delta(name, op, "by hand", "me"), 1)
    step()
    step()
    assert {each.outcome.value for each in engine.history.records} == {"EFFECTIVE"}
    assert len(engine.history.records) == 4
