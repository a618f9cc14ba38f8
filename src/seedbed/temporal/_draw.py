"""Uniform numbers that depend on a seed and a question alone, so that no batch, order or process changes them.

A generator hands its numbers out in the order in which they are asked for: what one question gets would depend on the
others in its batch. Here each number is a hash of what it is for, as in counter-based generators (Salmon et al.,
Parallel random numbers: as easy as 1, 2, 3, SC 2011). The hash is the finalizer of SplitMix64 (Steele, Lea and Flood,
OOPSLA 2014), and the numbers of one question are its successive outputs.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from seedbed.temporal._arrays import Float64, Int64

__all__ = ["QuestionDraw"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_Hash = npt.NDArray[np.uint64]


@final
@dataclass(frozen=True, slots=True)
class QuestionDraw:
    """Draws by a `seed` of several numbers, such as a run's seed and a step: another one gives independent draws."""

    seed: tuple[int, ...]

    def uniform(self, node: Int64, time: Int64, layer: int, k: int) -> Float64:
        """k multiples of 2^-32 in [0, 1) for each question (node, time) of a layer, float64 [Q, k].

        node, time: int64 [Q].
        """
        key = np.random.SeedSequence((*self.seed, layer)).generate_state(1, np.uint64)
        of_node = _mixed(key ^ node.astype(np.uint64))
        of_question = _mixed(of_node ^ time.astype(np.uint64))
        counter = np.arange(1, (k + 1) // 2 + 1, dtype=np.uint64) * _GOLDEN
        halves = _mixed(of_question[:, None] + counter).view(np.uint32)  # each output is two numbers
        found: Float64 = np.multiply(halves[:, :k], 2.0**-32, dtype=np.float64)
        return found


def _mixed(state: _Hash) -> _Hash:
    """The finalizer of SplitMix64, in place: a bit of the state changes every bit of the result half of the time."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state ^= state >> np.uint64(shift)
        state *= np.uint64(factor)
    state ^= state >> np.uint64(31)
    return state
