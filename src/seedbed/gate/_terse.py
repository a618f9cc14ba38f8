"""Parses a check written as a text: `metric op value [in [low, high]] [@ c%]`, with a statistic before or after."""

import re
from decimal import Decimal, InvalidOperation
from math import isfinite

from seedbed.gate._held import not_held
from seedbed.gate._statistics import statistic_named

__all__ = ["QUOTES", "parse_terse"]

QUOTES = "put the check in quotes, or write the list with dashes"

_RANGE = r"\s*\bin\s*\[\s*(?P<{0}low>[^\s,\[\]]+)\s*,\s*(?P<{0}high>[^\s,\[\]]+)\s*\]"
_CHECK = re.compile(
    r"(?P<subject>[^<>=!@]+?)\s*(?P<op>>=|<=|==|!=|>|<)\s*(?P<value>[^\s<>=!@]+)"
    rf"(?:{_RANGE.format('')})?(?:\s*@\s*(?P<percent>\d+(?:\.\d+)?)\s*%)?(?:{_RANGE.format('after_')})?"
)
_CALL = re.compile(r"(?P<statistic>[\w.]+)\(\s*(?P<metric>[^\s(),]+)\s*(?:,\s*(?P<control>[^\s(),]+)\s*)?\)")
_MISTAKES = (
    (re.compile("=<|=>"), "the operators are written <= and >="),
    (re.compile("(?<![<>=!])=(?![=<>])"), "equality is written =="),
    (re.compile(r"@\s*\d+(\.\d+)?\s*$"), "a confidence is in per cent, as in @ 95%"),
)
_PAIR = re.compile(r"(?P<metric>\S+)\s+(?P<statistic>\S+)")


def parse_terse(text: str, *, is_new: bool = True) -> dict[str, object]:
    """The fields of a check: `p95(latency_ms) < 350`, `mean(missed) < 0.01 in [0, 1] @ 95%`, `audit.degraded == false`.

    Raises ValueError for any other text, and where the check `is_new` for numbers that no float holds.
    """
    match = _CHECK.fullmatch(text.strip())
    _require_whole_parentheses(text if match is None else match["subject"], text)
    subject = None if match is None else _subject(match["subject"])
    if match is None or subject is None:
        near = next((f"{what}; " for mistake, what in _MISTAKES if mistake.search(text)), "")
        form = "expected 'metric op value' such as 'metrics.test.ap >= 0.88 @ 95%', or 'p95(latency_ms) < 9'"
        raise ValueError(f"{near}{form}")
    percent = match["percent"]
    confidence = {} if percent is None else {"confidence": float(Decimal(percent) / 100)}
    return {
        **subject,
        "op": match["op"],
        "value": _value(match["value"], is_new),
        **confidence,
        **_range(match, is_new),
    }


def _require_whole_parentheses(part: str, text: str) -> None:
    """A list in brackets ends a check at its comma, and leaves a half without an operator, and one that closes only.

    Of a whole check only the subject is asked: a text that it is compared with may hold any.
    """
    missing = part.count("(") - part.count(")")
    if missing:
        half = "a parenthesis is not closed" if missing > 0 else "a parenthesis is closed that was not opened"
        may_be_cut = missing < 0 or not any(sign in text for sign in "<>=!")
        cut = f"; if it stands in a list in brackets, which ends a check at a comma, {QUOTES}" if may_be_cut else ""
        raise ValueError(f"{half}; write 'p95(latency_ms) < 9' or 'difference(a, b) > 0'{cut}")


def _range(match: re.Match[str], is_new: bool) -> dict[str, object]:
    given = [(match[f"{when}low"], match[f"{when}high"]) for when in ("", "after_") if match[f"{when}low"] is not None]
    if len(given) > 1:
        raise ValueError("the range is given twice; give it once, as in 'mean(x) < 0.01 in [0, 1] @ 95%'")
    return {"range": [_value(end, is_new) for end in given[0]]} if given else {}


def _subject(text: str) -> dict[str, object] | None:
    match = _CALL.fullmatch(text) or _PAIR.fullmatch(text)
    if match is None:
        return {"metric": text} if " " not in text and "\t" not in text else None
    fields = {name: found for name, found in match.groupdict().items() if found is not None}
    return {**fields, "statistic": statistic_named(fields["statistic"])}


def _value(text: str, is_new: bool) -> bool | float | str:
    if text in {"true", "false"}:
        return text == "true"
    try:
        number = float(text)
    except ValueError:
        return text.strip("'\"")
    if not isfinite(number):
        raise ValueError(f"{text} is no threshold, since no value can be compared with it")
    if is_new and (problem := _not_held(text)):
        raise ValueError(f"{problem}; declare that one, or another that a float holds")
    return number


def _not_held(text: str) -> str:
    try:
        return not_held(Decimal(text))
    except InvalidOperation:
        return f"the exponent of {text} is beyond those of all numbers, and {float(text):g} is the nearest float"
