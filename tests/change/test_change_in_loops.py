"""The table of loops judges by the weights, and says so when a change is lost in silence or falsely accused."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from seedbed.change import Use, UseReport
from seedbed.contracts import Outcome

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _path():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture(scope="module")
def judging(_path):
    return import_module("loop_judging")


@pytest.fixture(scope="module")
def cases(_path):
    return import_module("loop_cases").CASES


@pytest.fixture(scope="module")
def measures(_path):
    return import_module("loop_measures")


@pytest.fixture(scope="module")
def loops(_path):
    return import_module("loops")


def case_of(cases, name: str):
    (found,) = [case for case in cases if case.name == name]
    return found


def trace(*weights: float) -> list[torch.Tensor]:
    return [torch.tensor([1.0, each], dtype=torch.float64) for each in weights]


def test_truth_is_the_first_step_that_differs_and_the_first_that_strays(judging) -> None:
    without, meant = trace(1, 2, 3, 4), trace(1, 2.5, 3.5, 4.5)
    assert judging.truth_of(without, meant, meant) == judging.Truth(2, None)
    assert judging.truth_of(without, without, meant) == judging.Truth(None, 2)
    assert judging.truth_of(without, trace(1, 2.5, 3.5, 4.4), meant) == judging.Truth(2, 4)
    assert judging.truth_of(without, trace(1, 2, 3.5, 4.5), meant) == judging.Truth(3, 2)


def test_rounding_is_no_difference_and_a_ten_thousandth_of_the_change_is_a_loss(judging) -> None:
    without, meant = trace(1, 2), trace(1, 2.5)
    assert judging.truth_of(without, trace(1 + 1e-15, 2.5 - 1e-15), meant) == judging.Truth(2, None)
    assert judging.truth_of(without, trace(1, 2.4999), meant).strays == 2


def test_weights_that_are_no_numbers_stray(judging) -> None:
    assert judging.truth_of(trace(1, 2), trace(1, float("nan")), trace(1, 2.5)).strays == 2


def test_loops_of_different_lengths_are_not_compared(judging) -> None:
    with pytest.raises(ValueError, match="zip"):
        judging.truth_of(trace(1, 2), trace(1), trace(1, 2))


@pytest.mark.parametrize(
    ("outcome", "effective", "truth", "verdict"),
    [
        (Outcome.EFFECTIVE, 11, (11, None), "EFFECTIVE"),
        (Outcome.CLAMPED, 11, (11, None), "EFFECTIVE"),
        (Outcome.EFFECTIVE, 11, (11, 15), "SILENTLY_LOST"),
        (Outcome.EFFECTIVE, 11, (None, 11), "SILENTLY_LOST"),
        (Outcome.EFFECTIVE, 11, (None, None), "SILENTLY_LOST"),
        (Outcome.EFFECTIVE, 11, (12, None), "WRONG_STEP"),
        (Outcome.EFFECTIVE, 12, (11, None), "WRONG_STEP"),
        (Outcome.BLOCKED, None, (None, None), "HELD_BACK"),
        (Outcome.NO_OP, None, (None, None), "HELD_BACK"),
        (Outcome.BLOCKED, None, (11, None), "CHANGED_ANYWAY"),
        (Outcome.FAILED, 11, (11, 15), "FAILED"),
        (Outcome.FAILED, None, (None, 11), "FAILED"),
        (Outcome.FAILED, None, (None, None), "FAILED"),
        (Outcome.FAILED, None, (11, None), "FALSELY_ACCUSED"),
        (Outcome.FAILED, 12, (11, 15), "WRONG_STEP"),
        (Outcome.UNKNOWN, None, (11, None), "UNKNOWN"),
        (None, None, (None, 11), "REFUSED"),
        (None, None, (11, None), "CHANGED_ANYWAY"),
    ],
)
def test_each_answer_is_judged_by_the_weights(judging, outcome, effective, truth, verdict) -> None:
    said = judging.Said("why", outcome, effective)
    assert judging.judge(said, judging.Truth(*truth)) is judging.Verdict[verdict]


def test_a_step_that_only_some_micro_batches_changed_is_not_yet_the_one_that_used_it(judging) -> None:
    truth = judging.Truth(11, None)
    for effective, verdict in ((12, "EFFECTIVE"), (11, "WRONG_STEP")):
        said = judging.Said("", Outcome.EFFECTIVE, effective)
        assert judging.judge(said, truth, half_used=1) is judging.Verdict[verdict]


def test_every_verdict_is_right_undecided_or_wrong(judging) -> None:
    assert frozenset(judging.Verdict) == judging.RIGHT | judging.UNDECIDED | judging.WRONG
    assert judging.Verdict.RAISED in judging.WRONG


def test_every_case_has_a_name_of_its_own_and_there_are_at_least_60(cases) -> None:
    assert len(cases) >= 60
    assert len({case.name for case in cases}) == len(cases)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of PyTorch, of what these loops do
def test_in_every_loop_the_meant_change_shows_in_the_weights_unless_it_is_meant_to_be_held_back(cases, measures):
    shows_nothing = set()
    for case in (case for case in cases if not (case.in_processes or case.at_the_door)):
        without, meant = (measures.trained(case, by_hand=by_hand).trace for by_hand in (False, True))
        assert len(without) == len(meant) > 20, case.name
        if all(torch.equal(*pair) for pair in zip(without, meant, strict=True)):
            shows_nothing.add((case.family, case.name))
    held = {("held back", case.name) for case in cases if case.family == "held back"}
    assert shows_nothing == held - {("held back", "a slip by 1000x, bounded")} | {
        ("planted losses", "an optimizer that ignores its groups")
    }


class Assigns:
    """A binding that assigns to the groups and reports what it was told to say, and when."""

    def __init__(self, optimizer: torch.optim.Optimizer, use: Use, after: int = 1) -> None:
        self._optimizer, self._use, self._after = optimizer, use, after

    def read(self) -> float:
        return self._optimizer.param_groups[0]["lr"]

    def write(self, value: float) -> None:
        factor = value / self.read()
        for group in self._optimizer.param_groups:
            group["lr"] *= factor

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        if report is not None:
            report(UseReport(self._after, self.read(), self.read(), self._use, "" if self._use is Use.USED else "so"))

    def state(self) -> dict[str, float]:
        return {"lr": self.read()}

    def restore(self, state: Mapping[str, float]) -> None:
        self.write(state["lr"])


def with_binding(case, *told):
    return replace(case, knob=replace(case.knob, bind=lambda loop: Assigns(loop.optimizer, *told)))


@pytest.mark.parametrize(
    "name", ["LambdaLR, SGD with momentum", "written before the step", "written at milestones, the same number"]
)
def test_a_binding_that_only_assigns_and_says_effective_is_shown_as_silently_lost(cases, measures, judging, name):
    row = measures.measure(with_binding(case_of(cases, name), Use.USED))
    assert row.verdict is judging.Verdict.SILENTLY_LOST
    assert row.said.outcome is Outcome.EFFECTIVE
    assert row.truth.strays is not None


def test_a_binding_that_accuses_a_loop_which_keeps_the_change_is_shown_as_false(cases, measures, judging) -> None:
    case = case_of(cases, "multiplied after the step")
    assert measures.measure(with_binding(case, Use.LOST)).verdict is judging.Verdict.FALSELY_ACCUSED
    assert measures.measure(with_binding(case, Use.USED)).verdict is judging.Verdict.EFFECTIVE
    assert measures.measure(with_binding(case, Use.USED, 3)).verdict is judging.Verdict.WRONG_STEP
    assert measures.measure(with_binding(case, Use.OPEN)).verdict is judging.Verdict.UNKNOWN


def test_an_error_that_reaches_the_loop_is_a_row_of_its_own(cases, measures, judging) -> None:
    def fails(_loop):
        raise RuntimeError("out of reach")

    case = case_of(cases, "multiplied after the step")
    with pytest.raises(RuntimeError):
        measures.measure(replace(case, after=fails))  # the loop itself
    wrong = with_binding(case, "no use")
    row = measures.measure(wrong)
    assert row.verdict is judging.Verdict.RAISED
    assert row.said.reason


def row_of(measures, judging, verdict: str, family: str = "habits", *, can_lose: bool = False):
    truth, said = judging.Truth(11, None), judging.Said("", Outcome.EFFECTIVE)
    return measures.Row("a case", family, can_lose, truth, said, judging.Verdict[verdict], 0.0)


def test_the_table_is_good_without_wrong_answers_losses_that_need_not_be_and_many_unknown(loops, measures, judging):
    def good(*rows) -> bool:
        return loops.is_good([row_of(measures, judging, *each) for each in rows])

    assert good(("EFFECTIVE",), ("HELD_BACK",), ("UNKNOWN",), ("REFUSED",))
    assert good(*[("UNKNOWN",)] * 5)
    assert not good(*[("UNKNOWN",)] * 3, *[("REFUSED",)] * 3)
    for library in loops.LIBRARIES:
        assert not good(("UNKNOWN", library))
    for wrong in judging.WRONG:
        assert not good((wrong.name,))
    assert not good(("FAILED",))
    assert loops.is_good([row_of(measures, judging, "FAILED", can_lose=True)])


def test_the_libraries_have_cases(loops, cases) -> None:
    assert set(loops.LIBRARIES) <= {case.family for case in cases}


@pytest.mark.slow
def test_a_change_is_kept_under_torchs_own_schedules_and_with_closures(cases, measures, judging) -> None:
    for name in ("OneCycleLR, AdamW", "SequentialLR, Adam, tensor rate", "LBFGS", "Rprop, a layer joins later"):
        assert measures.measure(case_of(cases, name)).verdict is judging.Verdict.EFFECTIVE, name


@pytest.mark.slow
def test_a_loop_at_the_door_is_changed_through_a_run_and_resumed_from_its_checkpoint(cases, measures, judging) -> None:
    for name in ("momentum, resumed, at the door", "GradScaler skips after the change, at the door"):
        row = measures.measure(case_of(cases, name))
        assert (row.verdict, row.said.effective) == (judging.Verdict.EFFECTIVE, 11), row


@pytest.mark.slow
def test_a_slip_is_held_back_at_the_door(cases, measures, judging) -> None:
    row = measures.measure(case_of(cases, "a slip by 1000x, at the door"))
    assert (row.verdict, row.said.outcome) == (judging.Verdict.HELD_BACK, Outcome.BLOCKED)


@pytest.mark.slow
def test_the_command_prints_a_table_or_one_object(loops, monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(loops.logging, "disable", lambda: None)
    monkeypatch.setattr("sys.argv", ["loops.py", "--only", "transformers' schedules: con"])
    assert loops.main() == 0
    assert "constant_with_warmup" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["loops.py", "--only", "transformers' schedules: con", "--json"])
    assert loops.main() == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["summary"]["loops"], answer["summary"]["effective"]) == (2, 2)
    assert answer["loops"][0]["truth"] == {"differs": 11, "strays": None}


@pytest.mark.slow
def test_two_processes_answer_for_themselves_and_the_worse_answer_counts(cases, judging) -> None:
    together = import_module("loop_processes")
    (row,) = together.measure_together([case_of(cases, "DDP, CosineAnnealingLR")])
    assert (row.verdict, row.truth.differs) == (judging.Verdict.EFFECTIVE, 11)
