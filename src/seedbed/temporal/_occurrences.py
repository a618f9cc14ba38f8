"""How often, and in which event last, each group of events occurred before a time: one sorted index of integers."""

from typing import final

import numpy as np

from seedbed.temporal._arrays import Int64

__all__ = ["Occurrences"]


@final
class Occurrences:
    """Indexes M occurrences, each of a group at a rank of time, int64 [M] each and in the order of time.

    The key of an occurrence is its group's index times the number of ranks plus its rank, so no span overflows. Two
    `searchsorted` answer a whole batch.
    """

    def __init__(self, group: Int64, rank: Int64, num_ranks: int) -> None:
        self._num_ranks = num_ranks + 1  # a query may be after the last rank
        self._groups, index = np.unique(group, return_inverse=True)
        key = index * self._num_ranks + rank
        self._order = np.argsort(key, kind="stable")
        self._key = key[self._order]
        self._begin = np.searchsorted(index[self._order], np.arange(len(self._groups)))

    @property
    def first(self) -> Int64:
        """The first occurrence of each group, int64 [G], in no order."""
        return self._order[self._begin]

    def before(self, group: Int64, rank: Int64) -> tuple[Int64, Int64]:
        """How often each group [Q] occurred strictly before a rank [Q], and its last occurrence; -1 where none."""
        index = np.minimum(np.searchsorted(self._groups, group), len(self._groups) - 1)
        end = np.searchsorted(self._key, index * self._num_ranks + rank)
        count = np.where(self._groups[index] == group, end - self._begin[index], 0)
        return count, np.where(count > 0, self._order[end - 1], -1)
