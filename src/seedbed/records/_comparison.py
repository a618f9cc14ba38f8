"""Which snapshots may fairly be compared, as pure functions: a policy names what may differ, all else must agree."""

from collections.abc import Iterator
from dataclasses import dataclass

from seedbed.records._canonical import Json
from seedbed.records._pointer import Difference, differences, without
from seedbed.records._snapshot import COMPUTED_FINGERPRINTS, Comparison, ExcludedFactor, Snapshot

__all__ = ["EXACT", "REPLICATE", "Policy", "ablation", "compare", "is_same_run", "narrowest"]

_SHOWN = 60


@dataclass(frozen=True)
class Policy:
    """A named rule of comparison: the factors, settings and fingerprints in `may_differ` are set aside.

    Each is the pointer of one (`/config/optimizer/lr`) or its last name (`lr`, `seed`, `code`).
    """

    name: str
    may_differ: frozenset[str] = frozenset()

    def allows(self, pointer: str) -> bool:
        """Whether what stands at `pointer` may differ."""
        return pointer in self.may_differ or pointer.rpartition("/")[2] in self.may_differ


EXACT = Policy("EXACT")
REPLICATE = Policy("REPLICATE", frozenset({"seed"}))


def ablation(*factors: str) -> Policy:
    """The policy under which the listed factors may differ."""
    return Policy("ABLATION", frozenset(factors))


def compare(previous: Snapshot, current: Snapshot, policy: Policy = EXACT) -> Comparison:
    """Whether the two may be compared under `policy`. A run is never compared with itself."""
    if is_same_run(previous, current):
        reason = f"both are {current.run_id}:{current.stage.value}; a run is never compared with itself"
        return Comparison(policy=policy.name, comparable=False, reasons=(reason,))
    found = tuple(differences(_inputs(previous), _inputs(current)))
    excluded = tuple(difference for difference in found if policy.allows(difference.pointer))
    reasons = (
        *_group_reasons(previous, current),
        *(_reason(difference) for difference in found if not policy.allows(difference.pointer)),
    )
    return Comparison(
        policy=policy.name,
        comparable=not reasons,
        reasons=reasons,
        excluded_factors=tuple(map(_excluded, excluded)),
    )


def narrowest(previous: Snapshot, current: Snapshot) -> Comparison:
    """The comparison under the strictest of EXACT, REPLICATE and the ablation of all that differs, that holds."""
    observed = ablation(*(difference.pointer for difference in differences(_inputs(previous), _inputs(current))))
    comparison = compare(previous, current, EXACT)
    for policy in (REPLICATE, observed):
        if comparison.comparable:
            break
        comparison = compare(previous, current, policy)
    return comparison


def is_same_run(previous: Snapshot, current: Snapshot) -> bool:
    """Whether both are attempts of one run's one stage."""
    return (previous.project, previous.run_id, previous.stage) == (current.project, current.run_id, current.stage)


def _inputs(snapshot: Snapshot) -> Json:
    # Group fields have their own reasons, and volatile settings cannot alter a result.
    grouped = {name.removesuffix("_fingerprint") for name in snapshot.comparison_group}
    aside = {*grouped, *COMPUTED_FINGERPRINTS}
    return {
        "config": without(dict(snapshot.config), snapshot.volatile_settings),
        "factors": dict(snapshot.factors),
        "fingerprints": {name: value for name, value in snapshot.fingerprints.items() if name not in aside},
    }


def _group_reasons(previous: Snapshot, current: Snapshot) -> Iterator[str]:
    before, after = previous.comparison_group, current.comparison_group
    for difference in differences(dict(before), dict(after)):
        yield _reason(difference)


def _reason(difference: Difference) -> str:
    name = difference.pointer.removeprefix("/").replace("_", " ")
    if difference.op == "add":
        return f"{name} is {_shown(difference.current)}, which the earlier run lacks"
    if difference.op == "remove":
        return f"{name} was {_shown(difference.previous)}, which the later run lacks"
    return f"{name} differs: {_shown(difference.previous)} / {_shown(difference.current)}"


def _shown(value: Json) -> str:
    text = str(value)
    if isinstance(value, str) and len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return f"{text[:8]}…"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _excluded(difference: Difference) -> ExcludedFactor:
    return ExcludedFactor(name=difference.pointer, previous=difference.previous, current=difference.current)
