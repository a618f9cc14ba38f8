"""Soak: a plant is measured, tuned through guards, and what reached it is verified, iteration by iteration."""

from seedbed.soak._account import Account, account, iteration_summaries
from seedbed.soak._assemble import assemble
from seedbed.soak._faults import SoakFault
from seedbed.soak._finish import Finished, finish, judged_again
from seedbed.soak._folder import SoakFolder
from seedbed.soak._iteration import ApplyVerdict, IterationSummary
from seedbed.soak._kpis import STATISTICS, kpis
from seedbed.soak._loop import Progress, Soak, SoakObserver
from seedbed.soak._market import MARKET_KPIS
from seedbed.soak._market_limits import ITERATIONS_PER_HOUR, limited
from seedbed.soak._market_optimum import expected, long_run, optimum
from seedbed.soak._market_plant import MarketPlant
from seedbed.soak._market_regime import REGIMES, Regime, regime_at
from seedbed.soak._market_registry import (
    MARKET_EFFECTS,
    MARKET_INITIAL,
    TUNER_EFFECTS,
    TUNER_SUBSYSTEM,
    market_registry,
)
from seedbed.soak._market_rules import market_rules
from seedbed.soak._mock import MOCK_OPTIMUM, MockPlant, mock_registry
from seedbed.soak._plan import Assembly, PlantKind, SoakPlan, TunerKind, new_soak_id
from seedbed.soak._plant import Measurement, Plant
from seedbed.soak._profile import Phase, SoakProfile
from seedbed.soak._regime import RegimeRule, RegimeState
from seedbed.soak._reports import PostSoakSnapshot, TuningReport
from seedbed.soak._rules import Adjustment, Condition, Rule, RuleTuner, read_rules
from seedbed.soak._tally import SoakTally
from seedbed.soak._tuner import Observation, Tuner
from seedbed.soak._tuner_objective import Constraint, Objective
from seedbed.soak._verification import Accusation, Flaw, SoakVerification
from seedbed.soak._verify import verify_soak
from seedbed.soak._verify_page import verification_page

__all__ = [
    "ITERATIONS_PER_HOUR",
    "MARKET_EFFECTS",
    "MARKET_INITIAL",
    "MARKET_KPIS",
    "MOCK_OPTIMUM",
    "REGIMES",
    "STATISTICS",
    "TUNER_EFFECTS",
    "TUNER_SUBSYSTEM",
    "Account",
    "Accusation",
    "Adjustment",
    "ApplyVerdict",
    "Assembly",
    "Condition",
    "Constraint",
    "Finished",
    "Flaw",
    "IterationSummary",
    "MarketPlant",
    "Measurement",
    "MockPlant",
    "Objective",
    "Observation",
    "Phase",
    "Plant",
    "PlantKind",
    "PostSoakSnapshot",
    "Progress",
    "Regime",
    "RegimeRule",
    "RegimeState",
    "Rule",
    "RuleTuner",
    "Soak",
    "SoakFault",
    "SoakFolder",
    "SoakObserver",
    "SoakPlan",
    "SoakProfile",
    "SoakTally",
    "SoakVerification",
    "Tuner",
    "TunerKind",
    "TuningReport",
    "account",
    "assemble",
    "expected",
    "finish",
    "iteration_summaries",
    "judged_again",
    "kpis",
    "limited",
    "long_run",
    "market_registry",
    "market_rules",
    "mock_registry",
    "new_soak_id",
    "optimum",
    "read_rules",
    "regime_at",
    "verification_page",
    "verify_soak",
]
