"""Each fault between settings and plant is caught by the gate, with the exit code it deserves; an honest soak passes.

The verifier accuses none of them: their files are what their logs give.
"""

from pathlib import Path

import pytest

from seedbed.contracts import Outcome, Verdict
from seedbed.soak import FinishedSoak, Soak, SoakFault, SoakFolder, SoakPlan, SoakProgress, assemble, finish

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


def soaked(root: Path, **asked: object) -> FinishedSoak:
    plan = SoakPlan.model_validate({"soak_id": "a", "plant": "mock", "tuner": "rules", "iterations": 24, **asked})
    folder = SoakFolder.create(root, plan)
    soak = Soak(folder, assemble(plan), Silent())
    assert soak.run(lambda: False, lambda: False)
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
    assert done.report.exit_code == 1


@pytest.mark.slow
def test_lost_changes_are_rolled_back_and_their_subsystem_is_left_alone_for_an_iteration(tmp_path: Path) -> None:
    done = soaked(tmp_path, fault=SoakFault.RESTART)
    lost = next(each for each in done.readback.iterations if each.decision.lost)
    assert {each.delta.proposer for each in lost.changes} >= {"rollback"}
    assert lost.decision.rules.conditions.unhealthy
    assert done.readback.iterations[-1].measured.plant.used == done.snapshot.settings
