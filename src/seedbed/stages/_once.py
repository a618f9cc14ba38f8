"""Whether (nearly) every source, or every destination, occurs once, as a document number does."""

import logging
from collections.abc import Iterator

import numpy as np

from seedbed.temporal import EventStream

__all__ = ["occurring_once", "warn_of_document_numbers"]

_FEWEST_EVENTS = 100  # among fewer, a node may well not have come again yet
_NEARLY_ALL = 0.95  # of the events

_logger = logging.getLogger("seedbed.stages")


def warn_of_document_numbers(stream: EventStream) -> None:
    """Log a warning for each end of the events whose nodes do not come again, before hours are spent on them."""
    for sentence in occurring_once(stream):
        _logger.warning("%s", sentence)


def occurring_once(stream: EventStream) -> Iterator[str]:
    """One sentence for each end at which nearly every event has a node that occurs in no other event, at either end."""
    if len(stream) < _FEWEST_EVENTS:
        return
    times = np.bincount(np.concatenate([stream.src, stream.dst]), minlength=stream.num_nodes)
    for column, what, nodes in (("src", "sources", stream.src), ("dst", "destinations", stream.dst)):
        if np.mean(times[nodes] == 1) >= _NEARLY_ALL:
            share = np.mean(times[np.unique(nodes)] == 1)
            yield (
                f"{100 * share:.1f} % of the {what} occur once: is data.columns.{column} a document number? Nothing "
                "can be learnt of them; name a column whose values come again, and the document number as event_id"
            )
