"""Which snapshots may fairly be compared, as pure functions: a policy names what may differ, all else must agree."""

from collections.abc import Iterable, Iterator, Sequence

from seedbed.records.canonical._canonical import Json
from seedbed.records.canonical._json_pointer import Difference, differences
from seedbed.records.snapshot._compared import Compared
from seedbed.records.snapshot._policy import EXACT, REPLICATE, Policy, ablation
from seedbed.records.snapshot._snapshot import COMPUTED_FINGERPRINTS, Comparison, ExcludedFactor

__all__ = [
    "compare",
    "group_differences",
    "input_differences",
    "inputs_among",
    "is_input",
    "is_same_run",
    "judged",
    "narrowest",
    "reason_of",
    "shown",
]

_SHOWN = 60
_INPUTS = ("/config/", "/factors/", "/fingerprints/")


def compare(previous: Compared, current: Compared, policy: Policy = EXACT) -> Comparison:
    """Whether the two may be compared under `policy`. A run is never compared with itself."""
    return judged(previous, current, tuple(input_differences(previous, current)), policy)


def narrowest(previous: Compared, current: Compared, found: Sequence[Difference]) -> Comparison:
    """The comparison under the strictest policy that admits `found`: EXACT, REPLICATE, or an ablation of all of it."""
    pointers = [difference.pointer for difference in found]
    if not pointers:
        return judged(previous, current, found, EXACT)
    policy = REPLICATE if all(map(REPLICATE.allows, pointers)) else ablation(*pointers)
    return judged(previous, current, found, policy)


def judged(previous: Compared, current: Compared, found: Sequence[Difference], policy: Policy) -> Comparison:
    """As `compare`, of the differences between the inputs that are known already."""
    if is_same_run(previous, current):
        reason = f"both are {current.run_id}:{current.stage}; a run is never compared with itself"
        return Comparison(policy=policy.name, comparable=False, reasons=(reason,))
    reasons = (
        *map(reason_of, group_differences(previous, current)),
        *(reason_of(difference) for difference in found if not policy.allows(difference.pointer)),
    )
    return Comparison(
        policy=policy.name,
        comparable=not reasons,
        reasons=reasons,
        excluded_factors=tuple(_excluded(difference) for difference in found if policy.allows(difference.pointer)),
    )


def group_differences(previous: Compared, current: Compared) -> Iterator[Difference]:
    """Where the two comparison groups differ, which no policy allows."""
    return differences(dict(previous.comparison_group), dict(current.comparison_group))


def input_differences(previous: Compared, current: Compared) -> Iterator[Difference]:
    """Where config, factors and fingerprints differ in what can alter a result."""
    parts = ("config", "factors", "fingerprints")
    before, after = ({name: getattr(snapshot, name) for name in parts} for snapshot in (previous, current))
    return inputs_among(differences(before, after), previous, current)


def inputs_among(found: Iterable[Difference], previous: Compared, current: Compared) -> Iterator[Difference]:
    """Those of `found`, differences between two snapshots' parts, that are of inputs which can alter a result."""
    # Group fields have their own reasons; what is computed from the config follows it.
    groups = {*previous.comparison_group, *current.comparison_group}
    aside = {f"/fingerprints/{name.removesuffix('_fingerprint')}" for name in groups}
    aside |= {f"/fingerprints/{name}" for name in COMPUTED_FINGERPRINTS}
    volatile = {f"/config{pointer}" for pointer in {*previous.volatile_settings} & {*current.volatile_settings}}
    for difference in found:
        pointer = difference.pointer
        if is_input(pointer) and pointer not in aside and not _is_under(pointer, volatile):
            yield difference


def is_same_run(previous: Compared, current: Compared) -> bool:
    """Whether both are attempts of one run's one stage."""
    return (previous.project, previous.run_id, previous.stage) == (current.project, current.run_id, current.stage)


def is_input(pointer: str) -> bool:
    """Whether a changed key is of what went in."""
    return pointer.startswith(_INPUTS)


def _is_under(pointer: str, places: Iterable[str]) -> bool:
    return any(pointer == place or pointer.startswith(f"{place}/") for place in places)


def reason_of(difference: Difference) -> str:
    """The difference in words."""
    name = difference.pointer.removeprefix("/").replace("_", " ")
    if difference.op == "add":
        return f"{name} is {shown(difference.current)}, which the earlier run lacks"
    if difference.op == "remove":
        return f"{name} was {shown(difference.previous)}, which the later run lacks"
    return f"{name} differs: {shown(difference.previous)} / {shown(difference.current)}"


def shown(value: Json) -> str:
    """A value as short as it can be told."""
    text = str(value)
    if isinstance(value, str) and len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return f"{text[:8]}…"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _excluded(difference: Difference) -> ExcludedFactor:
    return ExcludedFactor(name=difference.pointer, previous=difference.previous, current=difference.current)
