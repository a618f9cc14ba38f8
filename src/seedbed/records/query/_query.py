"""The query language, a filter over commits: `stage=TRAINING and params.lr<1e-3 and metrics.ap>0.9`.

    query      = alternative { "or" alternative }
    alternative = condition { "and" condition }
    condition  = "not" condition | "(" query ")" | name operator value | name "in" "(" value { "," value } ")" | name
    operator   = "=" | "!=" | "<" | "<=" | ">" | ">="
    value      = number | "text" | 'text' | true | false | null | word

A name is a field (stage), or a head and a dotted path below it (params.optimizer.lr). The end of a path alone
(params.lr) matches every setting whose path ends so; one that fulfils the condition is enough. A name without an
operator asks whether it exists. Values of different types are never equal and have no order. A missing value fulfils no
condition, not even `!=`; `not` inverts that. Parsed by hand, since a parser with good error messages is shorter than a
grammar for a library.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from seedbed.errors import InvalidInput
from seedbed.records.query._facts import FIELDS, HEADS, Fact
from seedbed.records.query._metric_names import dotted, metric_name, near_names

__all__ = ["And", "Name", "Not", "Or", "Predicate", "Query", "Value", "matches", "parse_name", "parse_query"]

Value: TypeAlias = str | float | bool | None

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    "<": lambda found, wanted: found < wanted,
    "<=": lambda found, wanted: found <= wanted,
    ">": lambda found, wanted: found > wanted,
    ">=": lambda found, wanted: found >= wanted,
}
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"[^"]*"|'[^']*')
      | (?P<sign><=|>=|!=|==|=|<|>|\(|\)|,)
      | (?P<word>[^\s<>=!(),'"]+)
    )""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_LITERALS: dict[str, Value] = {"true": True, "false": False, "null": None}
_POINTED = {"config": "params"}  # what a pointer and a name call differently
_WORDS = {"and", "or", "not", "in"}


@dataclass(frozen=True)
class Name:
    """A name in a query: `head` and `path` as in a Fact; the path may be the end of a fact's path."""

    head: str
    path: str

    def __str__(self) -> str:
        return f"{self.head}.{self.path}" if self.head else self.path

    def matches(self, fact: Fact) -> bool:
        """Whether the name means `fact`."""
        return fact.head == self.head and (fact.path == self.path or fact.path.endswith(f".{self.path}"))


@dataclass(frozen=True)
class Predicate:
    """The condition `name operator value`, true for any of `values`; without values, that the name exists."""

    name: Name
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Not:
    """A query that is true when `query` is false."""

    query: "Query"


@dataclass(frozen=True)
class And:
    """A query that is true when all of `queries` are."""

    queries: tuple["Query", ...]


@dataclass(frozen=True)
class Or:
    """A query that is true when any of `queries` is."""

    queries: tuple["Query", ...]


Query: TypeAlias = Predicate | Not | And | Or


def parse_query(
    text: str, metrics: Collection[str] = (), ending: Callable[[str], Collection[str]] = lambda _: ()
) -> Query:
    """Parse `text` as a query. Raises InvalidInput that points at the part that was not understood.

    With the names of `metrics`, such as metrics.test.ap, one of them may be written without its first part. `ending`
    gives the names of any kind that end in a word, which a refusal of that word suggests.
    """
    return _Parser(text, metrics, ending).whole()


def parse_name(text: str) -> Name:
    """Parse `text`, such as metrics.test.ap or its pointer /test/ap, as a name.

    Raises InvalidInput that suggests the nearest valid name.
    """
    head, _, path = text.partition(".")
    if text.startswith("/"):  # a pointer, as differences name settings and metrics
        head, _, path = dotted(text).partition(".")
        head, path = (_POINTED.get(head, head), path) if head in {*HEADS, *_POINTED} else ("metrics", dotted(text))
    if head in HEADS and path:
        return Name(head, path)
    if text in FIELDS:
        return Name("", text)
    near = difflib.get_close_matches(head, [*FIELDS, *HEADS], n=1)
    hint = f"did you mean {near[0]}{'.…' if near[0] in HEADS else ''}?" if near else f"fields are {', '.join(FIELDS)}"
    paths = f"or a dotted path after {', '.join(HEADS)}"
    raise InvalidInput(f"{text!r} is no field of a commit; {hint}; {paths}")


