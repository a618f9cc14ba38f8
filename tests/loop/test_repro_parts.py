"""The parts of a comparison: digests, the names of tensors, the first difference, the instructions."""

import hashlib
import json
import random

import pytest
import torch
from torch import nn

from seedbed.errors import InvalidInput
from seedbed.loop.repro._compare import ReproDifference, first_difference
from seedbed.loop.repro._digest import _COLUMNS, _LARGE, _WIDTHS, _factors, _multilinear, digest, read_digests
from seedbed.loop.repro._dump import distance, write_dump
from seedbed.loop.repro._parts import Named, batch_parts
from seedbed.loop.repro._plan import VARIABLE, Plan
from seedbed.loop.repro._process import generators
from seedbed.loop.repro._trace import Step, Trace, TraceFile, read_traces
from seedbed.loop.settings import LiveObjects


def test_the_digest_of_a_tensor_is_that_of_its_type_its_shape_and_its_bytes():
    tensor = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    expected = hashlib.sha256(b"torch.float32 (2, 3)" + tensor.numpy().tobytes()).hexdigest()[:32]
    assert digest(tensor) == expected
    assert digest(tensor.t().contiguous().t()) == expected  # the bits count, not how they lie in memory


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.tensor([0.0]), torch.tensor([-0.0])),
        (torch.tensor([1.0, 2.0]), torch.tensor([2.0, 1.0])),
        (torch.tensor([1.0]), torch.tensor([1.0 + 2**-23])),
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.int32)),
        (torch.zeros(1, dtype=torch.bfloat16), torch.ones(1, dtype=torch.bfloat16)),
        (torch.tensor(1), torch.tensor(2)),
        (torch.tensor([True]), torch.tensor([False])),
    ],
)
def test_tensors_that_differ_in_one_bit_in_order_in_shape_or_in_type_have_other_digests(one, other):
    assert digest(one) != digest(other)
    assert digest(one) == digest(one.clone())


def sums_by_hand(data: bytes) -> bytes:
    """What SHA-256 takes of a large tensor, with Python's own numbers."""
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data) - 7, 8)]
    found = b""
    for width in _WIDTHS:
        end = len(words) // width * width
        sums = [sum(words[place:end:width]) % 2**64 for place in range(width)]
        found += b"".join(each.to_bytes(8, "little") for each in sums) + data[end * 8 :]
    return found


