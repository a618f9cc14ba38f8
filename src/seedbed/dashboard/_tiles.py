"""The answers at the top of a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seedbed.contracts import AuditRun, ChangeSummary, Feature, GateReport, RuntimeMode, Verdict
from seedbed.records import Diff
from seedbed.render.facts._course import is_untold
from seedbed.render.facts._results import Results

__all__ = ["Tile", "tiles"]

Tone = Literal["good", "bad", "warn", "plain"]


@dataclass(frozen=True)
class Tile:
    """A question, its answer in a word or two, and the reason."""

    question: str
    answer: str
    tone: Tone
    detail: str


def tiles(
    gate: GateReport | None,
    audit: AuditRun | None,
    changes: ChangeSummary | None,
    diff: Diff,
    results: Sequence[Results] = (),
) -> list[Tile]:
    """Verdict, baselines where there are any, contract, changes and comparison, in that order."""
    return [_verdict(gate), *_baselines(results), _contract(audit), _changes(changes), _comparison(diff)]


def _baselines(results: Sequence[Results]) -> list[Tile]:
    standings = [standing for table in results for standing in table.standings]
    lost = [standing for standing in standings if standing.lost]
    level = sum(standing.is_level for standing in standings)
    unknown = sum(standing.side is None for standing in standings)
    if not standings:
        return []
    count = f"in {len(lost)} of {len(standings)} metrics the strongest baseline is better"
    if lost:
        return [Tile("Baselines", "Below" if len(lost) == len(standings) else "Partly below", "bad", count)]
    if unknown:
        reason = f"no interval in {unknown} of {len(standings)} metrics: too few batches, or none recorded"
        return [Tile("Baselines", "Not shown", "plain", reason)]
    if level:
        return [Tile("Baselines", "Not below", "plain", f"level with the strongest in {level} of {len(standings)}")]
    return [Tile("Baselines", "Beaten", "good", f"better than the strongest in all {len(standings)} metrics")]


def _verdict(gate: GateReport | None) -> Tile:
    if gate is None:
        return Tile("Gate", "Not judged", "plain", "the report was written without a gate")
    tones: dict[Verdict, Tone] = {Verdict.PASS: "good", Verdict.FAIL: "bad"}
    passed = sum(check.verdict is Verdict.PASS for check in gate.checks)
    detail = f"{gate.gate}: {passed} of {len(gate.checks)} checks pass"
    return Tile("Gate", gate.verdict.value.capitalize().replace("_", " "), tones.get(gate.verdict, "warn"), detail)


def _contract(audit: AuditRun | None) -> Tile:
    if audit is None:
        return Tile("Runtime contract", "Unknown", "plain", "no readable audit_run in this record")
    requested = {feature: fact for feature in Feature if (fact := audit.of(feature)).requested}
    unseen = [feature for feature, fact in requested.items() if not fact.used]
    untold = ", ".join(feature for feature in unseen if is_untold(audit, feature.value.lower()))
    lost = ", ".join(feature for feature in unseen if not is_untold(audit, feature.value.lower()))
    could_not = f"no step that was seen could show {untold}"
    if audit.degraded:
        facts = (
            f"{audit.mode}, not observed throughout: {lost or 'see the reasons'}",
            could_not if untold else "",
            "COMPAT goes on and says so, which keeps the contract" if audit.mode is RuntimeMode.COMPAT else "",
        )
        return Tile("Runtime contract", "Degraded", "bad", "; ".join(filter(None, facts)))
    if untold and not lost:
        detail = f"{audit.mode}, left to what the machine can do: {could_not}"
        return Tile("Runtime contract", "Nothing to show", "plain", detail)
    if unseen:
        return Tile("Runtime contract", "Not proven", "warn", f"{audit.mode}, not observed: {', '.join(unseen)}")
    if not requested:
        return Tile("Runtime contract", "Nothing requested", "plain", f"{audit.mode}, no feature requested")
    return Tile("Runtime contract", "Kept", "good", f"{audit.mode}, observed: {', '.join(requested)}")


def _changes(changes: ChangeSummary | None) -> Tile:
    if changes is None:
        return Tile("Changes", "Unknown", "plain", "no readable changes in this record")
    if not changes.requested:
        return Tile("Changes", "None", "plain", "no change was requested")
    tone: Tone = "bad" if changes.failed else "warn" if changes.unknown else "good"
    effective = changes.effective + changes.clamped
    counts = ("clamped", "blocked", "no_op", "failed", "unknown")
    rest = ", ".join(f"{count} {name.replace('_', ' ')}" for name in counts if (count := getattr(changes, name)))
    return Tile("Changes", f"{effective} of {changes.requested} effective", tone, rest or "each seen at its next step")


def _comparison(diff: Diff) -> Tile:
    if diff.prev_run_id is None:
        return Tile("Predecessor", "None", "plain", "nothing earlier may be compared")
    if not diff.comparable:
        return Tile("Predecessor", "Not comparable", "warn", diff.prev_run_id)
    answers = {"EXACT": "Same inputs", "REPLICATE": "A replicate", "ABLATION": "No replicate"}
    answer = answers.get(diff.policy or "", "Comparable")
    note = ", comparable only as an ablation" if diff.policy == "ABLATION" else ""
    return Tile("Predecessor", answer, "warn" if note else "plain", f"{diff.prev_run_id}{note}")
