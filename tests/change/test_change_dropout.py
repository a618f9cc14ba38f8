"""Dropout counts as changed when the forward pass dropped by it, in eager and in compiled models."""

from collections.abc import Callable

import pytest
import torch
from change_knob import turned
from torch import nn
from torch.optim import SGD

from seedbed.change import DropoutRate, Use, UseReport
from seedbed.errors import InvalidInput

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")


class Dropping(nn.Module):
    """Drops ones, so that the share of zeros tells the probability that was really used."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(20_000))
        self.first, self.second = nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5))

    def forward(self) -> torch.Tensor:
        return self.second(self.first(self.scale))


def inner(model: Dropping) -> nn.Dropout:
    """The second of its dropouts."""
    found = model.second[0]
    assert isinstance(found, nn.Dropout)
    return found


def share_kept(out: torch.Tensor) -> float:
    return float((out != 0).float().mean())


def a_step(run: Callable[[], torch.Tensor], optimizer: SGD) -> float:
    optimizer.zero_grad()
    out = run()
    out.sum().backward()
    optimizer.step()
    return share_kept(out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "fullgraph"), [(None, False), ("eager", False), ("eager", True), ("inductor", True)], ids=str
)
def test_what_is_seen_is_what_the_forward_pass_really_dropped(backend: str | None, fullgraph: bool) -> None:
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = Dropping()
    optimizer = SGD([model.scale], lr=0.0)
    seen: list[UseReport] = []
    run = torch.compile(model, backend=backend, fullgraph=fullgraph) if backend else model
    assert a_step(run, optimizer) == pytest.approx(0.25, abs=0.02)
    binding = DropoutRate(model, optimizer)
    for value in (0.1, 0.3):
        binding.write(value)
        binding.watch(seen.append)
        for _ in range(2):
            assert a_step(run, optimizer) == pytest.approx((1 - value) ** 2, abs=0.02)
        assert seen.pop() == UseReport(1, value, value, Use.USED)
        assert seen == []


def test_compiled_code_that_skips_the_guard_keeps_the_old_probability_and_never_counts_as_proof() -> None:
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = Dropping()
    optimizer = SGD([model.scale], lr=0.0)
    skipping: dict[str, str | int | bool | Callable[..., object]] = {
        "guard_filter_fn": torch.compiler.skip_guard_on_inbuilt_nn_modules_unsafe
    }
    run = torch.compile(model, backend="eager", options=skipping)
    a_step(run, optimizer)
    seen = turned(DropoutRate(model, optimizer), 0.1)
    assert a_step(run, optimizer) == pytest.approx(0.25, abs=0.02), "the fault: the frame is stale"
    a_step(run, optimizer)
    assert seen == []


def test_only_the_modules_named_are_set() -> None:
    model = Dropping()
    binding = DropoutRate(model, SGD([model.scale], lr=0.0), names=["second"])
    binding.write(0.25)
    assert (model.first.p, inner(model).p) == (0.5, 0.25)
    assert binding.state() == {"second.0": 0.25}


def test_a_forward_pass_in_evaluation_mode_is_no_use() -> None:
    model = Dropping()
    optimizer = SGD([model.scale], lr=0.0)
    seen = turned(DropoutRate(model, optimizer), 0.25)
    model.eval()
    a_step(model, optimizer)
    assert seen == []
    model.train()
    a_step(model, optimizer)
    assert seen == [UseReport(2, 0.25, 0.25, Use.USED)]


def test_a_pass_without_gradients_is_no_use() -> None:
    model = Dropping()
    optimizer = SGD([model.scale], lr=0.0)
    seen = turned(DropoutRate(model, optimizer), 0.25)
    for _ in range(2):
        with torch.no_grad():
            model()  # for the log; the gradients come from elsewhere
        a_step(lambda: model.scale * 2, optimizer)
    assert seen == []
    optimizer.zero_grad()
    model()
    optimizer.step()
    assert seen == [], "nor is a pass before a step without any gradient"
    a_step(model, optimizer)
    assert seen == [UseReport(4, 0.25, 0.25, Use.USED)]


def test_a_module_that_was_replaced_is_found_again_by_its_name() -> None:
    model = Dropping()
    binding = DropoutRate(model, SGD([model.scale], lr=0.0))
    model.first = nn.Dropout(0.9)
    assert binding.state() == {"first": 0.9, "second.0": 0.5}
    binding.write(0.25)
    assert model.first.p == 0.25


@pytest.mark.parametrize(
    "layer",
    [
        nn.TransformerEncoderLayer(4, 2, 8, dropout=0.5, batch_first=True),
        nn.LSTM(4, 4, num_layers=2, dropout=0.5),
        nn.Sequential(nn.Dropout1d(0.5), nn.AlphaDropout(0.5)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_dropout_of_attention_and_recurrent_layers_and_of_every_kind_is_meant(layer: nn.Module) -> None:
    optimizer = SGD([*layer.parameters(), nn.Parameter(torch.ones(1))], lr=0.0)
    seen = turned(DropoutRate(layer, optimizer), 0.0)
    x = torch.randn(2, 3, 4)
    once, again = layer(x), layer(x)
    torch.testing.assert_close(once, again)
    optimizer.param_groups[0]["params"][-1].grad = torch.ones(1)
    optimizer.step()
    assert seen == [UseReport(1, 0.0, 0.0, Use.USED)]


def test_modules_that_differ_or_are_not_there_are_refused() -> None:
    model = Dropping()
    optimizer = SGD([model.scale], lr=0.0)
    model.first.p = 0.1
    with pytest.raises(InvalidInput, match=r"they differ: \{'first': 0.1, 'second.0': 0.5\}"):
        DropoutRate(model, optimizer)
    DropoutRate(model, optimizer, names=["first"])
    with pytest.raises(InvalidInput, match="no module 'third'"):
        DropoutRate(model, optimizer, names=["third"])
    with pytest.raises(InvalidInput, match="there is none"):
        DropoutRate(nn.Linear(2, 2), optimizer)


def test_one_module_that_is_set_apart_is_caught() -> None:
    model = Dropping()
    optimizer = SGD([model.scale], lr=0.0)
    seen = turned(DropoutRate(model, optimizer), 0.25)
    a_step(model, optimizer)
    inner(model).p = 0.75
    a_step(model, optimizer)
    assert (seen[1].expected, seen[1].found) == (0.25, 0.75)