def matches(query: Query, facts: Collection[Fact]) -> bool:
    """Whether a commit with these facts matches `query`. This defines the meaning; the catalog must agree with it."""
    match query:
        case And(queries):
            return all(matches(item, facts) for item in queries)
        case Or(queries):
            return any(matches(item, facts) for item in queries)
        case Not(item):
            return not matches(item, facts)
        case _:
            found = [fact.value for fact in facts if query.name.matches(fact)]
            results = (_holds(value, query.operator, wanted) for value in found for wanted in query.values)
            return any(results) if query.values else bool(found)


def _holds(found: Value, operator: str, wanted: Value) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool) or found is None or wanted is None:
        same = type(found) is type(wanted) and found == wanted
        return same if operator == "=" else operator == "!=" and type(found) is type(wanted) and not same
    if isinstance(found, str) != isinstance(wanted, str):
        return False
    return _OPERATORS[operator](found, wanted)  # type: ignore[arg-type]


class _Parser:
    """Reads a query from left to right."""

    def __init__(self, text: str, metrics: Collection[str], ending: Callable[[str], Collection[str]]) -> None:
        self._text = text
        self._metrics = metrics
        self._ending = ending
        self._at = 0
        self._next: re.Match[str] | None = None
        self._advance()

    def whole(self) -> Query:
        found = self._joined("or", Or, lambda: self._joined("and", And, self._condition))
        if self._next is not None:
            raise self._error("expected and, or, or the end")
        return found

    def _joined(self, word: str, kind: type[And] | type[Or], part: Callable[[], Query]) -> Query:
        found = [part()]
        while self._take(word):
            found.append(part())
        return found[0] if len(found) == 1 else kind(tuple(found))

    def _condition(self) -> Query:
        if self._take("not"):
            return Not(self._condition())
        if self._take("("):
            found = self._joined("or", Or, lambda: self._joined("and", And, self._condition))
            self._require(")")
            return found
        name = self._name()
        if self._take("in"):
            return Predicate(name, "=", tuple(self._list()))
        operator = self._sign()
        return Predicate(name, operator, (self._value(),)) if operator else Predicate(name, "=", ())

    def _name(self) -> Name:
        token = self._next
        if token is None or token["word"] is None or token["word"].lower() in _WORDS:
            raise self._error("expected a name, not or (")
        try:
            name = parse_name(token["word"])
        except InvalidInput as refused:
            name = self._metric(token["word"], refused)
        self._advance()
        return name

    def _metric(self, word: str, refused: InvalidInput) -> Name:
        """The metric whose name ends in `word`, which is `refused` as a name."""
        path = metric_name(word).removeprefix("metrics.")
        if any(known.endswith(f".{path}") for known in self._metrics):
            return Name("metrics", path)
        near = [*self._ending(word)] or near_names(f"metrics.{path}", self._metrics)
        told = f"{word!r} is no field of a commit; did you mean {' or '.join(near[:3])}?" if near else str(refused)
        raise self._error(told) from None

    def _sign(self) -> str:
        sign = "" if self._next is None else (self._next["sign"] or "")
        operator = "=" if sign == "==" else sign
        if operator not in _OPERATORS:
            return ""
        self._advance()
        return operator

    def _list(self) -> Iterable[Value]:
        self._require("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._require(")")
        return values

    def _value(self) -> Value:
        token = self._next
        if token is None or token["sign"]:
            raise self._error("expected a number, a text, true, false or null")
        self._advance()
        if token["text"]:
            return token["text"][1:-1]
        word = token["word"]
        return float(word) if _NUMBER.fullmatch(word) else _LITERALS.get(word.lower(), word)

    def _take(self, wanted: str) -> bool:
        token = self._next
        if token is None or (token["sign"] or (token["word"] or "").lower()) != wanted:
            return False
        self._advance()
        return True

    def _require(self, wanted: str) -> None:
        if not self._take(wanted):
            raise self._error(f"expected {wanted}")

    def _advance(self) -> None:
        self._at = self._next.end() if self._next else 0
        self._next = _TOKEN.match(self._text, self._at)
        if self._next is None and self._text[self._at :].strip():
            raise self._error("expected a name, an operator or a value")

    def _error(self, expected: str) -> InvalidInput:
        start = self._at + len(self._text[self._at :]) - len(self._text[self._at :].lstrip())
        place = f"\n  {self._text}\n  {' ' * start}^"
        return InvalidInput(f"the query is not understood at character {start + 1}: {expected}{place}")
