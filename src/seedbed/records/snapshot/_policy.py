"""Policies of comparison: which inputs may differ."""

from dataclasses import dataclass

from seedbed.records.canonical._json_pointer import unescaped
from seedbed.records.snapshot._course import DERIVED, HIDDEN

__all__ = ["EXACT", "REPLICATE", "Policy", "ablation"]


@dataclass(frozen=True)
class Policy:
    """A named rule of comparison: the factors, settings and fingerprints in `may_differ` are ignored.

    Each is a full pointer (`/config/optimizer/lr`) or its last name (`lr`, `seed`, `code`). What rules of its own
    configuration changed in a run follows from the other inputs, so it may differ wherever any of them may. Of an input
    that was replaced as a secret nobody knows whether it differs, which is allowed where the input itself may.
    """

    name: str
    may_differ: frozenset[str] = frozenset()

    def allows(self, pointer: str) -> bool:
        """Whether the value at `pointer` may differ."""
        if pointer.startswith(DERIVED) and self.may_differ:
            return True
        place = unescaped(pointer.removeprefix(HIDDEN)) if pointer.startswith(HIDDEN) else pointer
        return not self.may_differ.isdisjoint((pointer, place, place.rpartition("/")[2]))


EXACT = Policy("EXACT")
REPLICATE = Policy("REPLICATE", frozenset({"seed"}))


def ablation(*factors: str) -> Policy:
    """The policy under which the listed factors may differ."""
    return Policy("ABLATION", frozenset(factors))
