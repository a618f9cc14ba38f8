"""The reports of a soak: the tuning report, the snapshot with the verdict, and the record that a gate judges."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from seedbed.change import summary
from seedbed.contracts import ChangeSummary, CheckReport, GateReport, Message, Verdict
from seedbed.gate import Check, GateSpec, Series, calibrated, parse_gate
from seedbed.gate._judge import judge_with_remedies
from seedbed.gate._rules import FORMER_RULES, RULES
from seedbed.soak._iterations import IterationRecord
from seedbed.soak._readback import SoakReadback
from seedbed.soak._tally import SoakTally
from seedbed.soak.faults._sighting import FaultReport, report_on
from seedbed.soak.reports._drawing import SealedDrawing
from seedbed.soak.reports._metrics import SoakCounts
from seedbed.soak.reports._remedy import remedy_of

__all__ = [
    "PostSoakSnapshot",
    "TuningReport",
    "calibrate_readback",
    "counts_of",
    "freeze_objections",
    "judge_readback",
    "post_soak_snapshot",
    "soak_counts",
    "soak_gate_record",
    "tuning_report",
]

_FAR = 3.5
_TO_SIGMA = 1.4826
_VERIFIED: Mapping[str, object] = {"metric": "verify.clean", "op": "==", "value": True, "kind": "contract"}
_FAULT_SEEN: Mapping[str, object] = {"metric": "fault.seen", "op": "==", "value": True}


class TuningReport(Message):
    """`TUNING_REPORT.json`: every change with its history, the counts, and the ends of both logs."""

    schema_version: Literal[1] = 1
    soak_id: str
    plan: str = Field(description="the digest of the plan")
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
    """A KPI of one iteration that is `away` robust standard deviations from its median over the soak."""

    iteration: int
    kpi: str
    value: float
    median: float
    away: float


class PostSoakSnapshot(Message):
    """`POST_SOAK_SNAPSHOT.json`: the verdict, whether the settings may be frozen, and the evidence for both.

    `drawing` seals `KPIS.svg`. Without a drawing, and in soaks of plan version 1, the key is left out.
    """

    schema_version: Literal[1] = 1
    soak_id: str
    plan: str = Field(description="the digest of the plan")
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
    drawing: SealedDrawing | None = None

    @model_serializer(mode="wrap")
    def _without_missing_drawing(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        found: dict[str, object] = dump(self)
        if self.drawing is None:
            found.pop("drawing", None)
        return found


def tuning_report(readback: SoakReadback) -> TuningReport:
    """The tuning report of a soak, finished or not."""
    return TuningReport(
        soak_id=readback.plan.soak_id,
        plan=readback.plan.digest(),
        tuner=readback.plan.tuner.value,
        tally=readback.tally,
        changes=summary(readback.history),
        heads={name: head.as_json() for name, head in readback.heads.items()},
        final_hash=readback.final_hash,
    )


def freeze_objections(readback: SoakReadback) -> tuple[str, ...]:
    """The reasons why the settings may not be frozen; empty when they may."""
    profile, found = readback.assembly.profile, []
    if not readback.is_finished:
        found.append(f"{len(readback.iterations)} of {readback.length} iterations were measured")
    last = readback.iterations[-profile.window :]
    means = _means([each.decision.observation.kpis for each in last])
    found.extend(objection for good in profile.good if (objection := good.objection(means)) is not None)
    for each in last:
        if each.decision.lost:
            found.append(f"iteration {each.measured.iteration} lost changes {_lost(readback, each.decision.lost)}")
        reasons = each.decision.rules.conditions.drifted.values()
        found.extend(f"iteration {each.measured.iteration}: {reason}" for reason in reasons)
    return tuple(found)


def _lost(readback: SoakReadback, lost: Sequence[int]) -> str:
    """The lost changes with their settings; in soaks of plan version 1, whose files keep their words, without."""
    if not readback.plan.is_bound:
        return str(list(lost))
    settings = dict.fromkeys(readback.history[each].delta.parameter for each in lost)
    return f"{list(lost)} of {', '.join(settings)}"


def soak_gate_record(readback: SoakReadback, *, verified: bool) -> dict[str, Any]:
    """The record of a soak that a gate judges.

    `kpi` and `control` hold every sample after the warm-up, `window` and `control_window` those of the last iterations,
    as series by KPI; `iteration` holds one value for each iteration, by KPI and statistic. `fault.seen` has no value
    unless a fault was asked for and seen.
    """
    counted = readback.tally
    fault = _fault_report(readback)
    tuned, last = (
        readback.iterations[readback.assembly.profile.warm_up :],
        readback.iterations[-readback.assembly.profile.window :],
    )
    outcomes = {name.lower(): count for name, count in counted.outcomes.items()}
    return {
        "apply_ratio": counted.ratio,
        "skip_coverage": counted.skip_coverage,
        "stuck": len(counted.stuck),
        "finished": readback.is_finished,
        "freeze_ready": not freeze_objections(readback),
        "verify": {"clean": verified},
        "contract": {"kept": not counted.breaks},
        "fault": {"seen": True if fault is not None and fault.seen_at is not None else None},
        "proposals": {name: getattr(counted, name) for name in ("full", "partial", "failed", "skipped")},
        "changes": {"requested": sum(outcomes.values()), "rollbacks": counted.rollbacks, **outcomes},
        "kpi": _samples(tuned, control=False),
        "control": _samples(tuned, control=True),
        "window": _samples(last, control=False),
        "control_window": _samples(last, control=True),
        "iteration": _by_iteration(readback.iterations),
    }


def judge_readback(readback: SoakReadback, *, verified: bool, spec: GateSpec | None = None) -> GateReport:
    """Judge by `spec`, else by the plan's gate, else by the profile's checks. Raises InvalidInput as `judge`.

    Two things no gate can leave out: a soak in which verification found something does not pass, and neither does one
    with a fault that was never seen. The soak's own gate judges by the rules of its time, `spec` by today's.
    """
    rules = readback.plan.gate_rules if spec is None else RULES
    record = soak_gate_record(readback, verified=verified)
    fault, window = _fault_report(readback), readback.assembly.profile.window

    def remedy(check: Check) -> str:
        former = rules <= FORMER_RULES  # whose words stay as they were
        return "" if former else remedy_of(check, num_iterations=len(readback.iterations), window=window)

    gate = _gate_of(readback, spec, verified=verified)
    report = judge_with_remedies(gate, record, remedy, rules=rules)
    if rules > FORMER_RULES:
        why = "; ".join(freeze_objections(readback))
        report = report.model_copy(update={"checks": tuple(_with_objections(each, why) for each in report.checks)})
    if fault is None:
        return report
    return report.model_copy(update={"checks": tuple(_with_reason(each, fault) for each in report.checks)})


def calibrate_readback(
    readback: SoakReadback, report: GateReport, *, verified: bool, spec: GateSpec | None = None
) -> GateReport:
    """The report with the false-pass rate of each check by the report's rules, simulated on the soak's own series."""
    gate = _gate_of(readback, spec, verified=verified)
    return calibrated(report, gate, soak_gate_record(readback, verified=verified))


def _gate_of(readback: SoakReadback, spec: GateSpec | None, *, verified: bool) -> GateSpec:
    """The gate to judge by, with the checks that every soak must pass and that it lacks."""
    gate = spec or _own_gate(readback)
    required = [] if verified else [_VERIFIED]
    if readback.plan.is_bound and readback.plan.fault is not None:
        required.append(_FAULT_SEEN)
    if not required:
        return gate
    # Only the very same check is enough: one that asks the contrary of the same metric would let everything pass.
    added = [each for each in parse_gate({"checks": required}).checks if each not in gate.checks]
    return gate.model_copy(update={"checks": (*gate.checks, *added)})


def _fault_report(readback: SoakReadback) -> FaultReport | None:
    """What the plant's log shows of the fault that was asked for; None without one."""
    plan = readback.plan
    return None if plan.fault is None else report_on(plan.fault, plan.fault_from, readback.evidence_records)


