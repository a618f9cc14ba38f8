"""Under every stock schedule each kind of change is held or refused; the table that says so can say otherwise."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change import LearningRate, Use, UseReport

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
OVERWRITING = {"LambdaLR", "CosineAnnealingWarmRestarts", "OneCycleLR"}


@pytest.fixture(scope="module")
def _path():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture
def table(_path):
    return import_module("measure_schedulers")


@pytest.fixture
def schedules(_path):
    return import_module("scheduler_loops").SCHEDULES


CHANGES = [
    "lr, set",
    "lr, scale",
    "lr, add",
    "lr of one group, set",
    "lr of one group, scale",
    "lr of one group, add",
    "weight decay, set",
    "weight decay, scale",
    "beta1, set",
    "beta2, set",
    "momentum, set",
    "freeze",
    "unfreeze",
    "batch size, set; lr in proportion",
]


def test_the_kinds_tested_are_all_there_are(table):
    assert list(table.CHANGES) == CHANGES


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_no_change_is_lost_under_any_schedule_and_a_resume(table, schedules, change):
    for schedule in schedules:
        cell = table.measure(change, schedule, resume=True)
        cycled = change in {"beta1, set", "momentum, set"} and schedule == "OneCycleLR"
        assert (cell.verdict, cell.outcome) == (("refused", "REFUSED") if cycled else ("held", "EFFECTIVE")), cell
        if cycled:
            assert "OneCycleLR overwrites" in cell.reason
        else:
            assert cell.from_unchanged > 1000 * table.TOLERANCE, "a loss would have shown"
        if change.startswith("lr") and schedule in OVERWRITING:
            assert not cell.plain_kept(1)
            assert not cell.plain_kept(10)
        if change in {"freeze", "unfreeze", "batch size, set; lr in proportion"}:
            assert not cell.plain_kept(10), "no state_dict knows of it"


@pytest.mark.slow
@pytest.mark.parametrize("change", ["lr, set", "lr of one group, set", "freeze"])
def test_no_change_is_lost_without_a_resume_either(table, schedules, change):
    assert {table.measure(change, schedule, resume=False).verdict for schedule in schedules} == {"held"}


class Plain:
    """A binding that assigns to the groups and reports what it was told, as a log of what was asked for does."""

    def __init__(self, optimizer: torch.optim.Optimizer, _scheduler: LRScheduler | None = None) -> None:
        self._optimizer = optimizer

    def read(self) -> float:
        return self._optimizer.param_groups[0]["lr"]

    def write(self, value: float) -> None:
        factor = value / self.read()
        for group in self._optimizer.param_groups:
            group["lr"] *= factor

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        if report is not None:
            report(UseReport(1, self.read(), self.read(), Use.USED))

    def state(self) -> dict[str, float]:
        return {"lr": self.read()}

    def restore(self, state: Mapping[str, float]) -> None:
        self.write(state["lr"])


@pytest.mark.parametrize("schedule", sorted(OVERWRITING))
def test_a_binding_that_only_assigns_is_shown_as_silently_lost(table, monkeypatch, schedule):
    faulty = replace(table.CHANGES["lr, set"], bind=lambda loop: Plain(loop.optimizer))
    monkeypatch.setitem(table.CHANGES, "lr, set", faulty)
    cell = table.measure("lr, set", schedule, resume=False)
    assert (cell.verdict, cell.outcome, cell.silent) == ("lost", "EFFECTIVE", True)
    assert "deviated" in cell.reason


@pytest.mark.slow
@pytest.mark.parametrize("schedule", sorted(OVERWRITING))
def test_a_schedule_that_nobody_declared_is_shown_as_lost_and_not_in_silence(table, monkeypatch, schedule):
    undeclared = replace(table.CHANGES["lr, set"], bind=lambda loop: LearningRate(loop.optimizer))
    monkeypatch.setitem(table.CHANGES, "lr, set", undeclared)
    cell = table.measure("lr, set", schedule, resume=False)
    assert (cell.verdict, cell.outcome, cell.silent) == ("lost", "FAILED", False)


@pytest.mark.slow
@pytest.mark.usefixtures("_path")
def test_the_command_prints_a_table_or_one_object_and_ends_with_0_where_nothing_was_lost(monkeypatch, capsys):
    schedulers = import_module("schedulers")
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr("sys.argv", ["schedulers.py", "--only", "beta2"])
    with pytest.raises(SystemExit) as ended:
        schedulers.main()
    assert ended.value.code == 0
    assert "ReduceLROnPlateau" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["schedulers.py", "--only", "beta2", "--json"])
    with pytest.raises(SystemExit):
        schedulers.main()
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert (summary["cells"], summary["held"], summary["silently_lost"]) == (26, 26, 0)
