"""The rule tuner: a table of rules, each with conditions on KPIs, adjustments of settings, and a reason."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Self, final

import yaml
from pydantic import Field, ValidationError, model_validator

from seedbed.change import Delta, Parameter, Registry, Set
from seedbed.change.parameters import nearest_on_grid
from seedbed.contracts import Message
from seedbed.contracts._documents import parse_yaml
from seedbed.contracts._faults import faults_of
from seedbed.errors import InvalidInput, NotFound
from seedbed.soak._kpis import STATISTICS
from seedbed.soak.tuners._tuner import Observation

__all__ = ["Adjustment", "KpiCondition", "Rule", "RuleTuner", "read_rules"]


class KpiCondition(Message):
    """A range for a KPI, named as `kpis` names it: above `above` and below `below`, of which at least one is given."""

    kpi: str
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _has_a_threshold(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError(f"condition on {self.kpi}: give above, below, or both")
        return self

    def holds(self, kpis: Mapping[str, float]) -> bool:
        """Whether the KPI is in the range; False when it was not measured."""
        if self.kpi not in kpis:
            return False
        return _default(self.above, -inf) < kpis[self.kpi] < _default(self.below, inf)


class Adjustment(Message):
    """A move of one setting: times `scale`, or plus `add`, never up beyond `cap` nor down beyond `floor`."""

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
        """The new value. A value that is already beyond the cap or floor stays where it is; it is never moved back."""
        wanted = live * self.scale if self.scale is not None else live + _default(self.add, 0.0)
        if wanted > live:
            return max(live, min(wanted, _default(self.cap, inf)))
        return min(live, max(wanted, _default(self.floor, -inf)))


class Rule(Message):
    """One rule: when all conditions in `when` hold, make all adjustments in `then`."""

    when: tuple[KpiCondition, ...] = Field(min_length=1)
    then: tuple[Adjustment, ...] = Field(min_length=1)
    reason: str = Field(min_length=1)


class _RulesFile(Message):
    rules: tuple[Rule, ...]


@final
class RuleTuner:
    """A `Tuner` that applies a table of rules to the last observation only.

    Every rule that holds is applied. When several rules would move one key, the first one does. `names` are the KPIs of
    the plant. Raises NotFound for a rule about an undeclared key, InvalidInput for one about an unknown KPI.
    """

    def __init__(self, rules: Sequence[Rule], registry: Registry, names: Iterable[str]) -> None:
        self._rules, self._registry = tuple(rules), registry
        known = {f"{kpi}_{statistic}" for kpi in names for statistic in STATISTICS}
        for number, rule in enumerate(self._rules, start=1):
            _check(number, rule, registry, known)

    @property
    def name(self) -> str:
        """Its name, which its deltas carry as their proposer."""
        return "rules"

    def propose(self, history: Sequence[Observation]) -> tuple[Delta, ...]:
        """The deltas of all rules that hold for the last observation; none without observations."""
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
    """Read a YAML file: `rules:` and a list. Raises NotFound for no such file, InvalidInput for a wrong one."""
    try:
        return _RulesFile.model_validate(parse_yaml(path.read_text(encoding="utf-8"))).rules
    except OSError as problem:
        raise NotFound(f"rules {path}: cannot be read: {problem.strerror}") from None
    except ValidationError as problem:
        faults = "; ".join(fault.told("the file") for fault in faults_of(problem, _RulesFile))
        raise InvalidInput(f"rules {path}: {faults}; expected `rules:` and a list of when, then and reason") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise InvalidInput(f"rules {path}: {problem}; expected `rules:` and a list of when, then and reason") from None


def _check(number: int, rule: Rule, registry: Registry, known: set[str]) -> None:
    for adjustment in rule.then:
        registry[adjustment.key]
    for condition in rule.when:
        if condition.kpi not in known:
            raise InvalidInput(f"rule {number} ({rule.reason}): no KPI {condition.kpi!r}; known are {sorted(known)}")


def _stepped(parameter: Parameter, before: float, wanted: float) -> float:
    """The grid point nearest to `wanted`; if that is no move at all, the next grid point in that direction."""
    after = nearest_on_grid(parameter, wanted)
    if after == before and wanted != before and parameter.increment is not None:
        after = nearest_on_grid(parameter, before + (parameter.increment if wanted > before else -parameter.increment))
    return after


def _default(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given
