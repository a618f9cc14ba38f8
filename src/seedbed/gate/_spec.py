"""What a gate demands: a declared list of checks, from a YAML or JSON file."""

import re
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from seedbed.contracts import CheckKind, Message
from seedbed.errors import InvalidInput, NotFound

__all__ = ["Check", "GateSpec", "Op", "load_gate", "parse_gate"]

_TERSE = re.compile(
    r"(?P<metric>[^\s<>=!@]+)\s*(?P<op>>=|<=|==|!=|>|<)\s*(?P<value>[^\s<>=!@]+)"
    r"(?:\s*@\s*(?P<percent>\d+(?:\.\d+)?)\s*%)?"
)


class Op(StrEnum):
    """How the value found is held against the value declared."""

    AT_LEAST = ">="
    AT_MOST = "<="
    ABOVE = ">"
    BELOW = "<"
    EQUAL = "=="
    UNEQUAL = "!="

    @property
    def orders(self) -> bool:
        """Whether it asks for more or less, which only numbers are."""
        return self not in {Op.EQUAL, Op.UNEQUAL}


class Check(Message):
    """One demand on one metric, a dotted path into the record (`metrics.test.ap`).

    `confidence`, between 0 and 1, demands that the whole confidence interval keeps the threshold. In a file a check may
    be written tersely: "metrics.test.ap >= 0.88 @ 95%".
    """

    metric: str = Field(min_length=1)
    op: Op
    value: bool | float | str
    confidence: float | None = Field(default=None, gt=0, lt=1)
    kind: CheckKind = CheckKind.THRESHOLD

    @model_validator(mode="before")
    @classmethod
    def _terse_becomes_fields(cls, data: Any) -> Any:
        return _parse_terse(data) if isinstance(data, str) else data

    @field_validator("kind", mode="before")
    @classmethod
    def _case_does_not_matter(cls, kind: Any) -> Any:
        return kind.upper() if isinstance(kind, str) else kind

    @model_validator(mode="after")
    def _the_demand_can_be_judged(self) -> Self:
        is_number = not isinstance(self.value, bool | str)
        if self.op.orders and not is_number:
            raise ValueError(f"{self.op.value} needs a number, found {self.value!r}; use == or !=")
        if self.confidence is not None and not (self.op.orders and is_number):
            raise ValueError(
                f"no interval can show {self.op.value} {self.value!r}; drop the confidence, or use >= or <="
            )
        return self

    @property
    def expected(self) -> str:
        """The demand in words: `>= 0.88 @ 95%`."""
        value = self.value if isinstance(self.value, str) else _short(self.value)
        return f"{self.op.value} {value}" + ("" if self.confidence is None else f" @ {100 * self.confidence:g}%")


class GateSpec(Message):
    """A gate: its name and its checks, at least one, since a gate without checks would pass everything."""

    gate: str = Field(default="gate", min_length=1)
    checks: tuple[Check, ...] = Field(min_length=1)


def parse_gate(data: object, *, source: str = "the given gate") -> GateSpec:
    """A gate from parsed YAML or JSON. Raises InvalidInput naming `source` and each offending field."""
    try:
        return GateSpec.model_validate(data)
    except ValidationError as problem:
        lines = [
            f"  {'.'.join(map(str, each['loc'])) or 'the top'}: {each['msg']} (found {each['input']!r})"
            for each in problem.errors()
        ]
        raise InvalidInput("\n".join([f"{source}: {len(lines)} problem(s); mend them and try again", *lines])) from None


def load_gate(path: Path) -> GateSpec:
    """The gate in a YAML or JSON file. Raises NotFound for a missing file and InvalidInput for one that is no gate."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"no gate file at {path}; name one that exists") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise InvalidInput(f"{path} is neither YAML nor JSON: {problem}") from None
    return parse_gate(data, source=str(path))


def _parse_terse(text: str) -> dict[str, Any]:
    match = _TERSE.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected 'metric op value' such as 'metrics.test.ap >= 0.88 @ 95%'")
    percent = match["percent"]
    confidence = {} if percent is None else {"confidence": float(Decimal(percent) / 100)}
    return {"metric": match["metric"], "op": match["op"], "value": _value(match["value"]), **confidence}


def _value(text: str) -> bool | float | str:
    if text in {"true", "false"}:
        return text == "true"
    try:
        number = float(text)
    except ValueError:
        return text.strip("'\"")
    if not isfinite(number):
        raise ValueError(f"{text} is no threshold that a value could keep or miss")
    return number


def _short(value: bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.12g}"
