"""The order in which the commits of a log were made: that of their numbers, but for copies.

A copy, which came from another number or store, was made when its original was, so it goes by its time among the
others. These go by number, whatever their clocks said.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

__all__ = ["made_order"]


def made_order(commits: Iterable[tuple[int, datetime, bool]]) -> list[int]:
    """The numbers of `commits` in the order in which they were made; of each its number, its time, and if it is a copy.

    Of two of one moment the higher number comes later.
    """
    latest = datetime.min.replace(tzinfo=UTC)
    moments: list[tuple[datetime, int]] = []
    for seq, when, is_copy in sorted(commits):
        if not is_copy:
            latest = max(latest, when)
        moments.append((when if is_copy else latest, seq))
    return [seq for _, seq in sorted(moments)]
