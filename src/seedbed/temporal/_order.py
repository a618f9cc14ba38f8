"""One sort of events by an owner, by the fastest stable sort that is at hand."""

import numpy as np
import torch

from seedbed.temporal._arrays import Int64

__all__ = ["by_owner"]


def by_owner(owner: Int64, event: Int64) -> Int64:
    """The order, int64 [M], that sorts rows by (owner, event); both int64 [M], owners below 2**31.

    As `np.lexsort((event, owner))`, in half the time: torch sorts 32-bit keys by radix.
    """
    in_time = np.argsort(event, kind="stable")  # two runs in order already, which numpy's stable sort only merges
    keys = torch.from_numpy(owner[in_time].astype(np.int32))
    order: Int64 = in_time[torch.sort(keys, stable=True).indices.numpy()]
    return order
