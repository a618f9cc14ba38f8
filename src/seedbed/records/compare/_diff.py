"""The diff of two snapshots: whether they may be compared, changed keys, a patch and metric deltas."""

import math
import shlex
from collections.abc import Container, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from seedbed.records.canonical._canonical import LARGEST_EXACT, Json, digest_bytes, encode, parse_json, plain
from seedbed.records.canonical._json_pointer import Difference, differences, is_under, leaves
from seedbed.records.canonical._names import commit_file
from seedbed.records.canonical._numbers import NOT_FINITE
from seedbed.records.compare._comparison import (
    JudgedDifferences,
    allowed_factor,
    caveat,
    input_differences,
    inputs_among,
    is_untold,
    json_pair,
    judge_differences,
    reason_of,
    strictest_policy,
    unrecorded,
)
from seedbed.records.compare._noise import noise_of
from seedbed.records.compare._severity import PlainDiff, with_severity
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._compared import Compared, compared_course
from seedbed.records.snapshot._course import DERIVED
from seedbed.records.snapshot._policy import REPLICATE, Policy, ablation, factor_of
from seedbed.records.snapshot._snapshot import (
    COMPUTED_FINGERPRINTS,
    DIFF_SCHEMA_VERSION,
    NO_PREDECESSOR,
    TOP_CHANGES,
    Diff,
    Snapshot,
)
from seedbed.records.storage._layout import log_folder

__all__ = [
    "LOST",
    "EarlierCommit",
    "Replicates",
    "allowed_pairs",
    "beside_numbers",
    "diff",
    "diff_since",
    "idle_factors",
    "is_part_of_interval",
    "numbers",
    "shortened",
    "whole",
]

LOST = "the metric "  # begins the reason of a severity where a metric is missing or no number any more
_PARTS_OF_INTERVAL = frozenset({"low", "high", "n", "confidence"})
_MOST_FACTORS = 8
_NUMBER = "a number"
_LISTS = ("changed_keys", "patch", "excluded_factors", "reasons")


class EarlierCommit(NamedTuple):
    """The earlier commit of a diff: its number and digest, its side of the comparison, and its metrics as `numbers`."""

    seq: int
    digest: str
    side: Compared
    metrics: Mapping[str, float]


class Replicates(NamedTuple):
    """The metrics, as `numbers`, of one run for each seed, oldest first, and how many further runs repeat a seed."""

    metrics: Sequence[Mapping[str, float]]
    num_repeats: int = 0


def diff(
    previous: Commit | None,
    current: Snapshot,
    policy: Policy | None = None,
    replicates: Sequence[Mapping[str, float]] = (),
) -> Diff:
    """The diff from `previous` to `current`; without a policy, under the strictest one that allows it.

    `replicates` are the metrics, as returned by `numbers`, of runs with the configuration of `previous`, oldest first,
    one for each seed.
    A first run has no predecessor: its diff is empty and `comparable` is None.
    """
    if previous is None:
        return NO_PREDECESSOR
    before = previous.snapshot
    earlier = EarlierCommit(previous.seq, previous.digest, before, numbers(before))
    return Diff.model_validate(diff_since(earlier, current, policy, Replicates(replicates)))


def diff_since(earlier: EarlierCommit, current: Compared, policy: Policy | None, replicates: Replicates) -> PlainDiff:
    """As `diff`, from the parts of both snapshots that a comparison needs; in the form in which a commit holds it."""
    before = earlier.side
    changes = tuple(differences(_subject(before), _subject(current)))
    inputs = tuple(inputs_among(changes, before, current))
    policy = policy or strictest_policy(inputs)
    judged = judge_differences(before, current, inputs, policy)
    rests_on = caveat(before.fingerprints, current.fingerprints)
    deltas = _metric_deltas(earlier.metrics, numbers(current), replicates)
    differs = any(is_under(change.pointer, ["/metrics"]) for change in changes)
    return with_severity(
        {
            "schema_version": DIFF_SCHEMA_VERSION,
            "summary": _summary(judged, inputs, current, differs=differs) + ("" if judged.reasons else rests_on),
            "prev_run_id": before.run_id,
            "prev_snapshot_seq": earlier.seq,
            "prev_snapshot_path": f"{log_folder(before.project)}/{commit_file(earlier.seq)}",
            "prev_digest": earlier.digest,
            "policy": policy.name,
            "comparable": not judged.reasons,
            "reasons": list(judged.reasons),
            "excluded_factors": list(map(allowed_factor, judged.allowed)),
            "num_changes": len(changes),
            "changed_keys": [change.pointer for change in changes],
            "patch": [change.operation() for change in changes],
            "details": None,
            "metric_deltas": deltas,
        },
        _missing(changes),
    )


