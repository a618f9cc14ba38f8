"""The fingerprint of data: by content, the same for equal data of any kind, and UNKNOWN where nobody can tell."""

import hashlib
import random

import numpy as np
import polars
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from seedbed.errors import InvalidInput, NotFound
from seedbed.loop.provenance import _arrays, fingerprint_data
from seedbed.records import UNKNOWN, digest

CUBE = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def of(data):
    return fingerprint_data(data).digest


def by_hand(array):
    """The digest that docs/record.md computes of an array."""
    data = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return digest({"dtype": str(array.dtype), "shape": list(array.shape), "data": data})


@pytest.mark.parametrize("chunk", [1 << 26, 40, 8, 1])
@pytest.mark.parametrize(
    "array",
    [CUBE, CUBE.T, CUBE[:, ::2], CUBE[:, :, 1], np.array(3.5), CUBE[:0], CUBE > 3, CUBE.astype(np.int16)],
    ids=["whole", "transposed", "strided", "column", "scalar", "empty", "bool", "int16"],
)
def test_an_array_and_its_tensor_have_the_digest_of_their_bytes_read_in_any_parts(array, chunk, monkeypatch):
    monkeypatch.setattr(_arrays, "_CHUNK", chunk)
    assert of(array) == by_hand(array)
    tensor = torch.from_numpy(array.copy()) if array.ndim == 0 else torch.as_tensor(np.ascontiguousarray(array))
    assert of(tensor) == by_hand(array)


@pytest.mark.parametrize("chunk", [1 << 26, 16])
def test_a_tensor_is_read_in_the_order_of_its_elements_however_it_is_stored(chunk, monkeypatch):
    monkeypatch.setattr(_arrays, "_CHUNK", chunk)
    cube = torch.from_numpy(CUBE)
    assert of(cube.permute(2, 0, 1)) == by_hand(CUBE.transpose(2, 0, 1))
    assert of(cube[:, 1]) == by_hand(CUBE[:, 1])
    assert of(cube[0].expand(5, 3, 4)) == by_hand(np.broadcast_to(CUBE[0], (5, 3, 4)))
    assert of(torch.view_as_complex(cube.reshape(-1, 2)).conj()) == by_hand(
        CUBE.reshape(-1, 2).copy().view(np.complex64)[:, 0].conj()
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.uint16])
def test_a_type_that_numpy_lacks_is_read_too(dtype):
    tensor = torch.arange(6).to(dtype)
    assert of(tensor) == of(tensor.clone()) != of(torch.arange(6).flip(0).to(dtype))
    assert of(tensor) != of(tensor.view(torch.uint8).reshape(-1))


def test_type_shape_and_every_element_count():
    changed = CUBE.copy()
    changed[1, 2, 3] += 1
    others = [changed, CUBE.reshape(6, 4), CUBE.astype(np.float64), CUBE.view(np.int32), CUBE[::-1]]
    assert len({of(each) for each in [CUBE, *others]}) == 6


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (np.array([object()]), "an array of Python objects"),
        (torch.eye(3).to_sparse(), "a tensor of the layout torch.sparse_coo has no plain bytes"),
        (torch.empty(3, device="meta"), "a meta tensor has no plain bytes"),
        (polars.LazyFrame({"x": [1]}), "a lazy frame has no values"),
        ([object()], "an item holds a object"),
        ([np.array([object()])], "an array of Python objects"),
    ],
)
def test_what_nobody_can_read_is_unknown_with_the_reason(data, why):
    found = fingerprint_data(data)
    assert found.digest == UNKNOWN
    assert why in found.source
    whole = fingerprint_data({"train": CUBE, "test": data})
    assert whole.digest == UNKNOWN
    assert whole.source.startswith("test: ")


