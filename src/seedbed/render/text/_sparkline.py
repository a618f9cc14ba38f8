"""A series as one line of blocks, for a terminal."""

import math
from collections.abc import Iterator, Sequence

__all__ = ["sparkline"]

_BLOCKS = "▁▂▃▄▅▆▇█"
_NOT_FINITE = "x"


def sparkline(values: Sequence[float], width: int) -> str:
    """`values` as at most `width` blocks, each as high as the mean of its share of the values.

    A share that holds a NaN or an infinity is shown as x.
    """
    shares = _shares(values, width)
    means = [math.fsum(share) / len(share) if all(map(math.isfinite, share)) else None for share in shares]
    known = [mean for mean in means if mean is not None]
    least, most = min(known, default=0.0), max(known, default=0.0)
    top = len(_BLOCKS) - 1
    scale = top / (most - least) if most > least else 0.0
    return "".join(_NOT_FINITE if mean is None else _BLOCKS[round((mean - least) * scale)] for mean in means)


def _shares(values: Sequence[float], width: int) -> Iterator[Sequence[float]]:
    count = min(width, len(values))
    for number in range(count):
        yield values[number * len(values) // count : (number + 1) * len(values) // count]
