"""Digests of tensors: equal for equal bits, and different for any others that a training can make of them."""

import hashlib
from functools import cache, lru_cache
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

__all__ = ["Digest", "bytes_digest", "digest", "read_digests"]

Digest: TypeAlias = "str | Tensor"
"""Of a tensor in the memory of the host, 32 hexadecimal digits; else two numbers on its device, read later."""

_HEX = 32
_LARGE = 1 << 16  # bytes from which on SHA-256 takes the sums of a tensor, and not the tensor
_WIDTHS = (509, 503)  # two primes: words that share a sum in both widths lie a multiple of their product apart
_WORD = 8
_OF_NUMPY = frozenset({torch.float32, torch.float64, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool})
_COLUMNS = 1 << 16
_ROWS = 1 << 8  # rows that are multiplied at once: 128 MiB of products
_SEED = 20_260_713


def bytes_digest(data: bytes | bytearray | memoryview) -> str:
    """The digest of bytes."""
    return hashlib.sha256(data).hexdigest()[:_HEX]


def digest(tensor: Tensor) -> Digest:
    """The digest of the bits, the shape and the type of a tensor.

    On the CPU it is SHA-256, cut to 128 bits: of a tensor below 64 KiB itself, and of a larger one of sums. Its 64-bit
    words are summed modulo 2**64, once by their position modulo 509 and once modulo 503, some thirty times as fast.
    A change of one word is always seen, and so is one of two words unless they lie a multiple of 509 * 503 words
    (2 MiB) apart. What is not seen is a change of words that cancels in every sum of both kinds.

    On another device it is the sum of the words at each position times two random odd numbers of that position, modulo
    2**64, so that it needs one pass and no copy to the host. Two different tensors agree in one such sum by a chance of
    at most 2**-31, as in multilinear hashing, and in both by 2**-62.
    """
    bits = _dense(tensor)
    kind = _kind(bits.dtype, bits.shape)
    if bits.is_cpu:
        hashed = hashlib.sha256(kind)
        if bits.nbytes < _LARGE:
            hashed.update((bits if bits.dtype in _OF_NUMPY else bits.reshape(-1).view(torch.uint8)).numpy().data)
        else:
            _hash_sums(hashed, bits)
        return hashed.hexdigest()[:_HEX]
    return _multilinear(bits.reshape(-1).view(torch.uint8)) + int(bytes_digest(kind)[:15], 16)


def read_digests(found: list[Digest]) -> list[str]:
    """Every digest as text: one transfer for each device."""
    remote = [each for each in found if isinstance(each, Tensor)]
    texts: dict[int, str] = {}
    for device in {each.device for each in remote}:
        here = [each for each in remote if each.device == device]
        pairs = torch.stack(here).tolist()
        named = zip(map(id, here), pairs, strict=True)
        texts.update((name, "".join(f"{part % 2**64:016x}" for part in pair)) for name, pair in named)
    return [each if isinstance(each, str) else texts[id(each)] for each in found]


@lru_cache(maxsize=4096)
def _kind(dtype: torch.dtype, shape: torch.Size) -> bytes:
    return f"{dtype} {tuple(shape)}".encode()


def _hash_sums(hashed: "hashlib._Hash", bits: Tensor) -> None:
    data = bits.reshape(-1).view(torch.uint8).numpy()
    words = data[: data.size - data.size % _WORD].view(np.uint64)
    for width in _WIDTHS:
        rows = words.size // width
        hashed.update(np.add.reduce(words[: rows * width].reshape(rows, width), axis=0).data)  # they wrap around
        hashed.update(data[rows * width * _WORD :].data)


def _dense(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    if type(tensor) is not Tensor and type(tensor).__module__.startswith("torch.distributed"):
        tensor = tensor.to_local()  # type: ignore[attr-defined]  # a DTensor: each rank compares its own part
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def _multilinear(data: Tensor) -> Tensor:
    """Two sums of the words of `data`, bytes in one dimension; int64 of shape [2]."""
    wide = torch.nn.functional.pad(data, (0, -data.numel() % 4)).view(torch.int32)
    total = torch.zeros(2, dtype=torch.int64, device=data.device)
    for number, part in enumerate(torch.split(wide, _COLUMNS * _ROWS)):
        rows = -(-part.numel() // _COLUMNS)
        columns = part.numel() if rows == 1 else _COLUMNS
        words = torch.nn.functional.pad(part, (0, rows * columns - part.numel())).view(rows, columns).to(torch.int64)
        of_columns, of_rows = _factors(data.device)
        sums = (words.unsqueeze(0) * of_columns[:, None, :columns]).sum(2)
        total = (total + (sums * of_rows[:, :rows]).sum(1)) * (2 * number + 3)
    return total


@cache
def _factors(device: torch.device) -> tuple[Tensor, Tensor]:
    """Random odd factors: of each column [2, columns], and of each row [2, rows]."""
    generator = torch.Generator().manual_seed(_SEED)
    low, high = torch.iinfo(torch.int64).min, torch.iinfo(torch.int64).max
    drawn = torch.randint(low, high, (2, _COLUMNS + _ROWS), generator=generator, dtype=torch.int64) | 1
    return drawn[:, :_COLUMNS].to(device), drawn[:, _COLUMNS:].to(device)
