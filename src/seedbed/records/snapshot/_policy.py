"""Policies of comparison: which inputs may differ."""

from dataclasses import dataclass

from seedbed.records.canonical._json_pointer import unescaped
from seedbed.records.snapshot._course import DERIVED, HIDDEN, UNTOLD

__all__ = ["EXACT", "REPLICATE", "Policy", "ablation", "factor_of"]


@dataclass(frozen=True)
class Policy:
    """A named rule of comparison: the factors, settings and fingerprints in `may_differ` are ignored.

    Each is a full pointer (`/config/optimizer/lr`), or its last names (`optimizer.lr`, `lr`, `seed`). What rules of its
    own configuration changed in a run follows from the other inputs, so it may differ wherever any of them may. Of an
    input that was replaced as a secret nobody knows whether it differs, which is allowed where the input itself may.
    Changes of which no document tells are allowed by none: nobody can say what differs.
    """

    name: str
    may_differ: frozenset[str] = frozenset()

    def allows(self, pointer: str) -> bool:
        """Whether the value at `pointer` may differ."""
        if pointer.startswith(UNTOLD):
            return False
        if pointer.startswith(DERIVED) and self.may_differ:
            return True
        place = _place(pointer)
        # A key may itself have dots in it, as the parameter optimizer.lr has.
        names = ".".join(map(unescaped, place.split("/")[1:])).split(".")
        ends = (".".join(names[start:]) for start in range(len(names)))
        return not self.may_differ.isdisjoint((pointer, place, place.rpartition("/")[2], *ends))


EXACT = Policy("EXACT")
REPLICATE = Policy("REPLICATE", frozenset({"seed"}))


def factor_of(pointer: str) -> str:
    """The short name by which an ablation allows the input at `pointer`: `optimizer.lr`, `seed`, `code`."""
    _, part, *names = map(unescaped, _place(pointer).split("/"))
    return ".".join(names[1:] if part == "course" and len(names) > 1 else names) or part


def _place(pointer: str) -> str:
    """Where the input itself stands, if `pointer` leads to the note that it was replaced as a secret."""
    return unescaped(pointer.removeprefix(HIDDEN)) if pointer.startswith(HIDDEN) else pointer


def ablation(*factors: str) -> Policy:
    """The policy under which the listed factors may differ."""
    return Policy("ABLATION", frozenset(factors))
