"""Two traces of one script compared: the first step and the first tensor, in the order of computing, that differ."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import final

from seedbed.loop.repro._trace import Trace

__all__ = ["TENSORS", "VALUE", "ReproDifference", "first_difference", "num_compared"]

VALUE, STEPS = "value", "steps"
TENSORS = frozenset({"batch", "gradient", "optimizer", "weight"})


@final
@dataclass(frozen=True)
class ReproDifference:
    """The first thing that differs: in step `step`, the `what` at the path `where`; `num` of its kind differ there.

    `what` is batch, gradient, optimizer, weight; value, a logged number, where no tensor differs; steps, where one run
    took more of them; or end, where they ended otherwise.
    `first` and `second` are values, in words, where they are known. `values` are the logged values that differ there.
    """

    step: int
    what: str
    where: str
    num: int = 1
    first: str = ""
    second: str = ""
    values: tuple[tuple[str, str, str], ...] = ()

    @property
    def name(self) -> str:
        """The name in the traces."""
        return f"{self.what} {self.where}"


def first_difference(
    first: Trace, second: Trace, ignored: Collection[str] = (), *, is_whole: bool = True
) -> ReproDifference | None:
    """The first difference of two traces, at the steps that both have; None where they are equal.

    Logged values that are `ignored` are left out. With `is_whole`, a run that took fewer steps differs too.
    """
    for step in sorted((first.steps.keys() & second.steps.keys()) | (first.values.keys() & second.values.keys())):
        values = tuple(_values(first, second, step, ignored))
        if tensors := list(_tensors(first, second, step)):
            return replace(tensors[0], num=len(tensors), values=values)
        if values:
            name, here, there = values[0]
            return ReproDifference(step, VALUE, name, len(values), here, there)
    last, other = max(first.steps, default=0), max(second.steps, default=0)
    if is_whole and last != other:
        return ReproDifference(min(last, other) + 1, STEPS, "", 1, f"{last} steps", f"{other} steps")
    return None


def num_compared(first: Trace, second: Trace) -> tuple[int, int]:
    """How many steps both traces have, and the most tensors of one of them."""
    steps = first.steps.keys() & second.steps.keys()
    return len(steps), max((len(first.steps[step].digests) for step in steps), default=0)


def _tensors(first: Trace, second: Trace, step: int) -> Iterator[ReproDifference]:
    if step not in first.steps or step not in second.steps:
        return
    here, there = first.steps[step].digests, second.steps[step].digests
    for name in [*here, *(each for each in there if each not in here)]:
        if here.get(name) != there.get(name):
            what, _, where = name.partition(" ")
            both = ("", "") if name in here and name in there else _presence(name in here)
            yield ReproDifference(step, what, where, first=both[0], second=both[1])


def _presence(is_in_first: bool) -> tuple[str, str]:
    return ("there", "not there") if is_in_first else ("not there", "there")


def _values(first: Trace, second: Trace, step: int, ignored: Collection[str]) -> Iterator[tuple[str, str, str]]:
    mine, theirs = first.values.get(step, {}), second.values.get(step, {})
    for name in mine:
        if name in theirs and name not in ignored and mine[name].hex() != theirs[name].hex():
            yield name, repr(mine[name]), repr(theirs[name])
