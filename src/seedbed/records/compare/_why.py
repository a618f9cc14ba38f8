"""Why two snapshots differ: what forbids comparing them, and what may have moved a metric, the likeliest first.

Likelihood is counted, not guessed: of the earlier diffs in which a setting changed, in how many did the metric move by
more than noise? Diffs that repeat each other in every value count once. When several settings changed at once, each
gets an equal share of the credit. A prior for each kind of setting counts as one more observation. Of a move that
exceeds the noise, a seed is the cause as often as replicates, which differ in it, exceed their own noise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seedbed.errors import InvalidInput
from seedbed.records.canonical._canonical import Json, encode, plain
from seedbed.records.canonical._json_pointer import Difference
from seedbed.records.compare._candidates import Candidate, candidates
from seedbed.records.compare._cause_words import cause_words
from seedbed.records.compare._comparison import (
    caveat,
    compare_under_each,
    group_differences,
    is_input,
    is_untold,
    reason_of,
    unrecorded,
)
from seedbed.records.compare._diff import LOST, beside_numbers, is_part_of_interval
from seedbed.records.compare._noise import BEYOND_NUMBERS, EXCEEDS, PERCENT_BEYOND, WITHIN
from seedbed.records.snapshot._policy import REPLICATE, is_seed
from seedbed.records.snapshot._snapshot import Comparison, Diff, MetricDelta, Snapshot

__all__ = ["Cause", "Explanation", "why"]

# How likely a change of this kind moves a metric, before the project has a history: the first match counts.
_PRIORS: Sequence[tuple[str, float]] = (
    ("/data_fingerprint", 0.9),
    ("/target", 0.9),
    ("/split_fingerprint", 0.8),
    ("/fingerprints/feature", 0.7),
    ("/model_family", 0.7),
    ("/course/changes", 0.6),
    ("/course/derived", 0.6),
    ("/course/resumes", 0.2),
    ("/course/runtime", 0.5),
    ("/course/packages", 0.2),
    ("/kernels", 0.5),
    ("/data/order", 0.4),
    ("/resume/exact", 0.4),
    ("/length", 0.6),
    ("/config/", 0.5),
    ("/fingerprints/code", 0.4),
    ("/factors/device", 0.2),
    ("/fingerprints/environment", 0.2),
    ("/factors/threads", 0.1),
    ("/code", 0.1),
    ("/imported", 0.1),
    ("/generators", 0.1),
    ("/hardware", 0.05),
)
_OTHER = 0.3  # a seed too, wherever it is recorded
_UNTOLD = 0.1  # that an input differs of which neither run told the fingerprint


@dataclass(frozen=True)
class Cause:
    """A difference that may explain the metric: its `likelihood` from 0 to 1, and the `evidence` for it in words.

    A value is None where that side is null, or where `op` says that it has none: add or remove. `words` say in few
    words what differs.
    """

    name: str
    previous: Json
    current: Json
    likelihood: float
    evidence: str
    op: str = "replace"
    words: str = ""


@dataclass(frozen=True)
class Explanation:
    """What forbids comparing the two, and what may have moved `metric`, likeliest first.

    `disqualifying` forbids it under every policy; `policies` says for each what it finds, the strictest first.
    """

    metric: str | None
    delta: MetricDelta | None
    summary: str
    disqualifying: tuple[str, ...]
    causes: tuple[Cause, ...]
    policies: tuple[Comparison, ...] = ()


def why(
    previous: Snapshot, current: Snapshot, found: Diff, history: Iterable[Diff], metric: str | None = None
) -> Explanation:
    """Explain `found`, the diff of the two; `history` holds the diffs of earlier commits, `metric` is a JSON Pointer.

    The default is the metric that moved most. Raises InvalidInput for a metric that the two do not share.
    """
    chosen = _metric(found, metric)
    delta = found.metric_deltas[chosen] if chosen else None
    past = _once_each(diff for diff in history if chosen in diff.metric_deltas) if chosen else []
    policies = compare_under_each(previous, current)
    found_candidates = candidates(previous, current)
    is_explained = not all(is_untold(each.difference) for each in found_candidates)
    is_replicate = is_explained and [each.policy for each in policies if each.comparable][:1] == [REPLICATE.name]
    causes = [
        _made(each.difference, _UNTOLD, reason_of(each.difference))
        if is_untold(each.difference)
        else _chance(each.difference)
        if is_replicate and REPLICATE.allows(each.of)
        else _beyond_seed(each.difference)
        if delta and delta.noise.startswith(EXCEEDS) and is_seed(each.of)
        else _cause(each, past, chosen)
        for each in found_candidates
    ]
    return Explanation(
        metric=chosen,
        delta=delta,
        summary=("" if metric else _lost_first(found))
        + _summary(found, chosen, current, is_explained=is_explained, is_replicate=is_replicate)
        + (caveat(previous.fingerprints, current.fingerprints) if is_explained else ""),
        disqualifying=tuple(map(reason_of, group_differences(previous, current))),
        causes=tuple(sorted(causes, key=lambda cause: (-cause.likelihood, cause.name))),
        policies=policies,
    )


def _once_each(history: Iterable[Diff]) -> list[Diff]:
    """The diffs without those that another one repeats in every changed key, value and metric."""
    return list({_repeated(diff): diff for diff in history}.values())


def _repeated(found: Diff) -> bytes:
    """What two diffs have in common when the runs of one repeat those of the other, seed included."""
    deltas = {name: [delta.previous, delta.current] for name, delta in found.metric_deltas.items()}
    return encode(plain([found.details, list(found.patch), deltas]))


def _metric(found: Diff, metric: str | None) -> str | None:
    deltas = found.metric_deltas
    if metric is not None and metric not in deltas:
        raise InvalidInput(f"the two runs share no metric {metric}; they share {', '.join(sorted(deltas)) or 'none'}")
    moved = [name for name, delta in deltas.items() if delta.absolute != 0 and not is_part_of_interval(name, deltas)]
    return metric or max(moved, key=lambda name: _distance(deltas[name]), default=None)


def _distance(delta: MetricDelta) -> tuple[bool, bool, float, float]:
    # A difference that is too large for a number is larger than all that are none.
    return delta.absolute is None, delta.z is not None, abs(delta.z or 0.0), abs(delta.percent or 0.0)


def _lost_first(found: Diff) -> str:
    """The metric that is missing or no number any more, which no other one that moved may hide."""
    return f"{found.severity_reason}; " if found.severity_reason.startswith(LOST) else ""


def _summary(found: Diff, metric: str | None, current: Snapshot, *, is_explained: bool, is_replicate: bool) -> str:
    delta = found.metric_deltas[metric] if metric else None
    if metric is None or delta is None or delta.absolute == 0:
        others = beside_numbers(found)
        more = f", and {len(others) - 1} more" if len(others) > 1 else ""
        return f"no number moved, but {others[0]} differs{more}" if others else "no metric moved"
    moved = f"{metric} moved by " + (BEYOND_NUMBERS if delta.absolute is None else f"{delta.absolute:+.4g}")
    if not is_explained:
        return f"{moved}: {unrecorded(current)}"
    if is_replicate:
        is_rare = delta.noise.startswith(EXCEEDS) and delta.z is not None
        often = f"; of 100 replicates {PERCENT_BEYOND} exceed noise so, in each metric" if is_rare else ""
        return (
            f"{moved}, {delta.noise}: nothing that is recorded differs but the seed and what follows from it, so this "
            f"is chance{often}"
        )
    if delta.noise.startswith(WITHIN):
        return f"{moved}, {delta.noise}: chance can explain this"
    beyond = f", {delta.noise}" if delta.noise.startswith(EXCEEDS) else f"; unknown whether by chance: {delta.noise}"
    return f"{moved}{beyond}"


def _cause(candidate: Candidate, past: Sequence[Diff], metric: str | None) -> Cause:
    pointer = candidate.of
    changed = [diff for diff in past if pointer in diff.changed_keys] if metric else []
    judged = [diff for diff in changed if not diff.metric_deltas[metric or ""].noise.startswith("not")]
    moved = [diff for diff in judged if diff.metric_deltas[metric or ""].noise.startswith(EXCEEDS)]
    credit, total = sum(map(_share, moved)), sum(map(_share, judged))
    likelihood = (_prior(pointer) + credit) / (1 + total)
    return _made(candidate.difference, round(likelihood, 3), _evidence(changed, judged, moved))


def _made(difference: Difference, likelihood: float, evidence: str) -> Cause:
    return Cause(
        difference.pointer,
        difference.previous,
        difference.current,
        likelihood,
        evidence,
        difference.op,
        cause_words(difference),
    )


def _chance(difference: Difference) -> Cause:
    """The seed, or what follows from it, where nothing else differs: no history can say more."""
    evidence = "nothing but the seed and what follows from it differs: chance"
    return _made(difference, 1.0, evidence)


def _beyond_seed(difference: Difference) -> Cause:
    """A seed, where the metric moved by more than it explains, and something else differs too."""
    evidence = f"the move exceeds noise, as {PERCENT_BEYOND} of 100 runs do that differ in the seed alone"
    return _made(difference, PERCENT_BEYOND / 100, evidence)


def _share(diff: Diff) -> float:
    """The credit of one of the inputs that changed together."""
    return 1 / max(1, sum(map(is_input, diff.changed_keys)))


def _prior(pointer: str) -> float:
    if is_seed(pointer):
        return _OTHER
    return next((prior for start, prior in _PRIORS if pointer.startswith(start)), _OTHER)


def _evidence(changed: Sequence[Diff], judged: Sequence[Diff], moved: Sequence[Diff]) -> str:
    if not changed:
        return "no earlier run changed it: this is the usual likelihood for its kind"
    if not judged:
        runs = "1 earlier run" if len(changed) == 1 else f"{len(changed)} earlier runs"
        return f"{runs} changed it, but with too few replicates to judge"
    found, num_open = f"the metric moved in {len(moved)} of {len(judged)} earlier runs", len(changed) - len(judged)
    but = f" and could be judged; {num_open} more had too few replicates" if num_open else ""
    return f"{found} that changed it{but}"