def _with_reason(check: CheckReport, fault: FaultReport) -> CheckReport:
    """A check on the fault, with what the log shows as its reason; any other check as it is."""
    is_about_it = check.metric == _FAULT_SEEN["metric"] and check.verdict in {Verdict.NO_DATA, Verdict.PASS}
    return check.model_copy(update={"reason": fault.what}) if is_about_it else check


def _with_objections(check: CheckReport, why: str) -> CheckReport:
    """A check that the settings may be frozen, if it fails, with what speaks against that; any other check as it is."""
    fails = check.metric == "freeze_ready" and check.verdict is Verdict.FAIL
    return check.model_copy(update={"reason": f"{check.reason}: {why}"}) if fails and why else check


def _own_gate(readback: SoakReadback) -> GateSpec:
    plan = readback.plan
    profile = {"gate": f"soak {plan.profile}", "checks": list(readback.assembly.profile.checks)}
    if plan.gate is not None:
        return plan.gate
    gate = parse_gate(profile)
    if plan.gate_rules > FORMER_RULES:
        return gate
    former = (check.model_copy(update={"range": None}) for check in gate.checks)  # profiles declared no ranges then
    return gate.model_copy(update={"checks": tuple(former)})


def post_soak_snapshot(
    readback: SoakReadback, report: GateReport, *, verified: bool, drawing: SealedDrawing | None = None
) -> PostSoakSnapshot:
    """The snapshot of a soak, with its gate's report and, if its plan is bound, what seals its drawing."""
    profile, iterations = readback.assembly.profile, readback.iterations
    objections = freeze_objections(readback)
    spans = {"first": iterations[: profile.window], "last": iterations[-profile.window :]}
    settings = iterations[-1].measured.plant.used if iterations else {}
    return PostSoakSnapshot(
        soak_id=readback.plan.soak_id,
        plan=readback.plan.digest(),
        verdict=report.verdict,
        exit_code=report.exit_code,
        freeze_ready=not objections,
        freeze_objections=objections,
        verified=verified,
        windows={name: _window(span) for name, span in spans.items() if span},
        guard_counts=readback.tally.guards,
        anomalies=tuple(_anomalies(iterations, profile.warm_up)),
        tally=readback.tally,
        gate=report,
        settings=dict(settings),
        heads={name: head.as_json() for name, head in readback.heads.items()},
        drawing=drawing if readback.plan.is_bound else None,
    )


