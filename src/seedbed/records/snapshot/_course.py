"""What happened in a run, as inputs of its result: changes that were made while it ran, its runtime, its resumes."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import isfinite
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from seedbed.contracts import ChangeReport, ChangeSummary, Outcome
from seedbed.records.canonical._canonical import Json, plain
from seedbed.records.canonical._json_pointer import differences

__all__ = [
    "DERIVED",
    "HIDDEN",
    "UNTOLD",
    "change_summaries",
    "course_of",
    "course_words",
    "is_kept",
    "resumes_of",
    "with_packages",
]

DERIVED = "/course/derived/"
HIDDEN = "/course/hidden/"
UNTOLD = "/course/untold"
_FEATURES = ("sdpa", "flash", "amp", "cdc")
_FACTS = ("requested", "used")
_USE = re.compile(r"effective: step (\d+) used ")
_COUPLED = re.compile(r", with (\w+) (\S+?)(?=,|$)")
_LOST = re.compile(r"failed: at step (\d+): expected \S+, found (\S+);")
# In a training that a record of version 2 is of, nobody else could propose. Their settings stand here in its config.
_STALL_RULE, _REPLAY, _SETTINGS = "stall rule", "replay of ", "change"


def course_of(
    documents: Mapping[str, Any],
    config: Json,
    resumes: int,
    untold: Mapping[str, str] = MappingProxyType({}),
    hidden: Mapping[str, str] = MappingProxyType({}),
    *,
    says_who_registered: bool = True,
) -> dict[str, Any]:
    """What happened in a run, from its `documents`, and how often it was resumed.

    Every document that is a summary of changes counts, since a run may have several engines, and `audit_run`.

    `changes` and `derived` hold, for each parameter, every value that was set and the step from which it was used:
    `[step, value]`, with the outcome as a third item when that is not known for certain, and for one that was lost at a
    later step that step and the value that was found. A setting that a change moved together with its own stands under
    the name of both, such as `batch_size.rate`. A change is derived when
    its proposer was registered before the first change, and the settings that it was registered with stand under its
    name in `config`, which is given without what is volatile: it follows from the configuration and the seed. Those
    of a training's rule stand under "change". Records of version 2 do not say who was registered: then a change is
    derived when only the rule of a training can have made it. `runtime` holds the contract's mode, which features it
    requested and which were used, and whether the run was degraded. Documents of another form give nothing. `untold` is
    there where the run has journals of changes that no document tells of: their last digests, by the file's name.
    `hidden` is there where inputs were replaced as secrets and may be none: the run that had them, by JSON Pointer, so
    that no other run has the same.
    """
    made: dict[str, dict[str, list[Json]]] = {"changes": {}, "derived": {}}
    for _, summary in sorted(change_summaries(documents).items()):
        for change, item, is_derived in _uses(summary, config, says_who_registered):
            of = made["derived" if is_derived else "changes"]
            of.setdefault(change.parameter, []).append(item)
            for name, value in _coupled(change):
                of.setdefault(f"{change.parameter}.{name}", []).append([item[0], value, *item[2:3]])
    found = {**made, "runtime": _runtime(documents.get("audit_run")), "resumes": resumes}
    others = {"untold": dict(untold), "hidden": dict(hidden)}
    return found | {name: told for name, told in others.items() if told}


def with_packages(course: Mapping[str, Any], process: Json, documents: Mapping[str, Any]) -> dict[str, Any]:
    """`course` with the versions of packages that the record tells, as `packages`: they are inputs of the result too.

    They stand in `process.environment`, as `environment_facts` gives them, and that of PyTorch in `audit_run`, which
    counts where both tell it. Records of former Seedbeds have no such part, and are compared by what they tell. Without
    any there is none.
    """
    told = _object(_object(_object(process).get("environment")).get("packages"))
    audited = {"torch": _object(documents.get("audit_run")).get("pytorch_version")}
    packages = {name: found for each in (told, audited) for name, found in each.items() if isinstance(found, str)}
    return dict(course) if "packages" in course or not packages else {**course, "packages": packages}


def change_summaries(documents: Mapping[str, Any]) -> dict[str, ChangeSummary]:
    """The documents that are summaries of changes, by name."""
    found = {}
    for name, document in documents.items():
        with suppress(ValidationError):
            found[name] = ChangeSummary.model_validate(document)
    return found


def resumes_of(attempt: int, points: Iterable[tuple[int, int]], resumed: Iterable[Sequence[int]] = ()) -> int:
    """How many attempts before `attempt` made steps that its result rests on, by the logged (attempt, step).

    Steps that a later attempt took again are lost work. An attempt of which no step is left is counted unless the log
    has no room for one: the next step that was logged follows at once. A log without points says nothing: all count.
    `resumed` are the steps at which each journal of changes was resumed, in order: what they show counts too, since a
    run that logs once an epoch shows no step of an attempt that ended within the first one.
    """
    return max(_resumes_by_steps(attempt, points), *(_resumes_by_journal(steps) for steps in ((), *resumed)))


def _resumes_by_journal(steps: Sequence[int]) -> int:
    begun = [0]  # the steps at which those attempts began whose work is left
    for step in steps:
        while begun and begun[-1] >= step:
            begun.pop()
        begun.append(step)
    return len(begun) - 1


def _resumes_by_steps(attempt: int, points: Iterable[tuple[int, int]]) -> int:
    logged: dict[int, list[int]] = {}
    for number, step in points:
        logged.setdefault(number, []).append(step)
    steps = {number: sorted(found) for number, found in logged.items()}
    return sum(_is_rested_on(number, steps) for number in range(1, attempt)) if steps else attempt - 1


def _is_rested_on(attempt: int, steps: Mapping[int, Sequence[int]]) -> bool:
    following = min((found[0] for number, found in steps.items() if number > attempt), default=None)
    if following is None:
        return True
    below = {number: bisect_left(found, following) for number, found in steps.items() if number <= attempt}
    if below.get(attempt):
        return True
    last = max((steps[number][count - 1] for number, count in below.items() if count), default=0)
    return following - last > 1


def course_words(course: Mapping[str, Any]) -> tuple[str, ...]:
    """In words what a run had that one that nobody touched has not: changes from outside, degraded, resumed."""
    runtime, resumes = course["runtime"], course["resumes"]
    return (
        *(f"{parameter} was changed" for parameter in sorted(course["changes"])),
        *(f"changes in {name} that no document tells of" for name in sorted(course.get("untold", ()))),
        *(["degraded"] if runtime.get("degraded") else []),
        *([f"resumed {resumes} times" if resumes > 1 else "resumed"] if resumes else []),
    )


def is_kept(step: int, points: Iterable[tuple[int, int]], attempt: int, made_in: int | None = None) -> bool:
    """Whether work after `step` of an attempt before `attempt` was kept, by the logged (attempt, step).

    It is asked of the attempt `made_in`; of all earlier ones where that is not known. It counts as lost where a later
    attempt began again at the next step that was logged, or before. Without a later step of an earlier attempt nothing
    is known, and nothing is said to be kept.
    """
    logged: dict[int, list[int]] = {}
    for number, at in points:
        logged.setdefault(number, []).append(at)
    following = {number: min((at for at in found if at > step), default=None) for number, found in logged.items()}
    asked = range(1, attempt) if made_in is None else [made_in]
    earlier = {number: at for number, at in following.items() if at is not None and number in asked}
    return bool(earlier) and not any(
        min(found) <= at for number, at in earlier.items() for later, found in logged.items() if later > number
    )


def _uses(
    found: ChangeSummary, config: Json, says_who_registered: bool
) -> Iterator[tuple[ChangeReport, list[Any], bool]]:
    registered = {name for name, settings in found.proposers.items() if _stand_in(config, name, plain(settings))}
    of_training = not says_who_registered and isinstance(config, dict) and isinstance(config.get(_SETTINGS), dict)
    for change in found.changes:
        is_derived = change.proposer in registered or (of_training and _is_of_training(change.proposer))
        if item := _use(change):
            yield change, item, is_derived


def _use(change: ChangeReport) -> list[Any]:
    """The step from which the change was used, its value, and its outcome if it is not certain; empty if it was not."""
    step = next((int(found[1]) for sentence in change.story if (found := _USE.match(sentence))), None)
    if change.outcome in {Outcome.EFFECTIVE, Outcome.CLAMPED}:
        return [change.step + 1 if step is None else step, change.after]
    if change.outcome is Outcome.UNKNOWN or (change.outcome is Outcome.FAILED and _may_have_stayed(change)):
        return [change.step + 1 if step is None else step, change.after, change.outcome.value, *_loss(change)]
    return []


def _loss(change: ChangeReport) -> list[Json]:
    """The step at which the value of a failed change was lost, and what was found in its place; empty if none was."""
    lost = next((found for sentence in change.story if (found := _LOST.match(sentence))), None)
    return [] if lost is None else [int(lost[1]), _number(lost[2])]


def _coupled(change: ChangeReport) -> Iterator[tuple[str, Json]]:
    """The other settings that were changed together with the parameter, and their values."""
    for sentence in change.story:
        if sentence.startswith("applied: "):
            yield from ((found[1], _number(found[2])) for found in _COUPLED.finditer(sentence))


def _number(text: str) -> Json:
    """The number; the text as it is where it is none, or one that JSON has not."""
    try:
        value = float(text)
    except ValueError:
        return text
    return value if isfinite(value) else text


def _may_have_stayed(change: ChangeReport) -> bool:
    """Whether a failed change was begun, and its undoing was not seen: then it may have altered the run."""
    begun = any(sentence.startswith(("intent journalled: ", "effective: ")) for sentence in change.story)
    return begun and not any(sentence.startswith("rolled back: ") for sentence in change.story)


def _is_of_training(proposer: str) -> bool:
    return proposer == _STALL_RULE or proposer.startswith(_REPLAY)


def _stand_in(config: Json, name: str, settings: Json) -> bool:
    """Whether `settings`, which are not empty, stand under the proposer's name, at any place in `config`."""
    if isinstance(config, list):
        return any(_stand_in(value, name, settings) for value in config)
    if not isinstance(config, dict) or not settings:
        return False
    keys = {name, _SETTINGS} if _is_of_training(name) else {name}
    if any(key in config and not any(differences(config[key], settings)) for key in keys):
        return True
    return any(_stand_in(value, name, settings) for value in config.values())


def _runtime(document: object) -> dict[str, Json]:
    audit = _object(document)
    features = {name: _object(audit.get(name)) for name in _FEATURES if name in audit}
    found = {name: {fact: each.get(fact) for fact in _FACTS} for name, each in features.items()}
    return {name: audit[name] for name in ("mode", "degraded") if name in audit} | found


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
