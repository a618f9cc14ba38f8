"""Each fault between settings and plant is caught by the gate, with the exit code it deserves; an honest soak passes.

The verifier accuses none of them: their files are what their logs give.
"""

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from seedbed.contracts import Outcome, Verdict
from seedbed.errors import InvalidInput
from seedbed.soak import FinishedSoak, Soak, SoakFault, SoakFolder, SoakPlan, SoakProgress, assemble, finish
from seedbed.soak._evidence import DeliveryRecord
from seedbed.soak.faults._sighting import report_on

# Fault, exit code, and the checks that must fail.
CAUGHT = [
    (SoakFault.DROPPED, 4, {"contract.kept", "apply_ratio", "stuck"}),
    (SoakFault.LATE, 4, {"contract.kept", "apply_ratio", "stuck"}),
    (SoakFault.REVERTED, 4, {"contract.kept", "apply_ratio"}),
    (SoakFault.RESTART, 4, {"contract.kept", "apply_ratio"}),
    (SoakFault.CLAMPED, 1, {"apply_ratio"}),
    (SoakFault.ROUNDED, 1, {"apply_ratio"}),
    (SoakFault.DUPLICATED, 1, {"apply_ratio"}),
    (SoakFault.STALE, 1, {"apply_ratio"}),
]


class Silent:
    def iterated(self, progress: SoakProgress) -> None: ...

    def noted(self, text: str) -> None: ...


def soaked(root: Path, *, ends_after: int | None = None, **asked: object) -> FinishedSoak:
    """A finished soak; with `ends_after`, its time was up after that many iterations."""
    plan = SoakPlan.model_validate({"soak_id": "a", "plant": "mock", "tuner": "rules", "iterations": 24, **asked})
    folder = SoakFolder.create(root, plan)
    soak = Soak(folder, assemble(plan), Silent())
    calls = count(1)
    assert soak.run(lambda: False, lambda: ends_after is not None and next(calls) > ends_after)
    soak.close()
    return finish(folder, assemble)


def test_every_fault_is_in_the_table() -> None:
    assert {fault for fault, _, _ in CAUGHT} == set(SoakFault)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "exit_code", "failing"), CAUGHT, ids=[fault.value for fault, _, _ in CAUGHT])
def test_a_fault_fails_the_gate_for_the_right_reason(
    tmp_path: Path, fault: SoakFault, exit_code: int, failing: set[str]
) -> None:
    done = soaked(tmp_path, fault=fault)
    failed = {check.metric for check in done.report.checks if check.verdict is Verdict.FAIL}
    assert (done.report.verdict, done.report.exit_code) == (Verdict.FAIL, exit_code)
    assert failing <= failed
    assert "verify.clean" not in failed
    assert (done.readback.tally.breaks == ()) is (exit_code == 1)
    assert any(record.outcome is Outcome.FAILED for record in done.readback.history.records)


@pytest.mark.slow
@pytest.mark.parametrize("plant", ["mock", "market"])
@pytest.mark.parametrize("fault", SoakFault)
def test_a_fault_that_came_about_is_seen_where_the_log_first_differs_from_a_soak_without_it(
    tmp_path: Path, plant: str, fault: SoakFault
) -> None:
    asked: dict[str, Any] = {"plant": plant, "iterations": 12, "profile": "quick", "fault_from": 4}
    with_it, without = soaked(tmp_path / "with", fault=fault, **asked), soaked(tmp_path / "without", **asked)
    pairs = zip(payloads(with_it), payloads(without), strict=False)
    differs = next(iteration for (iteration, found), (_, expected) in pairs if found != expected)
    (check,) = (each for each in with_it.report.checks if each.metric == "fault.seen")
    assert (check.verdict, check.reason) == (
        Verdict.PASS,
        f"the fault {fault.value}, due from iteration 4 on, was seen at iteration {differs}",
    )


def payloads(done: FinishedSoak) -> list[tuple[int, object]]:
    """What was held and used, record by record after the plan's own, with the iteration of each."""
    found: list[tuple[int, object]] = []
    iteration = 0
    for entry in done.readback.evidence[1:]:
        iteration = entry.payload.get("iteration", iteration)
        found.append((iteration, {name: entry.payload.get(name) for name in ("handed", "values", "used")}))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("gate", [None, {"gate": "easy", "checks": ["finished == true"]}])
