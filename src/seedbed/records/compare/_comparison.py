"""Whether two snapshots may be compared: a policy names what may differ, all else must agree. Pure functions."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from seedbed.records.canonical._canonical import Json, escape
from seedbed.records.canonical._json_pointer import Difference, differences, is_under, unescaped
from seedbed.records.snapshot._compared import Compared, compared_course
from seedbed.records.snapshot._course import DERIVED, HIDDEN, UNTOLD
from seedbed.records.snapshot._policy import EXACT, REPLICATE, Policy, ablation
from seedbed.records.snapshot._schema import NOT_APPLICABLE, UNKNOWN
from seedbed.records.snapshot._snapshot import COMPUTED_FINGERPRINTS, Comparison, ExcludedFactor

__all__ = [
    "allowed_factor",
    "caveat",
    "compare",
    "compare_differences",
    "compare_under_each",
    "cut_pair",
    "group_differences",
    "input_differences",
    "inputs_among",
    "is_input",
    "is_same_run",
    "is_untold",
    "json_pair",
    "judge_differences",
    "may_differ",
    "one_line",
    "reason_of",
    "short_text",
    "strictest_policy",
    "unrecorded",
]

_SHOWN = 60
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MADE = {"/course/changes/": "changed while it ran", DERIVED: "changed by the run's own rules"}
_INPUTS = ("/config/", "/factors/", "/fingerprints/", "/course/")
_NOT_ALWAYS_RECORDED = ("code", "environment")
_FINGERPRINTS = "/fingerprints/"
_GROUPED = re.compile(r"/(\w+)_fingerprint")


class JudgedDifferences(NamedTuple):
    """The reasons why two snapshots may not be compared, none if they may, and the differences that are allowed."""

    reasons: tuple[str, ...]
    allowed: Sequence[Difference]


def compare(previous: Compared, current: Compared, policy: Policy = EXACT) -> Comparison:
    """Whether the two may be compared under `policy`. A run is never compared with itself."""
    return compare_differences(previous, current, tuple(input_differences(previous, current)), policy)


def compare_under_each(previous: Compared, current: Compared) -> tuple[Comparison, ...]:
    """Whether the two may be compared under EXACT, under REPLICATE, and under an ablation of all inputs that differ.

    There is no ablation when no input is known to differ. A pair that even the ablation does not allow is of two
    groups.
    """
    found = tuple(input_differences(previous, current))
    pointers = [difference.pointer for difference in found if not is_untold(difference)]
    policies = (EXACT, REPLICATE, *([ablation(*pointers)] if pointers else []))
    return tuple(compare_differences(previous, current, found, policy) for policy in policies)


def strictest_policy(found: Sequence[Difference]) -> Policy:
    """The strictest policy that allows all of `found`: EXACT, REPLICATE, or an ablation of it."""
    if not found:
        return EXACT
    pointers = [difference.pointer for difference in found if not is_untold(difference)]
    return REPLICATE if all(map(REPLICATE.allows, pointers)) else ablation(*pointers)


def compare_differences(
    previous: Compared, current: Compared, found: Sequence[Difference], policy: Policy
) -> Comparison:
    """As `compare`, when the differences between the inputs are already known as `found`."""
    judged = judge_differences(previous, current, found, policy)
    factors = (ExcludedFactor.model_validate(allowed_factor(difference)) for difference in judged.allowed)
    return Comparison(
        policy=policy.name,
        comparable=not judged.reasons,
        reasons=judged.reasons,
        excluded_factors=tuple(factors),
    )


def judge_differences(
    previous: Compared, current: Compared, found: Sequence[Difference], policy: Policy
) -> JudgedDifferences:
    """Which of `found`, the differences between the inputs, `policy` allows, and why it does not allow the rest."""
    if is_same_run(previous, current):
        reason = f"both are {current.run_id}:{current.stage}; a run is never compared with itself"
        return JudgedDifferences((reason,), ())
    allowed = [difference for difference in found if may_differ(difference, policy)]
    refused = [] if len(allowed) == len(found) else [each for each in found if not may_differ(each, policy)]
    # Of a run with changes that nobody tells of, "never changed" is no fact, so this is said first.
    refused.sort(key=lambda difference: not difference.pointer.startswith(UNTOLD))
    reasons = tuple(map(reason_of, (*group_differences(previous, current), *refused)))
    return JudgedDifferences(reasons, allowed)


def may_differ(difference: Difference, policy: Policy) -> bool:
    """Whether `policy` allows `difference`: of what nobody told, EXACT alone must know that it does not differ."""
    return policy.allows(difference.pointer) or (is_untold(difference) and bool(policy.may_differ))


def is_untold(difference: Difference) -> bool:
    """Whether it is about an input of which neither run tells the fingerprint: it may differ, and nobody knows."""
    return difference.previous == difference.current == UNKNOWN


def caveat(previous: Mapping[str, str], current: Mapping[str, str]) -> str:
    """What a comparison of runs with these fingerprints rests on, to follow its verdict; mostly nothing."""
    names = _untold(previous, current)
    return f"; nobody said which {' or '.join(names)} either run used: this rests on it being the same" if names else ""


def _untold(previous: Mapping[str, str], current: Mapping[str, str]) -> list[str]:
    """The names of the fingerprints that are unknown in both."""
    return [name for name, value in previous.items() if value == current.get(name) == UNKNOWN]


def allowed_factor(difference: Difference) -> dict[str, Json]:
    """The JSON of the ExcludedFactor for a difference that a policy allows."""
    return {"name": difference.pointer, "previous": difference.previous, "current": difference.current}


def group_differences(previous: Compared, current: Compared) -> Iterator[Difference]:
    """The differences between the two comparison groups, which no policy allows."""
    return differences(dict(previous.comparison_group), dict(current.comparison_group))


def input_differences(previous: Compared, current: Compared) -> Iterator[Difference]:
    """The differences in config, factors, fingerprints and course that can change a result."""
    before, after = (
        {
            **{name: getattr(each, name) for name in ("config", "factors", "fingerprints")},
            "course": compared_course(each),
        }
        for each in (previous, current)
    )
    return inputs_among(differences(before, after), previous, current)


def inputs_among(found: Iterable[Difference], previous: Compared, current: Compared) -> Iterator[Difference]:
    """Those of `found`, the differences between two snapshots, that are in inputs and can change a result.

    What is unknown in both comes last, as a difference from UNKNOWN to UNKNOWN: it may differ.
    """
    # Fields of the comparison group are reported apart; computed fingerprints change whenever the config does.
    groups = {*previous.comparison_group, *current.comparison_group}
    ignored = {f"/fingerprints/{name.removesuffix('_fingerprint')}" for name in groups}
    ignored |= {f"/fingerprints/{name}" for name in COMPUTED_FINGERPRINTS}
    volatile = {f"/config{pointer}" for pointer in {*previous.volatile_settings} & {*current.volatile_settings}}
    for difference in _each_hidden(found):
        pointer = difference.pointer
        if is_input(pointer) and pointer not in ignored and not is_under(pointer, volatile):
            yield difference
    for name in _untold(previous.fingerprints, current.fingerprints):
        yield Difference(f"{_FINGERPRINTS}{escape(name)}", "replace", UNKNOWN, UNKNOWN)


def _each_hidden(found: Iterable[Difference]) -> Iterator[Difference]:
    """`found`, with one difference for each input that was replaced as a secret, also where one side has no such."""
    for difference in found:
        if f"{difference.pointer}/" == HIDDEN:
            yield from differences(difference.previous or {}, difference.current or {}, difference.pointer)
        else:
            yield difference


def is_same_run(previous: Compared, current: Compared) -> bool:
    """Whether both are attempts at the same stage of the same run."""
    return (previous.project, previous.run_id, previous.stage) == (current.project, current.run_id, current.stage)


_STEP_AND_VALUE = 2


def is_input(pointer: str) -> bool:
    """Whether a changed key is an input: a setting, a factor, a fingerprint, or what happened in the run."""
    return pointer.startswith(_INPUTS)


def reason_of(difference: Difference) -> str:
    """The difference as a sentence."""
    for start, made in _MADE.items():
        if difference.pointer.startswith(start):
            uses = _uses_texts(difference.previous, difference.current)
            return f"{difference.pointer.removeprefix(start)} was {made}: {' / '.join(uses)}"
    if difference.pointer.startswith(UNTOLD):
        which = "both runs have" if difference.op == "replace" else "one run has"
        return f"{which} changes in a journal that no document of the record tells of"
    if difference.pointer.startswith(HIDDEN):
        place = unescaped(difference.pointer.removeprefix(HIDDEN)).removeprefix("/")
        which = "both runs" if difference.op == "replace" else "one run"
        return f"{place} was replaced as a secret in {which}, so whether it differs is not known"
    if UNKNOWN in (difference.previous, difference.current) and (name := _fingerprint(difference.pointer)):
        return _unknown_text(name, difference)
    name = difference.pointer.removeprefix("/")
    if "/" not in name:  # a field of the comparison group, which no policy allows
        name = name.replace("_", " ")
    if difference.op == "add":
        return f"{name} is {short_text(difference.current)}, which the earlier run lacks"
    if difference.op == "remove":
        return f"{name} was {short_text(difference.previous)}, which the later run lacks"
    return f"{name} differs: {' / '.join(_short_texts(difference.previous, difference.current))}"


def _fingerprint(pointer: str) -> str:
    """The name of the fingerprint at `pointer`, also in a comparison group; empty where none stands there."""
    if pointer.startswith(_FINGERPRINTS):
        return unescaped(pointer.removeprefix(_FINGERPRINTS))
    grouped = _GROUPED.fullmatch(pointer)
    return grouped[1] if grouped else ""


def _unknown_text(name: str, difference: Difference) -> str:
    if is_untold(difference):
        return f"nobody said which {name} either run used, so whether it differs is not known"
    silent, other = ("earlier", "later") if difference.previous == UNKNOWN else ("later", "earlier")
    return f"nobody said which {name} the {silent} run used, so whether it is that of the {other} one is not known"


def _uses_texts(previous: Any, current: Any) -> tuple[str, str]:
    """The values of one parameter's changes in both runs, each with the step from which it was used."""
    before, after = (_uses_text(uses, "{:.6g}") for uses in (previous, current))
    if before == after:
        before, after = (_uses_text(uses, "{}") for uses in (previous, current))
    return cut_pair(before, after)


