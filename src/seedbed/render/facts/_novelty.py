"""How new the test of a record is, in sentences and one table; for a record that holds these facts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from seedbed.records import Snapshot
from seedbed.render.facts._scores import is_number

__all__ = ["MEANING", "NoveltyRemark", "NoveltyTable", "novelty_names", "novelty_of"]

MEANING = "new: in no event before this one, of training, validation or test"

_FACTS, _SPLIT = "novelty", "by_novelty"
_METRICS = ("ap", "auc", "mrr")
_PARTS = {"seen": "both ends seen before", "new": "a new end"}
_MANY = 0.05  # a share that a reader of the scores should know
_SHARES = {
    "unmet": "{of} are destinations that nothing had met before, which a model may know by that alone",
    "true": "{of} are the true destination itself, which no score can tell from it",
}

Facts = Mapping[str, JsonValue]


@dataclass(frozen=True)
class NoveltyRemark:
    """A sentence; `warns` says that the scores cannot be understood without it."""

    words: str
    warns: bool = False


@dataclass(frozen=True)
class NoveltyTable:
    """The facts of one test in sentences, and for each part of it the model's scores beside the best baseline's.

    A row has the part, the kind of negatives, and a text for each of `metrics`.
    """

    remarks: tuple[NoveltyRemark, ...]
    metrics: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]


def novelty_of(snapshot: Snapshot) -> NoveltyTable | None:
    """What the record says at `metrics.novelty` and `metrics.by_novelty`; None where that is not as a training's."""
    facts = snapshot.metrics.get(_FACTS)
    if not isinstance(facts, dict) or not all(is_number(facts.get(name)) for name in _facts()):
        return None
    split = _table_of(snapshot.metrics.get(_SPLIT))
    rows = tuple((_part(part, facts), kind, texts) for part, kind, texts in _rows(split))
    return NoveltyTable(tuple(_remarks(facts)), _METRICS, rows)


def novelty_names(snapshot: Snapshot) -> frozenset[str]:
    """The dotted names of the metrics that `novelty_of` tells; a share of 0 is told by saying nothing."""
    facts = snapshot.metrics.get(_FACTS)
    if novelty_of(snapshot) is None or not isinstance(facts, dict):
        return frozenset()
    negatives = {f"{_FACTS}.negatives.{kind}.{name}" for kind, shares in _negatives(facts) for name in shares}
    split = {
        f"{_SPLIT}.{part}.{who}.{kind}.{metric}"
        for part, kind, _ in _rows(_table_of(snapshot.metrics.get(_SPLIT)))
        for who in ("model", "strongest")
        for metric in _METRICS
    }
    return frozenset({f"{_FACTS}.{name}" for name in _facts()} | negatives | split)


def _facts() -> tuple[str, ...]:
    shares = ("new_sources", "new_destinations", "new_pairs", "sources_without_past")
    return (*shares, *(f"{part}_events" for part in _PARTS))


def _remarks(facts: Facts) -> Iterator[NoveltyRemark]:
    source, destination, pair, bare = (_percent(facts[name]) for name in _facts()[:4])
    yield NoveltyRemark(
        f"events with a new source {source}, with a new destination {destination}, of a new pair {pair}"
    )
    if share := facts["sources_without_past"]:
        words = f"{bare} of the events are of a source without a past: their historical negatives are random ones"
        yield NoveltyRemark(words, is_number(share) and share >= _MANY)
    for part, words in _PARTS.items():
        yield NoveltyRemark(f"{words}: {facts[f'{part}_events']:,} events")
    for kind, shares in _negatives(facts):
        yield from _of_negatives(kind, shares)


def _of_negatives(kind: str, shares: Mapping[str, float]) -> Iterator[NoveltyRemark]:
    """Every share that is not 0, and whether a reader must know it before the scores mean anything."""
    for name, words in _SHARES.items():
        if shares[name]:
            yield NoveltyRemark(
                words.format(of=f"{_percent(shares[name])} of the {kind} negatives"), shares[name] >= _MANY
            )
    if shares["all_true"]:
        words = f"{kind}: every negative is the true destination: they say nothing of the model"
        yield NoveltyRemark(f"for {_percent(shares['all_true'])} of the events, {words}", shares["all_true"] >= _MANY)


def _negatives(facts: Facts) -> Iterator[tuple[str, dict[str, float]]]:
    """The three shares of each kind of negatives, random ones first; a kind without all of them is left out."""
    for kind, found in sorted(_table_of(facts.get("negatives")).items(), reverse=True):
        shares = _table_of(found)
        numbers = {name: share for name in (*_SHARES, "all_true") if is_number(share := shares.get(name))}
        if len(numbers) == len(_SHARES) + 1:
            yield kind, numbers


def _rows(split: Facts) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """For each part and kind of negatives, the model's score of each metric and the best baseline's."""
    for part in _PARTS:
        model, best = (_table_of(_table_of(split.get(part)).get(who)) for who in ("model", "strongest"))
        for kind in sorted(model.keys() & best.keys(), reverse=True):
            ours, theirs = _table_of(model[kind]), _table_of(best[kind])
            if all(metric in ours and metric in theirs for metric in _METRICS):
                yield part, kind, tuple(f"{_score(ours[metric])} / {_score(theirs[metric])}" for metric in _METRICS)


def _part(part: str, facts: Facts) -> str:
    return f"{_PARTS[part]} ({facts[f'{part}_events']:,})"


def _score(value: JsonValue) -> str:
    return f"{value:.3f}" if is_number(value) else "none"


def _percent(share: JsonValue) -> str:
    return f"{100 * share:.1f} %" if is_number(share) else "unknown"


def _table_of(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}
