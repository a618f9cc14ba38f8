"""Which attempts the logs of a run tell of, by what was logged: whatever became of the claims of the attempts."""

from collections.abc import Callable, Iterable

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records.canonical._names import is_name
from seedbed.records.canonical._seal import unseal
from seedbed.records.journal._step_metrics import attempt_of
from seedbed.records.journal._tail import parsed_tail
from seedbed.records.storage._layout import EVENTS, EVENTS_TAIL

__all__ = ["last_logged"]


def last_logged(names: Iterable[str], read: Callable[[str], bytes]) -> int:
    """The latest attempt that logged anything to the files `names` of a run's folder; 0 where none did.

    Points name their attempt. Records of a journal do not: they tell that there was one, which is told as 1. `read`
    gives the bytes of a file; one that it cannot read, or that a later version wrote, tells nothing.
    """
    found = 0
    for name in names:
        if name == EVENTS_TAIL or (name.endswith(".log") and is_name(name)):
            try:
                found = max(found, _told(name, read(name)))
            except (FileNotFoundError, NotFound, StoreCorrupt, InvalidInput):
                continue
    return found


def _told(name: str, data: bytes) -> int:
    if name == EVENTS_TAIL:
        tail = parsed_tail(data, name)
        return tail.attempt if tail and tail.points else 0
    return max(_of_last_points(data) if name == EVENTS else 0, min(len(data), 1))


def _of_last_points(log: bytes) -> int:
    """The attempt of the last points of `log` that can be read."""
    for line in reversed(log.split(b"\n")):
        try:
            body = unseal(line)[0]
        except ValueError:
            continue
        if attempt := attempt_of(body.get("kind"), body.get("payload")):
            return attempt
    return 0