def _uses_text(uses: Any, number: str) -> str:
    told = uses if isinstance(uses, list) else [] if uses is None else [uses]
    return ", ".join(_use_text(number, use) for use in told) or "never"


def _use_text(number: str, use: Any) -> str:
    if not isinstance(use, list) or len(use) < _STEP_AND_VALUE:  # not as any version writes it
        return short_text(use)
    step, value, outcome, *lost = [*use, ""] if len(use) == _STEP_AND_VALUE else use
    used, *rest = (number.format(each) if isinstance(each, float) else str(each) for each in (value, *lost[1:]))
    to = f" at step {lost[0]}, to {rest[0]}" if rest else ""
    return f"{used} from step {step}" + (f" ({outcome}{to})" if outcome else "")


def _short_texts(previous: Json, current: Json) -> tuple[str, str]:
    """Both values as short texts that differ if their types or long forms do; a text beside another type in quotes."""
    if isinstance(previous, str) != isinstance(current, str):
        return cut_pair(repr(previous), repr(current))
    short = short_text(previous), short_text(current)
    return short if short[0] != short[1] else cut_pair(str(previous), str(current))


def json_pair(previous: Json, current: Json, op: str = "replace", width: int = _SHOWN) -> tuple[str, str]:
    """Two JSON values, each on one line, cut as `cut_pair`; `absent` for the side that `op`, add or remove, lacks.

    A text beside anything else stands in quotes: `0.1` and `"0.1"` are not the same, nor `null` and `"null"`.
    """
    is_text = isinstance(previous, str) and isinstance(current, str)
    before, after = (
        str(value) if is_text else json.dumps(value, sort_keys=True, ensure_ascii=False)
        for value in (previous, current)
    )
    return cut_pair("absent" if op == "add" else before, "absent" if op == "remove" else after, width)


