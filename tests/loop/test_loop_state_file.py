"""The file of a checkpoint: every state comes back as it was, and nothing in a file is executed."""

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn
from torch.optim import lr_scheduler

from seedbed.errors import InvalidInput
from seedbed.loop._state_file import packed, unpacked

PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False)
KEYS = st.text(max_size=4) | st.integers() | st.sampled_from(["$tensor", "$tuple", "$"])
NESTED = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.integers(), st.integers(), max_size=3).map(Counter)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), NESTED, min_size=1, max_size=4))
def test_what_is_packed_comes_back(state):
    assert unpacked(packed(state)) == state


def test_types_come_back_too():
    state = {"betas": (0.9, 0.999), "milestones": Counter({3: 1}), 0: {"step": 3}, "none": None, "yes": True}
    found = unpacked(packed({"a": state}))["a"]
    assert found == state
    assert [type(value) for value in found.values()] == [type(value) for value in state.values()]
    assert math.isnan(unpacked(packed({"x": math.nan}))["x"])
    assert unpacked(packed({"x": np.float64(0.5), "y": np.int64(3)})) == {"x": 0.5, "y": 3}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.float64])
def test_tensors_come_back_bit_by_bit(dtype):
    values = torch.randn(3, 4).to(dtype)
    found = unpacked(packed({"x": values, "t": values.t(), "scalar": values[0, 0], "empty": values[:0]}))
    assert torch.equal(found["x"], values)
    assert torch.equal(found["t"], values.t())
    assert torch.equal(found["scalar"], values[0, 0])
    assert found["empty"].shape == (0, 4)
    assert found["x"].dtype is dtype


def test_a_tied_weight_is_kept_once_and_views_of_one_storage_each():
    weight = torch.randn(1000)
    data = packed({"a": weight, "b": weight, "head": weight[:10]})
    assert len(data) < 1.2 * 4 * 1000
    found = unpacked(data)
    assert torch.equal(found["b"], weight)
    assert torch.equal(found["head"], weight[:10])


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD, torch.optim.Adagrad, torch.optim.NAdam])
@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: lr_scheduler.MultiStepLR(o, [2, 4]),
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=20, cycle_momentum=False),
        lambda o: lr_scheduler.LambdaLR(o, lambda step: 0.9**step),
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.ConstantLR(o), lr_scheduler.CosineAnnealingLR(o, 9)], milestones=[3]
        ),
    ],
)
def test_the_states_of_optimizers_and_schedulers_lead_to_the_same_steps(kind, schedule):
    def build():
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = kind(model.parameters(), lr=0.05)
        return model, optimizer, schedule(optimizer)

    def train(parts, num):
        model, optimizer, scheduler = parts
        for _ in range(num):
            optimizer.zero_grad()
            model(torch.ones(4, 3)).square().sum().backward()
            optimizer.step()
            scheduler.step()

    whole, first, second = build(), build(), build()
    train(whole, 8)
    train(first, 3)
    states = unpacked(packed({str(place): part.state_dict() for place, part in enumerate(first)}))
    for place, part in enumerate(second):
        part.load_state_dict(states[str(place)])
    train(second, 5)
    assert all(torch.equal(a, b) for a, b in zip(whole[0].parameters(), second[0].parameters(), strict=True))


@pytest.mark.parametrize("value", [object(), {"deep": [lambda: 1]}, {1, 2}, torch.eye(2).to_sparse(), np.ones(2)])
def test_what_cannot_be_kept_is_refused_with_its_path(value):
    with pytest.raises(InvalidInput, match=r"^mine"):
        packed({"mine": value})


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 20, -1])
def test_bytes_that_are_not_whole_are_refused(cut):
    data = packed({"x": torch.ones(3), "y": [1, 2]})
    with pytest.raises(ValueError, match=r"."):
        unpacked(data[:cut])
    with pytest.raises(ValueError, match=r"."):
        unpacked(b"not at all")


def test_views_of_one_memory_that_have_other_values_come_back_as_they_are():
    values = torch.tensor([1 + 2j, 3 - 1j])
    state = {"plain": values, "conj": values.conj(), "imag": values.imag, "neg": values.conj().imag}
    found = unpacked(packed(state))
    assert all(torch.equal(found[name], each.resolve_conj().resolve_neg()) for name, each in state.items())
    assert found["neg"].tolist() == [-2.0, 1.0]


def test_tensors_that_live_only_while_they_are_packed_are_not_taken_for_each_other():
    class Made(Mapping):
        def __len__(self):
            return 50

        def __iter__(self):
            return iter(map(str, range(50)))

        def __getitem__(self, name):
            return torch.full((1000,), float(name))

    found = unpacked(packed({"made": Made()}))["made"]
    assert [each[0].item() for each in found.values()] == list(map(float, range(50)))


@pytest.mark.parametrize(
    "value",
    [
        torch.ones(2, device="meta"),
        torch.ones(2, dtype=torch.complex128),
        np.ones(1),
        np.ones((1, 1)),
        np.longdouble(1),
        {"deep": [torch.ones(2, device="meta")]},
    ],
)
def test_what_would_come_back_as_something_else_is_refused_with_its_path(value):
    with pytest.raises(InvalidInput, match=r"^mine"):
        packed({"mine": value})


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_a_quantized_tensor_is_refused_with_its_path():
    with pytest.raises(InvalidInput, match=r"^mine is a torch.strided Tensor of torch.qint8"):
        packed({"mine": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)})


def test_no_byte_of_a_file_can_change_unseen():
    """Each byte is changed in turn: the file is refused, or what comes back is what was given."""
    x, half = torch.tensor([1.5, -2.0]), torch.ones(2, 1, dtype=torch.bfloat16)
    data = packed({"x": x, "half": half, "step": 12, "t": (0.5,)})
    num_found = 0
    for place in range(len(data)):
        for flip in (0x01, 0x20):
            damaged = bytearray(data)
            damaged[place] ^= flip
            try:
                found = unpacked(bytes(damaged))
            except ValueError:
                num_found += 1
            else:
                assert torch.equal(found.pop("x"), x)
                assert torch.equal(found.pop("half"), half)
                assert found == {"step": 12, "t": (0.5,)}
    assert num_found > 1.8 * len(data)


def test_a_file_from_before_there_were_checksums_is_read():
    text = '{"x": {"$tensor": "0"}, "step": 3, "betas": {"$tuple": [0.5]}}'
    found = unpacked(save({"0": torch.arange(3.0)}, {"seedbed": text}))
    assert torch.equal(found.pop("x"), torch.arange(3.0))
    assert found == {"step": 3, "betas": (0.5,)}
