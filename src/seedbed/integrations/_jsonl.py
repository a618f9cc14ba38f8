"""Runs in JSON lines, a format that any program can write: one object a line, each a part of the run that it names.

    {"run": "a", "params": {"lr": 0.001}, "tags": {"by": "sweep 3"}}
    {"run": "a", "step": 1, "metrics": {"loss": 0.9}}
    {"run": "a", "metrics": {"test": {"ap": 0.91}}}

With a step, `metrics` are numbers at that step, NaN and infinities allowed; without a step, they are results. A run
without results gets the last values of its steps as results.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self, final

from pydantic import Field, ValidationError, model_validator

from seedbed.contracts import Message
from seedbed.contracts._documents import parse_json_once
from seedbed.contracts._faults import faults_of
from seedbed.errors import InvalidInput, NotFound
from seedbed.integrations._outside import OutsideRun, last_values

__all__ = ["JsonLines"]

_SHOWN = 20


class _Line(Message):
    run: Annotated[str, Field(strict=True, min_length=1)]
    step: Annotated[int, Field(strict=True)] | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    tags: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _steps_are_numbers(self) -> Self:
        if self.step is None:
            return self
        if self.params or self.tags or not self.metrics:
            raise ValueError("a line with a step has metrics, and neither params nor tags")
        for name, value in self.metrics.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"metrics.{name} at a step is {value!r}, expected a number")
        return self


@dataclass
class _Parts:
    """The parts of one run that were read so far."""

    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    steps: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)

    def add(self, line: _Line) -> None:
        """Add the content of `line`. Raises ValueError when an earlier line contradicts it."""
        if line.step is not None:
            self.steps.append((line.step, line.metrics))
            return
        for name in ("params", "tags", "metrics"):
            known, new = getattr(self, name), getattr(line, name)
            changed = [key for key in new if key in known and known[key] != new[key]]
            if changed:
                raise ValueError(
                    f"{name}.{changed[0]} is {new[changed[0]]!r}, but an earlier line says {known[changed[0]]!r}"
                )
            known.update(new)


@final
class JsonLines:
    """The runs of one file, which is read completely first. Raises NotFound, and InvalidInput that lists bad lines."""

    system = "jsonl"

    def __init__(self, path: Path) -> None:
        self._runs: dict[str, _Parts] = {}
        faults = []
        for number, data in _lines(path):
            try:
                line = _Line.model_validate(_parsed(data))
                self._runs.setdefault(line.run, _Parts()).add(line)
            except ValueError as problem:
                faults.append(f"line {number}: {_error_text(problem)}")
        if faults:
            raise InvalidInput(_refusal(path, faults))

    def ids(self) -> Sequence[str]:
        """The runs, in the order in which the file first names them."""
        return list(self._runs)

    def read(self, source_id: str) -> OutsideRun:
        """One run."""
        parts = self._runs[source_id]
        return OutsideRun(
            source_id=source_id,
            params=parts.params,
            metrics=parts.metrics or last_values(parts.steps),
            steps=parts.steps,
            tags=parts.tags,
        )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    except FileNotFoundError:
        raise NotFound(f"there is no file at {path}") from None
    except IsADirectoryError:
        raise InvalidInput(f"{path} is a folder, expected a file of JSON lines") from None


def _parsed(line: bytes) -> object:
    return parse_json_once(line.decode("utf-8"))


def _error_text(problem: Exception) -> str:
    if not isinstance(problem, ValidationError):
        return str(problem)
    return "; ".join(": ".join(filter(None, (fault.place, fault.what))) for fault in faults_of(problem, _Line))


def _refusal(path: Path, faults: list[str]) -> str:
    more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return "\n  - ".join((f"{path} is refused, nothing was imported:", *faults[:_SHOWN], *more))