def shortened(found: PlainDiff) -> tuple[PlainDiff, bytes | None]:
    """`found` with at most TOP_CHANGES items in each list, and the bytes of the full lists if any was cut."""
    full = {name: found[name] for name in _LISTS}
    if max(map(len, full.values())) <= TOP_CHANGES:
        return found, None
    details = encode(full)
    short = {name: items[:TOP_CHANGES] for name, items in full.items()}
    return {**found, **short, "details": digest_bytes(details)}, details


def whole(found: Diff, details: bytes) -> Diff:
    """`found` with all items of each list, from the bytes that `shortened` returned for it."""
    return Diff.model_validate_json(encode(plain({**found.model_dump(mode="json"), **parse_json(details)})))


def numbers(snapshot: Compared) -> dict[str, float]:
    """Every numeric metric, by its JSON Pointer."""
    return {
        pointer: float(value)
        for pointer, value in leaves(snapshot.metrics)
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def idle_factors(previous: Compared, current: Compared, factors: Sequence[str]) -> dict[str, list[str]]:
    """Those of `factors` by which an ablation allows no difference of the two, each with what may have been meant."""
    pointers = [difference.pointer for difference in input_differences(previous, current)]
    names = {factor_of(pointer).lower(): factor_of(pointer) for pointer in pointers}
    return {
        factor: [names[name] for name in get_close_matches(factor.lower(), names, n=3)]
        for factor in factors
        if not any(map(ablation(factor).allows, pointers))
    }


def is_part_of_interval(pointer: str, known: Container[str]) -> bool:
    """Whether a number is an end of an interval, or its n or confidence, which move with the value or tell less."""
    interval, _, part = pointer.rpartition("/")
    return part in _PARTS_OF_INTERVAL and f"{interval}/value" in known


def allowed_pairs(found: Diff, width: int = 60) -> list[tuple[str, str, str]]:
    """Each input that differs and may, with its values before and after as `json_pair` gives them."""
    ops = {str(operation.get("path")): str(operation.get("op")) for operation in found.patch}
    return [
        (item.name, *json_pair(item.previous, item.current, ops.get(item.name, "replace"), width))
        for item in found.excluded_factors
    ]


def beside_numbers(found: Diff) -> list[str]:
    """The metrics that differ and are no single numbers in both: lists, texts, and what only one of the two has."""
    keys = (key.removeprefix("/metrics") for key in found.changed_keys if key.startswith("/metrics/"))
    return [key for key in keys if key not in found.metric_deltas]


def _missing(changes: Sequence[Difference]) -> str:
    """Which metric of the earlier snapshot the later one lacks or has as NaN, in words; of an interval its value."""
    gone: dict[str, str] = {}
    for change in changes:
        if not change.pointer.startswith("/metrics/") or _kind(change.previous) == _kind(change.current) == _NUMBER:
            continue
        lost = {
            pointer: loss
            for pointer, value in leaves(change.previous, change.pointer)
            if (loss := _loss(value, change.current, is_at_place=pointer == change.pointer))
        }
        gone |= {change.pointer: "is no longer recorded"} if change.op == "remove" else lost
    name = min(gone, key=lambda each: is_part_of_interval(each, gone), default="")
    return f"{LOST}{name.removeprefix('/metrics')} {gone[name]}" if name else ""


def _loss(previous: Json, current: Json, *, is_at_place: bool) -> str:
    """What became of a metric that was measured, in words; empty where nothing is lost, or none was measured.

    `current` stands at the place of the metric, or of an object that held it.
    """
    if not (kind := _kind(previous)):
        return ""
    if isinstance(current, str) and current in NOT_FINITE:
        return f"is {current}"
    if is_at_place and isinstance(previous, list) and isinstance(current, list) and (lost := _lost(previous, current)):
        return f"holds {lost} now"
    return "" if is_at_place and kind == _kind(current) else f"is no longer {kind}"


def _lost(previous: list[Json], current: list[Json]) -> str:
    """The NaN or infinity that `current` holds where `previous` has a number, or anywhere if that has none at all."""
    before, after = (dict(_items(each)) for each in (previous, current))
    found = {place: value for place, value in after.items() if isinstance(value, str) and value in NOT_FINITE}
    if any(isinstance(value, str) and value in NOT_FINITE for value in before.values()):
        found = {place: value for place, value in found.items() if _kind(before.get(place))}
    return str(next(iter(found.values()), ""))


def _items(value: Json, at: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Json]]:
    """Every item of nested lists, with its place."""
    if not isinstance(value, list | tuple):
        yield at, value
        return
    for number, item in enumerate(value):
        yield from _items(item, (*at, number))


