"""Where a trained model stands: against the strongest baseline, and on how new a test."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from seedbed.cli.console._render import number, section, value_at

__all__ = ["standing"]

_METRICS = {"ap": "AP", "auc": "AUC", "mrr": "MRR"}
_MANY = 0.05  # a share that a reader of the scores should know


def standing(metrics: Mapping[str, Any]) -> RenderableType:
    """The margins over the strongest baseline, and what is new in the test; nothing for a record without them."""
    rows = [row for kind in sorted(metrics.get("margin", {}), reverse=True) for row in _margins(metrics, kind)]
    parts = [section(Text("against the strongest baseline", style="bold"), rows)] if rows else []
    lines = [(line,) for line in _novelty(metrics)]
    return Group(*parts, *([section(Text("how new the test is", style="bold"), lines)] if lines else []))


def _margins(metrics: Mapping[str, Any], kind: str) -> Iterator[tuple[Text | str, ...]]:
    for metric, label in _METRICS.items():
        best = value_at(metrics, "strongest", kind, metric)
        margin = value_at(metrics, "margin", kind, metric)
        name = _strongest(metrics["baselines"], kind, metric)
        yield f"{label}, {kind} negatives", Text.assemble(f"{name} ", number(best)), _verdict(margin)


def _strongest(baselines: Mapping[str, Any], kind: str, metric: str) -> str:
    return max(baselines, key=lambda name: float(baselines[name][kind][metric])).replace("_", " ")


def _verdict(margin: object) -> Text:
    """Whether the whole interval of the margin is above or below 0, and the margin; without an interval, its sign."""
    ends = [value_at(margin, end) if isinstance(margin, Mapping) else margin for end in ("value", "low", "high")]
    value, low, high = (end if isinstance(end, int | float) else 0.0 for end in ends)
    shown = f" by {abs(value):.3f}" + (f"  [{low:+.3f}, {high:+.3f}]" if isinstance(margin, Mapping) else "")
    if low > 0:
        return Text.assemble(("the model is above", "green"), shown)
    if high < 0:
        return Text.assemble(("the model is BELOW", "bold yellow"), shown)
    return Text.assemble(("no difference is shown", "dim"), f"  [{low:+.3f}, {high:+.3f}]")


def _novelty(metrics: Mapping[str, Any]) -> Iterator[Text]:
    found = metrics.get("novelty")
    if not isinstance(found, Mapping):
        return
    yield Text(
        f"events with a new source {_percent(found['new_sources'])}, with a new destination "
        f"{_percent(found['new_destinations'])}, of a new pair {_percent(found['new_pairs'])}; "
        f"of a source without a past {_percent(found['sources_without_past'])}"
    )
    for part, label in (("seen", "both ends seen before"), ("new", "a new end")):
        yield _split(metrics, part, label, int(found[f"{part}_events"]))
    if found["sources_without_past"] >= _MANY:
        share = _percent(found["sources_without_past"])
        yield Text(f"{share} of the historical negatives are random ones, since the source has no past", style="yellow")
    for kind, shares in sorted(found["negatives"].items(), reverse=True):
        yield from _negatives(kind, shares)


def _split(metrics: Mapping[str, Any], part: str, label: str, count: int) -> Text:
    ap = [value_at(metrics, "by_novelty", part, who, "random", "ap") for who in ("model", "strongest")]
    scores = f": AP {ap[0]:.3f}, the strongest baseline {ap[1]:.3f}" if isinstance(ap[0], float) else ""
    return Text(f"{label}: {count:,} events{scores}")


def _negatives(kind: str, shares: Mapping[str, float]) -> Iterator[Text]:
    """What a reader must know before the scores against these negatives mean anything."""
    said = {
        "unmet": "are destinations that nothing had met before, which a model may know by that alone",
        "true": "are the true destination itself, which no score can tell from it",
    }
    for name, words in said.items():
        if shares[name] >= _MANY:
            yield Text(f"{_percent(shares[name])} of the {kind} negatives {words}", style="yellow")
    if shares["all_true"] >= _MANY:
        words = "every negative is the true destination: they say nothing of the model"
        yield Text(f"for {_percent(shares['all_true'])} of the events, {kind}: {words}", style="yellow")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
