"""Policies of comparison: which inputs may differ."""

from dataclasses import dataclass

__all__ = ["EXACT", "REPLICATE", "Policy", "ablation"]


@dataclass(frozen=True)
class Policy:
    """A named rule of comparison: the factors, settings and fingerprints in `may_differ` are ignored.

    Each is a full pointer (`/config/optimizer/lr`) or its last name (`lr`, `seed`, `code`).
    """

    name: str
    may_differ: frozenset[str] = frozenset()

    def allows(self, pointer: str) -> bool:
        """Whether the value at `pointer` may differ."""
        return pointer in self.may_differ or pointer.rpartition("/")[2] in self.may_differ


EXACT = Policy("EXACT")
REPLICATE = Policy("REPLICATE", frozenset({"seed"}))


def ablation(*factors: str) -> Policy:
    """The policy under which the listed factors may differ."""
    return Policy("ABLATION", frozenset(factors))
