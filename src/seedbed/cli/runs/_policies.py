"""What each policy of comparison says of two runs, as text and as JSON."""

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from seedbed.cli.console._command_line import command

if TYPE_CHECKING:
    from seedbed.records import Commit, Comparison, Diff, Store

__all__ = ["each_policy", "noise_words", "policies_json", "strictest", "swapped"]

_SHOWN = 2
_MAY_DIFFER = {"EXACT": "nothing", "REPLICATE": "the seed and what follows from it"}


def strictest(found: "Sequence[Comparison]") -> list[str]:
    """The strictest policy of `found` that allows the comparison, and why the stricter ones do not; in lines."""
    refused = list(takewhile(lambda each: not each.comparable, found))
    if len(refused) == len(found):
        return ["no policy allows it"]
    used = found[len(refused)].policy
    return [f"policy: {used}, the strictest that allows it", *map(_line, refused)]


def each_policy(found: "Sequence[Comparison]") -> list[str]:
    """One line for each policy, the strictest first: whether it allows the comparison, or the first reasons why not."""
    return list(map(_line, found))


def policies_json(found: "Sequence[Comparison]") -> list[dict[str, object]]:
    """The same with all reasons; `differ` are the inputs that differ and may."""
    return [
        {
            "policy": each.policy,
            "comparable": each.comparable,
            "differ": [item.name for item in each.excluded_factors],
            "reasons": list(each.reasons),
        }
        for each in found
    ]


def noise_words(*, is_recorded: bool) -> str:
    """Of which replicates a verdict on noise is: it changes as more runs finish."""
    which = "as recorded at its commit, of the runs before it" if is_recorded else "with the runs there are now"
    return f"noise: {which}"


def swapped(opened: "Store", store: str, earlier: "Commit", later: "Commit", found: "Diff") -> list[str]:
    """How to judge the pair by the replicates of `later`, where only `earlier` has too few of them."""

    def is_judged(diff: "Diff") -> bool:
        return any(not delta.noise.startswith("not") for delta in diff.metric_deltas.values())

    if not found.metric_deltas or is_judged(found):
        return []
    run, other = later.snapshot.run_id, earlier.snapshot.run_id
    if not is_judged(opened.log(later.snapshot.project).diff(later, earlier)):
        return []
    return [f"{run} has enough replicates, and {other} has too few: {command(store, 'runs', 'diff', other, run)}"]


def _line(each: "Comparison") -> str:
    if not each.comparable:
        return f"{each.policy} does not allow it: {_first(each.reasons, '; ')}"
    differ = _MAY_DIFFER.get(each.policy) or _first(
        [item.name for item in each.excluded_factors if item.previous != item.current], ", "
    )
    untold = [item.name for item in each.excluded_factors if item.previous == item.current]
    rest = f"; that both had the same {_first(untold, ', ')} is assumed, nobody said it" if untold else ""
    return f"{each.policy} allows it: {differ} may differ{rest}"


def _first(texts: Sequence[str], between: str) -> str:
    more = [f"and {len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
    return between.join([*texts[:_SHOWN], *more])
