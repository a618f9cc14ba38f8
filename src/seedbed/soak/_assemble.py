"""Builds the parts of a soak from the names in its plan."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

from seedbed.change import FreezeRule, GoodRange, Registry
from seedbed.errors import InvalidInput, NotFound
from seedbed.soak._plan import Assembly, PlantKind, SoakPlan, TunerKind
from seedbed.soak._profile import SoakProfile
from seedbed.soak._regime import RegimeRule
from seedbed.soak.faults._sighting import refuse_impossible
from seedbed.soak.market._limits import limited
from seedbed.soak.market._market import MARKET_KPIS
from seedbed.soak.market._plant import MarketPlant
from seedbed.soak.market._registry import TUNER_SUBSYSTEM, market_registry
from seedbed.soak.market._rules import market_rules
from seedbed.soak.mock._plant import MOCK_KPIS, MockPlant, mock_registry
from seedbed.soak.mock._rules import mock_rules
from seedbed.soak.tuners._objective import Objective
from seedbed.soak.tuners._rules import RuleTuner
from seedbed.soak.tuners._tuner import Tuner

__all__ = ["PROFILES", "assemble", "refuse_untuned"]

_OBJECTIVE, _TRAINING_OBJECTIVE = "edge_bps_per_hour", "validation_ap"
_MOCK_GAINS, _MARKET_GAINS, _TRAINING_GAINS = (-10.0, 10.0), (-2000.0, 2000.0), (-1.0, 1.0)


def _checks(objective: str, gains: tuple[float, float]) -> tuple[object, ...]:
    """The checks of a profile. `gains` are the least and the most by which tuning changes a sample of the objective."""
    return (
        {"metric": "verify.clean", "op": "==", "value": True, "kind": "contract"},
        {"metric": "contract.kept", "op": "==", "value": True, "kind": "contract"},
        "apply_ratio >= 0.95",
        "stuck == 0",
        "changes.unknown == 0",
        "freeze_ready == true",
        f"difference(window.{objective}, control_window.{objective}) > 0 in [{gains[0]:g}, {gains[1]:g}] @ 95%",
    )


PROFILES: Mapping[PlantKind, Mapping[str, SoakProfile]] = {
    PlantKind.MOCK: {
        "standard": SoakProfile(
            name="standard",
            objective=f"{_OBJECTIVE}_mean",
            good=(GoodRange("risk_ratio_mean", high=0.7), GoodRange(f"{_OBJECTIVE}_mean", low=20.0)),
            freeze=FreezeRule(
                (GoodRange("risk_ratio_mean", high=0.56), GoodRange(f"{_OBJECTIVE}_mean", low=27.0)), 2, 4, ("risk",)
            ),
            regime=RegimeRule(f"{_OBJECTIVE}_mean"),
            checks=_checks(_OBJECTIVE, _MOCK_GAINS),
        ),
    },
    PlantKind.MARKET: {
        "standard": SoakProfile(
            name="standard",
            objective=f"{_OBJECTIVE}_mean",
            good=(GoodRange("risk_ratio_mean", high=0.5), GoodRange("latency_ms_p95", high=500.0)),
            regime=RegimeRule(f"{_OBJECTIVE}_mean"),
            checks=_checks(_OBJECTIVE, _MARKET_GAINS),
        ),
    },
    PlantKind.TRAINING: {
        "standard": SoakProfile(
            name="standard",
            objective=f"{_TRAINING_OBJECTIVE}_mean",
            good=(
                GoodRange(f"{_TRAINING_OBJECTIVE}_mean", low=0.75),
                GoodRange("update_ratio_mean", high=4e-3),
                GoodRange("diverged_mean", high=0.0),
            ),
            warm_up=1,
            checks=_checks(_TRAINING_OBJECTIVE, _TRAINING_GAINS),
        ),
    },
}
"""The profiles, by plant and name. Every plant also has `quick`: `standard` with a shorter warm-up and window."""


def assemble(plan: SoakPlan) -> Assembly:
    """Build the parts that a plan names.

    Raises NotFound for a profile or tuner that its plant does not have, and InvalidInput for a fault that cannot come
    about. Plans of version 1 were not refused for that.
    """
    if plan.fault is not None and plan.is_bound:
        tunes = plan.tuner is not TunerKind.NONE
        refuse_impossible(plan.fault, plan.fault_from, _profile(plan), plan.iterations, tunes=tunes)
    if plan.plant is PlantKind.TRAINING:
        return _training(plan)
    profile, tuner = _profile(plan), _tuner(plan)
    if plan.plant is PlantKind.MARKET:
        return Assembly(lambda: MarketPlant(plan.seed), market_registry(), profile, limited, tuner)
    return Assembly(lambda: MockPlant(plan.seed), mock_registry(), profile, limited, tuner)


def refuse_untuned(plan: SoakPlan) -> None:
    """Raise InvalidInput for a new soak with a tuner of whose iterations none would tune."""
    profile = _profile(plan)
    idle = profile.warm_up + profile.ramp_down
    if plan.tuner is not TunerKind.NONE and plan.iterations <= idle:
        raise InvalidInput(
            f"the tuner {plan.tuner.value} would propose nothing: none of {plan.iterations} iterations tunes, since "
            f"the first {profile.warm_up} warm up and the last {profile.ramp_down} ramp down; expected more than "
            f"{idle} (--iterations), or no tuner (leave out --auto-tune)"
        )


def kpis_of(plan: SoakPlan) -> tuple[str, ...]:
    """The KPIs that the plan's plant measures."""
    if plan.plant is PlantKind.MOCK:
        return MOCK_KPIS
    if plan.plant is PlantKind.MARKET:
        return tuple(MARKET_KPIS)
    from seedbed.soak.training._plant import TRAINING_KPIS

    return TRAINING_KPIS