def test_a_fault_that_never_came_about_passes_no_gate_and_the_reason_names_it(
    tmp_path: Path, gate: dict[str, object] | None
) -> None:
    done = soaked(tmp_path, ends_after=10, fault="clamped", fault_from=18, gate=gate)
    last = [each for each in done.report.checks if each.metric == "fault.seen"]
    assert [each.verdict for each in last] == [Verdict.NO_DATA]
    assert last[0].reason == (
        "the fault clamped, due from iteration 18 on, never came about: no settings were delivered after that"
    )
    others = {each.verdict for each in done.report.checks if each.metric != "fault.seen"}
    if gate is not None:
        assert (others, done.report.verdict, done.report.exit_code) == ({Verdict.PASS}, Verdict.NO_DATA, 3)
    assert done.report.verdict is not Verdict.PASS
    assert done.verification.clean


@pytest.mark.slow
def test_values_that_a_fault_leaves_as_they_are_are_no_fault_that_came_about(tmp_path: Path) -> None:
    done = soaked(tmp_path, iterations=14, profile="quick", fault="stale", fault_from=3)
    records = done.readback.evidence_records
    honest = [replace(each, held=each.delivered) if isinstance(each, DeliveryRecord) else each for each in records]
    assert report_on(SoakFault.STALE, 3, records).seen_at is not None
    found = report_on(SoakFault.STALE, 3, honest)
    assert found.seen_at is None
    assert "and were held and used as they were delivered" in found.what


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"fault": "dropped", "fault_from": 23}, "after iterations 5 to 22 of 24; choose fault_from .* from 1 to 22"),
        ({"fault": "reverted", "fault_from": 23}, "from 1 to 22"),
        ({"fault": "restart", "fault_from": 4}, "from 5 to 23"),
        ({"fault": "late", "tuner": "none"}, "without a tuner, no settings are delivered"),
        ({"fault": "late", "iterations": 6, "fault_from": 2}, "none of 6 iterations tunes"),
        ({"fault": "stale", "plant": "market", "fault_from": 23}, "from 1 to 22"),
        ({"fault": "clamped", "plant": "training", "fault_from": 23}, "after iterations 2 to 22 of 24"),
    ],
)
def test_a_fault_that_cannot_come_about_is_refused_with_what_can(asked: dict[str, object], said: str) -> None:
    plan = {"soak_id": "a", "plant": "mock", "tuner": "rules", "iterations": 24, **asked}
    with pytest.raises(InvalidInput, match=said):
        assemble(SoakPlan.model_validate(plan))
    assemble(SoakPlan.model_validate({**plan, "schema_version": 1}))  # as a former version let it begin


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 7])
def test_an_honest_soak_passes_and_has_a_reason_for_every_denial(tmp_path: Path, seed: int) -> None:
    done = soaked(tmp_path, seed=seed)
    counted = done.readback.tally
    assert (done.report.verdict, done.report.exit_code, done.verification.clean) == (Verdict.PASS, 0, True)
    assert (counted.ratio, counted.stuck, counted.breaks, counted.rollbacks) == (1.0, (), (), 0)
    assert counted.skip_coverage in {None, 1.0}
    assert done.snapshot.freeze_ready


@pytest.mark.slow
def test_a_soak_that_only_measures_has_no_ratio_and_does_not_pass(tmp_path: Path) -> None:
    done = soaked(tmp_path, tuner="none")
    verdicts = {check.metric: check.verdict for check in done.report.checks}
    assert (done.readback.tally.ratio, verdicts["apply_ratio"]) == (None, Verdict.NO_DATA)
    assert done.report.exit_code == 3


@pytest.mark.slow
def test_lost_changes_are_rolled_back_and_their_subsystem_is_left_alone_for_an_iteration(tmp_path: Path) -> None:
    done = soaked(tmp_path, fault=SoakFault.RESTART)
    lost = next(each for each in done.readback.iterations if each.decision.lost)
    assert {each.delta.proposer for each in lost.changes} >= {"rollback"}
    assert lost.decision.rules.conditions.unhealthy
    assert done.readback.iterations[-1].measured.plant.used == done.snapshot.settings
