"""Policies of comparison: which inputs may differ."""

import re
from dataclasses import dataclass

from seedbed.records.canonical._json_pointer import unescaped
from seedbed.records.snapshot._course import DERIVED, HIDDEN, UNTOLD

__all__ = ["EXACT", "REPLICATE", "Policy", "ablation", "factor_of", "is_seed"]

# Keys in these may be names with dots, as the parameter optimizer.lr is; a dot between digits is of a number.
_DOTTED = ("/config/", "/course/")
_DOT = re.compile(r"(?<!\d)\.|\.(?!\d)")


@dataclass(frozen=True)
class Policy:
    """A named rule of comparison: the factors, settings and fingerprints in `may_differ` are ignored.

    Each is a full pointer (`/config/optimizer/lr`), with or without its first slash, or its last names (`optimizer.lr`,
    `lr`, `seed`). What rules of its own configuration changed in a run follows from the other inputs, so it may differ
    wherever any of them may. Of an input that was replaced as a secret nobody knows whether it differs: an ablation
    allows it where it allows the input itself, REPLICATE never. Changes of which no document tells are allowed by none:
    nobody can say what differs. REPLICATE allows what `is_seed` says.
    """

    name: str
    may_differ: frozenset[str] = frozenset()

    def allows(self, pointer: str) -> bool:
        """Whether the value at `pointer` may differ."""
        if pointer.startswith(UNTOLD):
            return False
        if pointer.startswith(DERIVED) and self.may_differ:
            return True
        if self == REPLICATE:
            return is_seed(pointer)
        if pointer in self.may_differ:
            return True
        place = _place(pointer)
        return not self.may_differ.isdisjoint((place, place[1:], place.rpartition("/")[2], *_ends(place)))


EXACT = Policy("EXACT")
REPLICATE = Policy("REPLICATE", frozenset({"seed"}))


def is_seed(pointer: str) -> bool:
    """Whether the input at `pointer` is a seed: its own name is `seed`, and it is no change made in the run."""
    return pointer.rpartition("/")[2] in REPLICATE.may_differ and not pointer.startswith("/course/")


def factor_of(pointer: str) -> str:
    """The short name by which an ablation allows the input at `pointer`: `optimizer.lr`, `seed`, `code`."""
    _, part, *names = map(unescaped, _place(pointer).split("/"))
    return ".".join(names[1:] if part == "course" and len(names) > 1 else names) or part


def _place(pointer: str) -> str:
    """Where the input itself stands, if `pointer` leads to the note that it was replaced as a secret."""
    return unescaped(pointer.removeprefix(HIDDEN)) if pointer.startswith(HIDDEN) else pointer


def _ends(place: str) -> list[str]:
    """The names, with dots between them, in which the input at `place` ends: `optimizer.lr` and `lr`."""
    names = list(map(unescaped, place.split("/")[1:]))
    if place.startswith(_DOTTED):
        names = [part for name in names for part in _DOT.split(name)]
    return [".".join(names[start:]) for start in range(len(names))]


def ablation(*factors: str) -> Policy:
    """The policy under which the listed factors may differ."""
    return Policy("ABLATION", frozenset(factors))