def _training(plan: SoakPlan) -> Assembly:
    """Imports inside: training takes long to import, and no other plant needs it. The events are read once."""
    from seedbed.soak.training._plant import TRAINING_KPIS, TrainingPlant
    from seedbed.soak.training._rules import training_rules
    from seedbed.soak.training._settings import training_config, training_registry
    from seedbed.stages import prepare
    from seedbed.temporal import load_flights

    if plan.tuner is TunerKind.MODEL:
        raise NotFound(
            "the plant training has no tuner 'model', since a run never returns to an earlier state; use none or rules"
        )
    config, registry = training_config(plan.seed), training_registry()
    load = cache(lambda: prepare(load_flights(config.data.limit), config.data, config.model))
    tuner = RuleTuner(training_rules(), registry, TRAINING_KPIS) if plan.tuner is TunerKind.RULES else None
    return Assembly(lambda: TrainingPlant(config, load), registry, _profile(plan), _as_declared, tuner)


def _as_declared(registry: Registry, values: Mapping[str, float]) -> Registry:  # noqa: ARG001  no setting limits others
    return registry


def _profile(plan: SoakPlan) -> SoakProfile:
    known = PROFILES[plan.plant]
    if plan.profile == "quick":
        return replace(known["standard"], name="quick", warm_up=2, window=3)
    if plan.profile not in known:
        raise NotFound(f"the plant {plan.plant.value} has no profile {plan.profile!r}; it has {[*known, 'quick']}")
    return known[plan.profile]


def _tuner(plan: SoakPlan) -> Tuner | None:
    if plan.tuner is TunerKind.NONE:
        return None
    makers: Mapping[tuple[PlantKind, TunerKind], Callable[[], Tuner]] = {
        (PlantKind.MOCK, TunerKind.RULES): lambda: RuleTuner(mock_rules(), mock_registry(), MOCK_KPIS),
        (PlantKind.MARKET, TunerKind.RULES): lambda: RuleTuner(market_rules(), market_registry(), MARKET_KPIS),
        (PlantKind.MOCK, TunerKind.MODEL): lambda: _model(mock_registry(), plan.seed),
        (PlantKind.MARKET, TunerKind.MODEL): lambda: _model(market_registry(), plan.seed),
    }
    if (plan.plant, plan.tuner) not in makers:
        raise NotFound(f"the plant {plan.plant.value} has no tuner {plan.tuner.value!r}; it has none, rules and model")
    return makers[plan.plant, plan.tuner]()


def _model(registry: Registry, seed: int) -> Tuner:
    """The model tuner, for every setting outside the subsystem `tuner`."""
    try:
        from seedbed.soak.tuners._model import ModelTuner
    except ModuleNotFoundError as problem:
        raise NotFound(
            f"the tuner `model` needs the package {problem.name}; run `pip install 'seedbed[soak]'`"
        ) from None
    keys = [parameter.key for parameter in registry if parameter.subsystem != TUNER_SUBSYSTEM]
    return ModelTuner(registry, keys, Objective(), seed)
