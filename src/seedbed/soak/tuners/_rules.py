"""Rules as a table: when these KPIs stand so, move these settings, for this reason."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Self, final

import yaml
from pydantic import Field, ValidationError, model_validator

from seedbed.change import Delta, Parameter, Registry, Set
from seedbed.change.parameters import nearest_on_grid
from seedbed.contracts import Message
from seedbed.errors import InvalidInput, NotFound
from seedbed.soak._kpis import STATISTICS
from seedbed.soak.tuners._tuner import Observation

__all__ = ["Adjustment", "Condition", "Rule", "RuleTuner", "read_rules"]


class Condition(Message):
    """`kpi`, a name that `kpis` gives, lies above `above` and below `below`; at least one of them is given."""

    kpi: str
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _has_a_threshold(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError(f"condition on {self.kpi}: give above, below, or both")
        return self

    def holds(self, kpis: Mapping[str, float]) -> bool:
        """Whether it does; False for a KPI that was not measured."""
        if self.kpi not in kpis:
            return False
        return _or(self.above, -inf) < kpis[self.kpi] < _or(self.below, inf)


class Adjustment(Message):
    """Move `key`: times `scale`, or by `add`. It never moves up beyond `cap` nor down beyond `floor`."""

    key: str
    scale: float | None = Field(default=None, gt=0)
    add: float | None = None
    floor: float | None = None
    cap: float | None = None

    @model_validator(mode="after")
    def _moves_in_one_way(self) -> Self:
        if (self.scale is None) is (self.add is None):
            raise ValueError(f"adjustment of {self.key}: give one of scale and add")
        return self

    def resolve(self, live: float) -> float:
        """The value meant. One that already lies beyond the cap or floor is left where it is, never moved back."""
        wanted = live * self.scale if self.scale is not None else live + _or(self.add, 0.0)
        if wanted > live:
            return max(live, min(wanted, _or(self.cap, inf)))
        return min(live, max(wanted, _or(self.floor, -inf)))


class Rule(Message):
    """When every condition holds, make every adjustment, because of `reason`."""

    when: tuple[Condition, ...] = Field(min_length=1)
    then: tuple[Adjustment, ...] = Field(min_length=1)
    reason: str = Field(min_length=1)


class _Table(Message):
    rules: tuple[Rule, ...]


@final
class RuleTuner:
    """A `Tuner` that asks a table of rules about the last observation, and nothing else.

    Every rule that holds is followed; of several that would move one key the first one does. Raises NotFound for a rule
    about an undeclared key, InvalidInput for one about a KPI that none of `names` is.
    """

    def __init__(self, rules: Sequence[Rule], registry: Registry, names: Iterable[str]) -> None:
        self._rules, self._registry = tuple(rules), registry
        known = {f"{kpi}_{statistic}" for kpi in names for statistic in STATISTICS}
        for number, rule in enumerate(self._rules, start=1):
            _check(number, rule, registry, known)

    @property
    def name(self) -> str:
        """The proposer that its deltas name."""
        return "rules"

    def propose(self, history: Sequence[Observation]) -> tuple[Delta, ...]:
        """The deltas of the rules that hold of the last observation; none before there is one."""
        if not history:
            return ()
        last, found = history[-1], dict[str, Delta]()
        for rule in self._rules:
            if all(condition.holds(last.kpis) for condition in rule.when):
                for delta in self._deltas(rule, last.used):
                    found.setdefault(delta.parameter, delta)
        return tuple(found.values())

    def _deltas(self, rule: Rule, live: Mapping[str, float]) -> Iterator[Delta]:
        for adjustment in rule.then:
            before = live[adjustment.key]
            after = _stepped(self._registry[adjustment.key], before, adjustment.resolve(before))
            if after != before:
                yield Delta(adjustment.key, Set(after), rule.reason, self.name)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a YAML file, `rules:` and a list. Raises NotFound for no such file, InvalidInput for a wrong one."""
    try:
        return _Table.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).rules
    except OSError as problem:
        raise NotFound(f"rules {path}: cannot be read: {problem.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as problem:
        raise InvalidInput(f"rules {path}: {problem}; expected `rules:` and a list of when, then and reason") from None


def _check(number: int, rule: Rule, registry: Registry, known: set[str]) -> None:
    for adjustment in rule.then:
        registry[adjustment.key]
    for condition in rule.when:
        if condition.kpi not in known:
            raise InvalidInput(f"rule {number} ({rule.reason}): no KPI {condition.kpi!r}; known are {sorted(known)}")


def _stepped(parameter: Parameter, before: float, wanted: float) -> float:
    """The grid point nearest to what is wanted, one step on where that would be no step at all."""
    after = nearest_on_grid(parameter, wanted)
    if after == before and wanted != before and parameter.increment is not None:
        after = nearest_on_grid(parameter, before + (parameter.increment if wanted > before else -parameter.increment))
    return after


def _or(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given