def _kind(metric: Json) -> str:
    """What a metric that was measured is; empty for null, a text, true or false, an object and an empty list."""
    if isinstance(metric, list):
        return "a list of numbers" if any(map(_kind, metric)) else ""
    return _NUMBER if isinstance(metric, int | float) and not isinstance(metric, bool) else ""


def _summary(judged: JudgedDifferences, inputs: Sequence[Difference], current: Compared, *, differs: bool) -> str:
    """The answer in a sentence; of runs that an ablation compares, first what makes them no replicates."""
    if judged.reasons:
        return f"not comparable: {judged.reasons[0]}" + (", and more" if len(judged.reasons) > 1 else "")
    told = [difference for difference in inputs if not is_untold(difference)]
    ablated = [difference for difference in told if not REPLICATE.allows(difference.pointer)]
    if ablated:
        more = f", and {len(ablated) - 1} more" if len(ablated) > 1 else ""
        return f"no replicate: {reason_of(ablated[0])}{more}; comparable as {_asked(told)}"
    if any(difference.pointer.startswith(DERIVED) for difference in told):
        return "comparable: a replicate, only the seed and the changes that follow from it differ"
    if told:
        return "comparable: a replicate, only the seed differs"
    if differs:
        return f"comparable: {unrecorded(current)}"
    return f"comparable: every input {'that is told ' if inputs else ''}is the same"


def _asked(inputs: Sequence[Difference]) -> str:
    """The options of `runs diff` under which all of `inputs` may differ; changes by rules of the run always may."""
    named = {each.pointer: factor_of(each.pointer) for each in inputs if not each.pointer.startswith(DERIVED)}
    factors = dict.fromkeys(named.values())
    if len(factors) > _MOST_FACTORS:
        return f"an ablation of {len(factors)} factors"
    # `seed` allows `training.seed` too.
    needed = {
        factor
        for pointer, factor in named.items()
        if not ablation(*(other for other in factors if other != factor)).allows(pointer)
    }
    options = " ".join(f"--factor {shlex.quote(factor)}" for factor in factors if factor in needed)
    return f"`--policy ablation {options}`"


def _subject(snapshot: Compared) -> Json:
    # Left out: the run's name, which always differs; documents and timing, which are not compared; and fingerprints
    # computed from the config, which is compared itself.
    given = {name: value for name, value in snapshot.fingerprints.items() if name not in COMPUTED_FINGERPRINTS}
    return {
        "blobs": dict(snapshot.blobs),
        "config": snapshot.config,
        "course": compared_course(snapshot),
        "factors": snapshot.factors,
        "fingerprints": dict(given),
        "metadata": {name: value for name, value in snapshot.metadata.items() if name != "run_id"},
        "metrics": snapshot.metrics,
    }


def _metric_deltas(before: Mapping[str, float], after: Mapping[str, float], replicates: Replicates) -> dict[str, Json]:
    known = {
        pointer: [metrics[pointer] for metrics in replicates.metrics if pointer in metrics]
        for pointer in after
        if pointer in before
    }
    repeats = replicates.num_repeats
    return {pointer: _delta(before[pointer], after[pointer], found, repeats) for pointer, found in known.items()}


def _delta(previous: float, current: float, replicates: Sequence[float], num_repeats: int) -> Json:
    absolute = current - previous
    percent = 100 * absolute / abs(previous) if previous else math.inf
    noise = noise_of(replicates, current, num_repeats)
    return {
        "previous": _json_number(previous),
        "current": _json_number(current),
        "absolute": _json_number(absolute),
        "percent": _json_number(percent),
        "z": None if noise.z is None else _json_number(noise.z),
        "noise": noise.words,
    }


def _json_number(value: float) -> int | float | None:
    """The number as `plain` has it, where 1.0 is 1; None for what is not finite."""
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) <= LARGEST_EXACT else value