def soak_counts(readback: SoakReadback) -> SoakCounts:
    """The counts and KPIs of a soak for its metrics."""
    last = readback.iterations[-readback.assembly.profile.window :]
    observed = [each.decision.observation.kpis for each in last]
    ready = not freeze_objections(readback)
    return counts_of(readback.plan.soak_id, readback.tally, observed, freeze_ready=ready)


def counts_of(
    soak_id: str, counted: SoakTally, observed: Sequence[Mapping[str, float]], *, freeze_ready: bool
) -> SoakCounts:
    """A tally for metrics, with the mean of each KPI over the given iterations."""
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


def _samples(iterations: Sequence[IterationRecord], *, control: bool) -> dict[str, Series | None]:
    """The samples of one arm, by the KPIs of both: a gate that asks for a missing control arm then finds no data."""
    measured = [each.measured for each in iterations]
    names = sorted({name for each in measured for name in (*each.plant.samples, *each.control)})
    arm = [each.control if control else each.plant.samples for each in measured]
    samples = {name: tuple(value for each in arm for value in each.get(name, ())) for name in names}
    return {name: Series(values) if values else None for name, values in samples.items()}


def _by_iteration(iterations: Sequence[IterationRecord]) -> dict[str, Series]:
    rows = [each.decision.observation.kpis for each in iterations]
    names = sorted({name for row in rows for name in row})
    return {name: Series(tuple(row[name] for row in rows if name in row)) for name in names}


def _window(iterations: Sequence[IterationRecord]) -> Window:
    observed = [each.decision.observation for each in iterations]
    return Window(
        first=iterations[0].measured.iteration,
        last=iterations[-1].measured.iteration,
        kpis=_means([each.kpis for each in observed]),
        control=_means([each.control for each in observed]),
    )


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = sorted({name for row in rows for name in row})
    return {name: fmean(row[name] for row in rows if name in row) for name in names}


def _anomalies(iterations: Sequence[IterationRecord], warm_up: int) -> list[Anomaly]:
    """Outliers by median and median absolute deviation, scaled to a normal's standard deviation (Hampel, 1974)."""
    found = []
    rows = [(each.measured.iteration, each.decision.observation.kpis) for each in iterations[warm_up:]]
    for kpi in sorted({name for _, row in rows for name in row if name.endswith("_mean")}):
        values = [(iteration, row[kpi]) for iteration, row in rows if kpi in row]
        middle = median(value for _, value in values)
        spread = _TO_SIGMA * median(abs(value - middle) for _, value in values)
        for iteration, value in values:
            away = abs(value - middle) / spread if spread else 0.0
            if away > _FAR:
                found.append(Anomaly(iteration=iteration, kpi=kpi, value=value, median=middle, away=away))
    return found