def test_several_paths_are_read_as_files_and_several_texts_as_texts(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text(path.name)
    found = fingerprint_data(paths)
    assert found.digest == of({"0": paths[0], "1": paths[1]}) != of(tuple(reversed(paths)))
    assert found.source == "0: the bytes of a file; 1: the bytes of a file"
    assert fingerprint_data([str(path) for path in paths]).source == "all 2 items, and how many there are"


def test_data_by_name_count_with_their_names():
    found = fingerprint_data({"train": CUBE, "test": CUBE[:1]})
    assert found.source == "train: dtype, shape and bytes of the array; test: dtype, shape and bytes of the array"
    assert found.facts["test"] == {"dtype": "float32", "shape": [1, 3, 4]}
    assert found.digest == of({"test": CUBE[:1], "train": CUBE}) != of({"train": CUBE[:1], "test": CUBE})


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (7, InvalidInput, "data is a int; expected paths"),
        (b"bytes", InvalidInput, "data is a bytes"),
        ({}, InvalidInput, "data is an empty mapping"),
        ({1: CUBE}, InvalidInput, "data has the key 1, expected names"),
        ({"train": {"x": 7}}, InvalidInput, "data['train']['x'] is a int"),
        ("no/such/folder", NotFound, "data names 'no/such/folder', and there is no such file or folder"),
        ({"test": "s3://bucket/x"}, NotFound, "data['test'] names 's3://bucket/x'"),
    ],
)
def test_what_is_no_data_is_refused_where_it_is_said(data, error, said):
    with pytest.raises(error) as refusal:
        fingerprint_data(data)
    assert said in str(refusal.value)


class Numbers(Dataset):
    def __init__(self, numbers):
        self.numbers = numbers
        self.read = []

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index):
        self.read.append(index)
        return torch.tensor([self.numbers[index]]), {"label": self.numbers[index] % 3, "name": "x", "none": None}


def test_of_a_dataset_a_sample_at_fixed_places_is_read_and_that_is_said():
    dataset = Numbers(list(range(1000)))
    found = fingerprint_data(dataset)
    assert found.source == "sampled 64 of 1000 items, and how many there are"
    assert found.facts == {"items": 1000}
    assert {0, 999} <= set(dataset.read)
    assert len(set(dataset.read)) == 64
    assert found.digest == of(Numbers(list(range(1000))))


def test_a_change_of_a_sampled_item_or_of_the_length_is_seen_and_another_one_is_not():
    numbers = list(range(1000))
    read = Numbers(numbers)
    whole = of(read)
    unread = next(place for place in range(1000) if place not in read.read)
    assert of(Numbers([*numbers[:-1], 7])) != whole
    assert of(Numbers([*numbers, 7])) != whole
    assert of(Numbers([*numbers[:unread], 7, *numbers[unread + 1 :]])) == whole


def test_a_small_dataset_is_read_whole():
    assert fingerprint_data(Numbers([1, 2, 3])).source == "all 3 items, and how many there are"
    assert of([1, 2.5, "x", None, True, (b"y", [np.float32(2)])]) != of(
        [1, 2.5, "x", None, True, (b"y", [np.float32(3)])]
    )
    assert of([]) != of([[]])
    assert of([("ab", "c")]) != of([("a", "bc")])


def test_a_subset_and_a_loader_are_read_as_datasets_and_a_tensor_dataset_as_its_tensors():
    numbers = Numbers(list(range(100)))
    assert fingerprint_data(Subset(numbers, range(70))).source.startswith("sampled 64 of 70")
    assert of(DataLoader(numbers, batch_size=7, shuffle=True)) == of(numbers)
    tensors = TensorDataset(torch.from_numpy(CUBE), torch.arange(2))
    assert of(tensors) == of({"0": CUBE, "1": np.arange(2)})


class Noisy(Numbers):
    def __getitem__(self, index):
        return random.random(), np.random.rand(2), torch.rand(3), self.numbers[index]  # noqa: NPY002


def test_items_that_are_drawn_at_random_are_the_same_each_time_and_the_generators_stay_where_they_were():
    torch.manual_seed(5)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]  # noqa: NPY002
    first = of(Noisy(list(range(200))))
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]  # noqa: NPY002
    assert states == after
    assert torch.initial_seed() == 5
    torch.rand(3)
    assert of(Noisy(list(range(200)))) == first != of(Noisy(list(range(1, 201))))