def one_line(text: str) -> str:
    """The text with its control characters, such as the ends of lines, escaped as in Python."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def cut_pair(first: str, second: str, width: int = _SHOWN) -> tuple[str, str]:
    """Two texts, each on one line and cut to about `width` characters around where they differ, between words."""
    first, second = one_line(first), one_line(second)
    longest = max(len(first), len(second))
    if longest <= width:
        return first, second
    pairs = enumerate(zip(first, second, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))
    start = max(0, min(same - width // 4, longest - width))
    if start:
        start = first.find(" ", start - 1, same) + 1 or start
    return _window(first, start, same, width), _window(second, start, same, width)


def _window(text: str, start: int, same: int, width: int) -> str:
    """`width` characters from `start`; where a word is cut after `same`, those before it."""
    before, end = "…" if start else "", start + width
    if end >= len(text):
        return f"{before}{text[start:]}"
    blank = text.rfind(" ", same + 1, end + 1)
    return f"{before}{text[start : end if blank < 0 else blank]}…"


def unrecorded(current: Compared) -> str:
    """What to think of results that differ although every recorded input is the same: no seed explains them."""
    given = current.fingerprints
    missing = [name for name, value in given.items() if value == UNKNOWN]
    missing += [name for name in _NOT_ALWAYS_RECORDED if given.get(name, NOT_APPLICABLE) == NOT_APPLICABLE]
    such_as = f", such as the {' or the '.join(missing)}, of which the record has no fingerprint" if missing else ""
    return (
        "every recorded input is the same and the results are not: something that is not recorded differs"
        f"{such_as}, or the run is not deterministic"
    )


def short_text(value: Json) -> str:
    """A value as a short text: digests and long texts are cut."""
    text = one_line(str(value))
    if isinstance(value, str) and len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return f"{text[:8]}…"
    return _window(text, 0, _SHOWN // 2, _SHOWN)
