"""What a finished soak leaves: the tuning report, the snapshot with its verdict, and what a gate may ask."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any, Literal

from pydantic import Field

from seedbed.change import summary
from seedbed.contracts import ChangeSummary, GateReport, Message, Verdict
from seedbed.gate import GateSpec, Series, calibrated, judge, parse_gate
from seedbed.soak._iterations import IterationRecord
from seedbed.soak._metrics import SoakCounts
from seedbed.soak._readback import SoakReadback
from seedbed.soak._tally import SoakTally

__all__ = [
    "PostSoakSnapshot",
    "TuningReport",
    "calibrated_soak",
    "counts_of",
    "freeze_objections",
    "gate_facts",
    "judge_soak",
    "post_soak",
    "soak_counts",
    "tuning_report",
]

_FAR = 3.5
_TO_SIGMA = 1.4826


class TuningReport(Message):
    """`TUNING_REPORT.json`: every change with its story, the counts, and where both logs end."""

    schema_version: Literal[1] = 1
    soak_id: str
    plan: str = Field(description="the digest of what was asked for")
    tuner: str
    tally: SoakTally
    changes: ChangeSummary
    heads: dict[str, dict[str, int | str]]
    final_hash: str


class Window(Message):
    """The mean of each KPI over iterations `first` to `last`, of the plant and of its control arm."""

    first: int = Field(ge=1)
    last: int = Field(ge=1)
    kpis: dict[str, float]
    control: dict[str, float]


class Anomaly(Message):
    """An iteration whose KPI lies `away` robust standard deviations from its median over the soak."""

    iteration: int
    kpi: str
    value: float
    median: float
    away: float


class PostSoakSnapshot(Message):
    """`POST_SOAK_SNAPSHOT.json`: the verdict, whether the settings may be frozen, and what both rest on."""

    schema_version: Literal[1] = 1
    soak_id: str
    plan: str = Field(description="the digest of what was asked for")
    verdict: Verdict
    exit_code: int
    freeze_ready: bool
    freeze_objections: tuple[str, ...]
    verified: bool
    windows: dict[str, Window]
    guard_counts: dict[str, int]
    anomalies: tuple[Anomaly, ...]
    tally: SoakTally
    gate: GateReport
    settings: dict[str, float]
    heads: dict[str, dict[str, int | str]]


def tuning_report(account: SoakReadback) -> TuningReport:
    """The report of a soak, also of one that is not finished."""
    return TuningReport(
        soak_id=account.plan.soak_id,
        plan=account.plan.digest(),
        tuner=account.plan.tuner.value,
        tally=account.tally,
        changes=summary(account.history),
        heads={name: head.as_json() for name, head in account.heads.items()},
        final_hash=account.final_hash,
    )


def freeze_objections(account: SoakReadback) -> tuple[str, ...]:
    """Why the settings may not be frozen as they stand; none when they may."""
    profile, found = account.assembly.profile, []
    if not account.is_finished:
        found.append(f"{len(account.told)} of {account.length} iterations were measured")
    last = account.told[-profile.window :]
    means = _means([episode.decision.observation.kpis for episode in last])
    found.extend(objection for good in profile.good if (objection := good.objection(means)) is not None)
    for episode in last:
        if episode.decision.lost:
            found.append(f"iteration {episode.measured.iteration} lost changes {list(episode.decision.lost)}")
        found.extend(
            f"iteration {episode.measured.iteration}: {why}"
            for why in episode.decision.rules.conditions.drifted.values()
        )
    return tuple(found)


def gate_facts(account: SoakReadback, *, verified: bool) -> dict[str, Any]:
    """What a gate may ask of a soak.

    `kpi` and `control` hold every sample after the warm-up, `window` and `control_window` those of the last iterations,
    as series by KPI; `iteration` one value an iteration, by KPI and statistic.
    """
    counted = account.tally
    tuned, last = account.told[account.assembly.profile.warm_up :], account.told[-account.assembly.profile.window :]
    outcomes = {name.lower(): count for name, count in counted.outcomes.items()}
    return {
        "apply_ratio": counted.ratio,
        "skip_coverage": counted.skip_coverage,
        "stuck": len(counted.stuck),
        "finished": account.is_finished,
        "freeze_ready": not freeze_objections(account),
        "verify": {"clean": verified},
        "contract": {"kept": not counted.breaks},
        "proposals": {name: getattr(counted, name) for name in ("full", "partial", "failed", "skipped")},
        "changes": {"requested": sum(outcomes.values()), "rollbacks": counted.rollbacks, **outcomes},
        "kpi": _samples(tuned, control=False),
        "control": _samples(tuned, control=True),
        "window": _samples(last, control=False),
        "control_window": _samples(last, control=True),
        "iteration": _by_iteration(account.told),
    }


def judge_soak(account: SoakReadback, *, verified: bool, spec: GateSpec | None = None) -> GateReport:
    """The answer of `spec`: by default the plan's own gate, else its profile's. Raises InvalidInput as `judge`."""
    return judge(spec or _own_gate(account), gate_facts(account, verified=verified))


def calibrated_soak(
    account: SoakReadback, report: GateReport, *, verified: bool, spec: GateSpec | None = None
) -> GateReport:
    """The report with each check's false-pass rate, by simulation on series like the soak's own."""
    return calibrated(report, spec or _own_gate(account), gate_facts(account, verified=verified))


def _own_gate(account: SoakReadback) -> GateSpec:
    plan = account.plan
    profile = {"gate": f"soak {plan.profile}", "checks": list(account.assembly.profile.checks)}
    return parse_gate(profile) if plan.gate is None else plan.gate


def post_soak(account: SoakReadback, report: GateReport, *, verified: bool) -> PostSoakSnapshot:
    """The snapshot of a soak that was judged."""
    profile, told = account.assembly.profile, account.told
    objections = freeze_objections(account)
    spans = {"first": told[: profile.window], "last": told[-profile.window :]}
    settings = told[-1].measured.plant.used if told else {}
    return PostSoakSnapshot(
        soak_id=account.plan.soak_id,
        plan=account.plan.digest(),
        verdict=report.verdict,
        exit_code=report.exit_code,
        freeze_ready=not objections,
        freeze_objections=objections,
        verified=verified,
        windows={name: _window(span) for name, span in spans.items() if span},
        guard_counts=account.tally.guards,
        anomalies=tuple(_anomalies(told, profile.warm_up)),
        tally=account.tally,
        gate=report,
        settings=dict(settings),
        heads={name: head.as_json() for name, head in account.heads.items()},
    )


def soak_counts(account: SoakReadback) -> SoakCounts:
    """What leaves as metrics."""
    last = account.told[-account.assembly.profile.window :]
    observed = [episode.decision.observation.kpis for episode in last]
    ready = not freeze_objections(account)
    return counts_of(account.plan.soak_id, account.tally, observed, freeze_ready=ready)


def counts_of(
    soak_id: str, counted: SoakTally, observed: Sequence[Mapping[str, float]], *, freeze_ready: bool
) -> SoakCounts:
    """A tally, and the KPIs of the last iterations on average, as metrics name them."""
    kpis: dict[str, dict[str, float]] = {}
    for name, value in _means(observed).items():
        kpi, _, statistic = name.rpartition("_")
        kpis.setdefault(kpi, {})[statistic] = value
    return SoakCounts(
        run_id=soak_id,
        num_total=counted.full + counted.partial + counted.failed,
        num_full=counted.full,
        num_partial=counted.partial,
        num_failed=counted.failed,
        num_stuck=len(counted.stuck),
        freeze_ready=freeze_ready,
        kpis=kpis,
    )


def _samples(told: Sequence[IterationRecord], *, control: bool) -> dict[str, Series | None]:
    """By KPI of either arm, so that a gate that asks for the control arm finds no data where there is none."""
    arms = [episode.measured.control if control else episode.measured.plant.samples for episode in told]
    names = sorted({name for episode in told for name in (*episode.measured.plant.samples, *episode.measured.control)})
    samples = {name: tuple(value for arm in arms for value in arm.get(name, ())) for name in names}
    return {name: Series(values) if values else None for name, values in samples.items()}


def _by_iteration(told: Sequence[IterationRecord]) -> dict[str, Series]:
    rows = [episode.decision.observation.kpis for episode in told]
    names = sorted({name for row in rows for name in row})
    return {name: Series(tuple(row[name] for row in rows if name in row)) for name in names}


def _window(told: Sequence[IterationRecord]) -> Window:
    observed = [episode.decision.observation for episode in told]
    return Window(
        first=told[0].measured.iteration,
        last=told[-1].measured.iteration,
        kpis=_means([each.kpis for each in observed]),
        control=_means([each.control for each in observed]),
    )


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = sorted({name for row in rows for name in row})
    return {name: fmean(row[name] for row in rows if name in row) for name in names}


def _anomalies(told: Sequence[IterationRecord], warm_up: int) -> list[Anomaly]:
    """By median and median absolute deviation, scaled to a normal's standard deviation (Hampel, 1974)."""
    found = []
    rows = [(each.measured.iteration, each.decision.observation.kpis) for each in told[warm_up:]]
    for kpi in sorted({name for _, row in rows for name in row if name.endswith("_mean")}):
        values = [(iteration, row[kpi]) for iteration, row in rows if kpi in row]
        middle = median(value for _, value in values)
        spread = _TO_SIGMA * median(abs(value - middle) for _, value in values)
        for iteration, value in values:
            away = abs(value - middle) / spread if spread else 0.0
            if away > _FAR:
                found.append(Anomaly(iteration=iteration, kpi=kpi, value=value, median=middle, away=away))
    return found