@pytest.mark.parametrize("num_bytes", [_LARGE, _LARGE + 13, 3 * _LARGE + 8 * 509])
def test_the_digest_of_a_large_tensor_is_that_of_the_sums_that_it_says(num_bytes):
    tensor = torch.randint(0, 256, (num_bytes,), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    kind = f"torch.uint8 ({num_bytes},)".encode()
    assert digest(tensor) == hashlib.sha256(kind + sums_by_hand(bytes(tensor.tolist()))).hexdigest()[:32]


def test_one_bit_of_any_element_of_a_large_tensor_changes_its_digest():
    tensor = torch.randn(_LARGE // 4 + 77, generator=torch.Generator().manual_seed(0))
    bits, draw, found = tensor.view(torch.int32), random.Random(0), {digest(tensor)}
    changes = {(draw.randrange(len(bits)), draw.randrange(32)) for _ in range(300)} | {(0, 31), (len(bits) - 1, 31)}
    for place, bit in changes:
        changed = bits.clone()
        changed[place] ^= torch.tensor(1 << bit).to(torch.int32)
        found.add(digest(changed.view(torch.float32)))
    assert len(found) == 1 + len(changes)


@pytest.mark.parametrize("apart", [1, 509, 2 * 509, 503, 2 * 503, 2 * 509 * 7])
def test_two_words_that_change_places_or_signs_of_zero_change_the_digest_of_a_large_tensor(apart):
    tensor = torch.zeros(_LARGE // 2)
    tensor[1::2] = torch.arange(_LARGE // 4)
    swapped, signs = tensor.clone(), tensor.clone()
    swapped[[11, 11 + 2 * apart]] = tensor[[11 + 2 * apart, 11]]
    signs[[10, 10 + 2 * apart]] = -0.0
    assert len({digest(tensor), digest(swapped), digest(signs)}) == 3


def test_rows_of_a_large_batch_in_another_order_have_another_digest():
    batch = torch.randn(128, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert digest(batch) != digest(batch.flip(0))
    assert digest(batch) == digest(batch.permute(1, 0, 2, 3).contiguous().permute(1, 0, 2, 3))


def test_a_part_of_a_large_tensor_that_begins_anywhere_has_the_digest_of_its_copy():
    whole = torch.randn(_LARGE)
    assert digest(whole[1:]) == digest(whole[1:].clone())
    assert digest(whole.bfloat16()[3:]) == digest(whole.bfloat16()[3:].clone())


def test_a_draw_from_any_global_generator_changes_its_state_and_that_alone():
    before = generators()
    random.random()
    after = generators()
    assert {name for name in before if before[name] != after[name]} == {"python"}
    torch.rand(1)
    assert {name for name in before if generators()[name] != after[name]} == {"torch"}


def by_hand(data: bytes) -> list[int]:
    """The same sums in Python's own numbers."""
    padded = data + bytes(-len(data) % 4)
    words = [int.from_bytes(padded[at : at + 4], "little", signed=True) for at in range(0, len(padded), 4)]
    columns, rows = (each.tolist() for each in _factors(torch.device("cpu")))
    found = []
    for of_columns, of_rows in zip(columns, rows, strict=True):
        lines = [words[at : at + _COLUMNS] for at in range(0, len(words), _COLUMNS)]
        sums = [sum(word * factor for word, factor in zip(line, of_columns, strict=False)) for line in lines]
        found.append(sum(each * factor for each, factor in zip(sums, of_rows, strict=False)) * 3 % 2**64)
    return found


@pytest.mark.parametrize("size", [0, 1, 3, 4, 4 * 777 + 2, 4 * _COLUMNS + 5])
def test_the_digest_of_a_device_is_the_sum_that_it_says(size):
    data = torch.randint(0, 256, (size,), dtype=torch.uint8, generator=torch.Generator().manual_seed(size))
    assert [each % 2**64 for each in _multilinear(data).tolist()] == by_hand(bytes(data.tolist()))


def test_every_single_bit_of_a_tensor_changes_the_digest_of_a_device():
    data = torch.randint(0, 256, (64,), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = {tuple(_multilinear(data).tolist())}
    for place in range(64):
        for bit in range(8):
            changed = data.clone()
            changed[place] ^= 1 << bit
            found.add(tuple(_multilinear(changed).tolist()))
    assert len(found) == 1 + 64 * 8


def test_digests_on_a_device_are_read_together_with_those_that_are_texts():
    pair = torch.tensor([-1, 5])
    assert read_digests(["a", pair, "b"]) == ["a", "f" * 16 + f"{5:016x}", "b"]


def test_every_tensor_of_a_training_has_a_name_gradients_from_the_last_layer_on():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.randn(4, 2)).sum().backward()
    named = Named.of(LiveObjects.of({"G": model}, {"G": optimizer}))
    found = [name for name, _ in named.gradients(optimizer)]
    assert found == ["gradient G/1.bias", "gradient G/1.weight", "gradient G/0.bias", "gradient G/0.weight"]
    optimizer.step()
    assert "optimizer G/G/0.weight.momentum_buffer" in [name for name, _ in named.optimizer_states()]
    assert [name for name, _ in named.weights()][-1] == "weight G/1.num_batches_tracked"


def test_a_tied_weight_has_the_name_of_its_first_place_and_an_optimizer_with_another_weight_is_not_known():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    named = Named.of(LiveObjects.of(model))
    assert [name for name, _ in named.weights()] == ["weight 0.weight"]
    assert named.knows(torch.optim.SGD(model.parameters()))
    assert not named.knows(torch.optim.SGD([nn.Parameter(torch.ones(1))]))


def test_a_batch_is_seen_in_all_its_nesting():
    batch = {"x": torch.zeros(2), "more": [1, ("text", torch.ones(1))], "other": object()}
    assert [name for name, _ in batch_parts(batch, "1")] == [
        "batch 1.x",
        "batch 1.more.0",
        "batch 1.more.1.0",
        "batch 1.more.1.1",
    ]


def trace(*steps: dict[str, str], values: dict[int, dict[str, float]] | None = None) -> Trace:
    taken = {number: Step(number, digests, {}) for number, digests in enumerate(steps, start=1)}
    return Trace(steps=taken, values=values or {})


def test_the_first_tensor_of_the_first_step_that_differs_is_named_with_the_values_of_that_step():
    one = trace({"batch 1": "a", "weight w": "b"}, {"batch 1": "c", "weight w": "d"}, values={2: {"loss": 1.0}})
    other = trace({"batch 1": "a", "weight w": "b"}, {"batch 1": "x", "weight w": "y"}, values={2: {"loss": 2.0}})
    found = first_difference(one, other)
    assert found == ReproDifference(2, "batch", "1", 2, values=(("loss", "1.0", "2.0"),))
    assert first_difference(one, one) is None


def test_zeros_of_both_signs_differ_and_nan_is_equal_to_nan_among_logged_values():
    nan, zero = trace({}, values={1: {"a": float("nan")}}), trace({}, values={1: {"a": 0.0}})
    assert first_difference(nan, trace({}, values={1: {"a": float("nan")}})) is None
    found = first_difference(zero, trace({}, values={1: {"a": -0.0}}))
    assert found == ReproDifference(1, "value", "a", 1, "0.0", "-0.0")
    assert first_difference(zero, trace({}, values={1: {"a": -0.0}}), {"a"}) is None


def test_fewer_steps_differ_unless_the_run_was_stopped():
    one, other = trace({"weight w": "a"}, {"weight w": "b"}), trace({"weight w": "a"})
    assert first_difference(one, other) == ReproDifference(2, "steps", "", 1, "2 steps", "1 steps")
    assert first_difference(one, other, is_whole=False) is None


def test_a_tensor_that_only_one_run_has_is_a_difference():
    found = first_difference(trace({"gradient w": "a"}), trace({}))
    assert found == ReproDifference(1, "gradient", "w", 1, "there", "not there")


def test_a_trace_is_read_as_it_was_written_up_to_the_last_whole_line(tmp_path):
    file = TraceFile(tmp_path)
    file.write("begin", project="p", run_id="r", step=3, process={"threads": 1})
    file.step(4, ["weight w", "weight v"], ["a" * 32, "b" * 32], {"torch": "t"})
    file.step(5, ["weight w", "weight v"], ["c" * 32, "d" * 32], {"torch": "u"})
    file.close()
    with (tmp_path / "0001.jsonl").open("a") as torn:
        torn.write('{"kind": "st')
    [found] = read_traces(tmp_path)
    assert (found.project, found.begun_after, sorted(found.steps)) == ("p", 3, [4, 5])
    assert found.steps[5] == Step(5, {"weight w": "c" * 32, "weight v": "d" * 32}, {"torch": "u"})
    second = TraceFile(tmp_path)
    second.close()
    assert second.number == 2


def test_the_distance_of_two_tensors_is_that_of_plain_arithmetic(tmp_path):
    write_dump(tmp_path / "a", {"weight w": torch.tensor([3.0, 4.0, 1.0])})
    write_dump(tmp_path / "b", {"weight w": torch.tensor([3.0, 4.5, 1.0])})
    apart = distance(tmp_path / "a", tmp_path / "b", "weight w")
    assert apart is not None
    assert (apart.largest, apart.num_different, apart.num) == (0.5, 1, 3)
    assert apart.first_norm == pytest.approx(26**0.5)
    assert distance(tmp_path / "a", tmp_path / "b", "weight v") is None
    assert distance(tmp_path / "a", tmp_path / "c", "weight w") is None


@pytest.mark.parametrize("data", ['{"traces": "t"}', '{"traces":"t","store":"s","files":"f","more":1}', "no json"])
def test_instructions_that_are_wrong_are_refused_with_the_way_out(tmp_path, data):
    (tmp_path / "plan.json").write_text(data)
    with pytest.raises(InvalidInput, match="`seedbed repro` sets it, unset it"):
        Plan.from_environment({VARIABLE: str(tmp_path / "plan.json")})
    with pytest.raises(InvalidInput, match="No such file"):
        Plan.from_environment({VARIABLE: str(tmp_path / "none.json")})
    assert Plan.from_environment({}) is None


def test_instructions_are_read_as_they_were_written(tmp_path):
    plan = Plan(traces=tmp_path / "t", store=tmp_path / "s", files=tmp_path / "f", every=3, kill_after=7)
    (tmp_path / "plan.json").write_text(plan.model_dump_json())
    assert json.loads(plan.model_dump_json())["every"] == 3
    assert Plan.from_environment({VARIABLE: str(tmp_path / "plan.json")}) == plan
