"""What happened in a run, as words: the course of its parameters, whether it kept its contract, its resumes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from seedbed.contracts import AuditRun, Feature
from seedbed.records import Snapshot
from seedbed.render.facts._documents import document_of
from seedbed.render.facts._scores import is_number

__all__ = ["ValueUse", "contract_words", "is_untold", "resume_words", "seen_words", "unknown_words", "uses_of"]

_ORIGINS = {
    "changes": "changed by a proposal: an input of this run",
    "derived": "by a rule of its configuration",
}
_AUTO = "AUTO"
_FEATURES = ("sdpa", "flash", "amp", "cdc")


@dataclass(frozen=True)
class ValueUse:
    """One value of a parameter, and the first step that used it; `certain` is false where nobody saw the use.

    `lost_at` is the step at which another value was found in its place, `found` that value; None where none was.
    """

    parameter: str
    step: int
    value: float
    origin: str
    certain: bool
    lost_at: int | None = None
    found: float | str | None = None

    @property
    def words(self) -> str:
        """The value, the step and how sure that is: `from step 151: 0.00075`."""
        if self.lost_at is not None and self.lost_at > self.step:
            last = self.lost_at - 1
            steps = f"step {self.step}" if last == self.step else f"steps {self.step} to {last}"
            return f"{steps}: {self.value:g}; from step {self.lost_at}: {_short(self.found)}, which overwrote it"
        if self.lost_at is not None:
            return f"from step {self.step}: {_short(self.found)}, which overwrote {self.value:g}"
        doubt = "" if self.certain else ", perhaps: nobody saw whether it was used"
        return f"from step {self.step}: {self.value:g}{doubt}"


def uses_of(snapshot: Snapshot) -> tuple[ValueUse, ...]:
    """Every value that was set while the run ran, by parameter and step."""
    found = [use for head, origin in _ORIGINS.items() for use in _uses(snapshot.course.get(head), origin)]
    return tuple(sorted(found, key=lambda use: (use.parameter, use.step)))


def contract_words(snapshot: Snapshot) -> str:
    """The contract and what was witnessed: `STRICT, kept: SDPA and FLASH were seen`; empty where nothing is known."""
    runtime = snapshot.course.get("runtime")
    if not isinstance(runtime, dict) or not runtime:
        return ""
    requested = [name for name in _FEATURES if _fact(runtime, name, "requested")]
    seen = [name.upper() for name in requested if _fact(runtime, name, "used")]
    audit, _ = document_of(snapshot, "audit_run", AuditRun)
    shown_by_none = [name for name in requested if name.upper() not in seen and audit and is_untold(audit, name)]
    asked = [name for name in requested if name not in shown_by_none]
    unseen = [name.upper() for name in asked if name.upper() not in seen]
    answer = "degraded" if runtime.get("degraded") else "not proven" if unseen else "kept" if requested else ""
    facts = (
        f"{', '.join(seen)} seen" if seen else "",
        f"{', '.join(unseen)} not seen" if unseen else "",
        f"no step that was seen could show {', '.join(map(str.upper, shown_by_none))}" if shown_by_none else "",
        "" if requested else "no feature was requested",
    )
    mode = runtime.get("mode")
    head = ", ".join(filter(None, (mode if isinstance(mode, str) else "", answer)))
    return ": ".join(filter(None, (head, "; ".join(filter(None, facts)))))


def seen_words(audit: AuditRun) -> str:
    """How much of a run was witnessed: `COMPAT, 6 of 300 iterations and evaluations seen`."""
    return f"{audit.mode}, {audit.steps_sampled} of {audit.steps} iterations and evaluations seen"


def is_untold(audit: AuditRun, feature: str) -> bool:
    """Whether the feature, such as "sdpa", was left to what the machine can do, and no step could show it.

    Where a step showed another kernel in its place, that was seen.
    """
    is_auto = feature in audit.settings and audit.settings[feature].value == _AUTO
    return is_auto and audit.of(Feature(feature.upper())).observed is None


def resume_words(snapshot: Snapshot) -> str:
    """How often the run was resumed; empty where the record does not say."""
    count = snapshot.course.get("resumes")
    if not isinstance(count, int):
        return ""
    return "never resumed" if count == 0 else "resumed once" if count == 1 else f"resumed {count} times"


def unknown_words(snapshot: Snapshot) -> tuple[str, ...]:
    """What nobody can tell of the run, so that it is not comparable: changes in journals, inputs that were redacted."""
    untold, hidden = (snapshot.course.get(name) for name in ("untold", "hidden"))
    journals, places = (sorted(found) if isinstance(found, dict) else [] for found in (untold, hidden))
    return (
        *(f"no document tells of the changes in {name}: comparable with no run" for name in journals),
        *(f"{place} was replaced as a secret: comparable as an ablation of it alone" for place in places),
    )


def _uses(values: JsonValue, origin: str) -> Iterator[ValueUse]:
    for parameter, items in values.items() if isinstance(values, dict) else ():
        for item in items if isinstance(items, list) else ():
            if isinstance(item, list) and len(item) > 1 and isinstance(item[0], int) and is_number(item[1]):
                yield ValueUse(parameter, item[0], item[1], origin, len(item) == 2, *_loss(item))


def _loss(item: Sequence[JsonValue]) -> tuple[int, float | str] | tuple[()]:
    """The step at which the value was lost, and what was found there; empty where it was not."""
    step, found = (*item[3:5], None, None)[:2]
    return (step, found) if isinstance(step, int) and isinstance(found, int | float | str) else ()


def _short(value: float | str | None) -> str:
    return f"{value:g}" if is_number(value) else str(value)


def _fact(runtime: Mapping[str, JsonValue], feature: str, fact: str) -> bool:
    found = runtime.get(feature)
    return isinstance(found, dict) and found.get(fact) is True