class Stateful(Numbers):
    def __getitem__(self, index):
        self.read.append(index)
        return len(self.read)


class Broken(Numbers):
    def __getitem__(self, index):
        raise RuntimeError("secret path /home/somebody/data")


class Endless(IterableDataset):
    def __iter__(self):
        yield from ()


class Failing(Numbers):
    def __len__(self):
        raise OSError("gone")


class Lengthless(Dataset):
    def __getitem__(self, index):
        return index


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (Stateful([1, 2, 3]), "an item is another one each time it is read"),
        (Broken([1]), "item 0 cannot be read (RuntimeError)"),
        (Endless(), "a dataset without a length cannot be read without using it up"),
        (Lengthless(), "Lengthless has no length"),
        (Failing([]), "Failing has no length (OSError)"),
    ],
)
def test_a_dataset_that_cannot_be_sampled_fails_no_run(data, why):
    found = fingerprint_data(data)
    assert found.digest == UNKNOWN
    assert why in found.source
    assert "somebody" not in found.source


def test_a_picture_counts_with_its_pixels():
    image = pytest.importorskip("PIL.Image")
    one, same, other = (image.new("RGB", (4, 4), color) for color in ("red", "red", "blue"))
    assert of([one]) == of([same]) != of([other])
    assert of([one]) != of([one.convert("L")])


FRAME = {
    "x": [1, 2, None],
    "y": [0.5, None, -0.0],
    "s": ["a", None, "bc"],
    "b": [True, None, False],
    "l": [[1], [], None],
}


def test_a_frame_counts_with_names_types_values_and_nulls():
    frame = polars.DataFrame(FRAME)
    others = [
        frame.rename({"x": "z"}),
        frame.cast({"x": polars.Int32}),
        frame.with_columns(polars.col("x").fill_null(0)),
        frame.with_columns(polars.col("s").fill_null("")),
        frame.with_columns(polars.col("b").fill_null(False)),
        frame.reverse(),
        frame.select("y", "x", "s", "b", "l"),
        frame.head(2),
    ]
    digests = [of(each) for each in [frame, *others]]
    assert UNKNOWN not in digests
    assert len(set(digests)) == 9
    assert of(polars.concat([frame.head(1), frame.tail(2)])) == digests[0]
    assert fingerprint_data(frame).source == "columns and values of the polars frame"
    assert of(frame["x"]) != of(frame["y"])


def test_dates_categories_and_decimals_of_a_frame_are_read():
    column = polars.Series("d", ["2024-01-01", None, "2025-01-01"])
    frame = polars.DataFrame([column.str.to_date(), column.cast(polars.Categorical).alias("c")])
    other = frame.with_columns(polars.col("c").fill_null("2024-01-01"))
    assert UNKNOWN != of(frame) != of(other) != UNKNOWN
    money = polars.DataFrame({"m": ["1.10", "2.25"]}).cast(polars.Decimal(10, 2))
    assert UNKNOWN != of(money) != of(money.reverse())


def test_a_pandas_frame_counts_with_names_types_values_and_index():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [1, 2, 3], "s": ["a", "b", None]})
    others = [
        frame.rename(columns={"x": "z"}),
        frame.astype({"x": "float64"}),
        frame.iloc[::-1],
        frame.head(2),
        frame["x"],
    ]
    digests = [of(each) for each in [frame, *others]]
    assert len({*digests}) == 6
    assert of(frame.copy()) == digests[0] != UNKNOWN


def test_a_dataset_of_hugging_face_is_known_by_its_own_fingerprint():
    datasets = pytest.importorskip("datasets")
    table = datasets.table.InMemoryTable.from_pydict({"x": [1, 2, 3]})
    one, other = (datasets.Dataset(table, fingerprint=name) for name in ("a1b2", "c3d4"))
    found = fingerprint_data({"train": one})
    assert found.source == "train: the fingerprint that the Hugging Face dataset has of itself"
    assert of(one) == digest("a1b2") != of(other)
