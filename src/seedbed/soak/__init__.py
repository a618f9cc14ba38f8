"""A closed loop: it measures a plant, tunes it through guards, and verifies which changes reached it."""

from seedbed.soak._assemble import assemble
from seedbed.soak._finish import FinishedSoak, finish, judge_soak
from seedbed.soak._folder import SoakFolder
from seedbed.soak._iteration_summary import ApplyVerdict, IterationSummary
from seedbed.soak._kpis import kpis
from seedbed.soak._loop import Soak, SoakObserver, SoakProgress
from seedbed.soak._plan import Assembly, PlantKind, SoakPlan, TunerKind, new_soak_id
from seedbed.soak._plant import Measurement, Plant
from seedbed.soak._profile import Phase, SoakProfile
from seedbed.soak._readback import SoakReadback, iteration_summaries, read_soak
from seedbed.soak._regime import RegimeRule, RegimeState
from seedbed.soak._tally import SoakTally
from seedbed.soak.faults import SoakFault
from seedbed.soak.market import MarketPlant, market_registry, market_rules
from seedbed.soak.mock import MockPlant, mock_registry
from seedbed.soak.reports import (
    PostSoakSnapshot,
    SealedDrawing,
    SoakCounts,
    SoakDrawing,
    TuningReport,
    soak_metrics,
)
from seedbed.soak.tuners import (
    Adjustment,
    Constraint,
    KpiCondition,
    Objective,
    Observation,
    Rule,
    RuleTuner,
    Tuner,
    read_rules,
)
from seedbed.soak.verify import Accusation, Flaw, Remark, SoakVerification, verification_page, verify_soak

__all__ = [
    "Accusation",
    "Adjustment",
    "ApplyVerdict",
    "Assembly",
    "Constraint",
    "FinishedSoak",
    "Flaw",
    "IterationSummary",
    "KpiCondition",
    "MarketPlant",
    "Measurement",
    "MockPlant",
    "Objective",
    "Observation",
    "Phase",
    "Plant",
    "PlantKind",
    "PostSoakSnapshot",
    "RegimeRule",
    "RegimeState",
    "Remark",
    "Rule",
    "RuleTuner",
    "SealedDrawing",
    "Soak",
    "SoakCounts",
    "SoakDrawing",
    "SoakFault",
    "SoakFolder",
    "SoakObserver",
    "SoakPlan",
    "SoakProfile",
    "SoakProgress",
    "SoakReadback",
    "SoakTally",
    "SoakVerification",
    "Tuner",
    "TunerKind",
    "TuningReport",
    "assemble",
    "finish",
    "iteration_summaries",
    "judge_soak",
    "kpis",
    "market_registry",
    "market_rules",
    "mock_registry",
    "new_soak_id",
    "read_rules",
    "read_soak",
    "soak_metrics",
    "verification_page",
    "verify_soak",
]
