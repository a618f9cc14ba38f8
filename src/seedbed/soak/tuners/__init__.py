"""The tuners, which propose changes in a soak: a table of rules, and a model of the objective."""

from seedbed.soak.tuners._objective import Constraint, Objective
from seedbed.soak.tuners._rules import Adjustment, KpiCondition, Rule, RuleTuner, read_rules
from seedbed.soak.tuners._tuner import Observation, Tuner

__all__ = [
    "Adjustment",
    "Constraint",
    "KpiCondition",
    "Objective",
    "Observation",
    "Rule",
    "RuleTuner",
    "Tuner",
    "read_rules",
]
