"""Values: detached at once, read in batches, averaged over micro-batches; results: numbers and samples."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from loop_world import Work, committed, logged
from scipy.stats import beta

from seedbed.errors import InvalidInput
from seedbed.gate import block_bootstrap
from seedbed.loop._results import nested, result_of
from seedbed.loop._values import StepValues


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (2.5, 2.5),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.array(3), 3.0),
        (np.array([4.0]), 4.0),
        (torch.tensor(0.25), 0.25),
        (torch.tensor([[7]]), 7.0),
        (torch.tensor(1.5, dtype=torch.bfloat16), 1.5),
        (math.inf, math.inf),
    ],
)
def test_one_number_of_any_kind_is_logged(tmp_path, value, number):
    with Work().start(tmp_path) as run:
        run.log(x=value)
        run.result(x=1)
    assert logged(run)[0].values == {"x": number}


def test_nan_is_welcome_alone_and_in_a_mean(tmp_path):
    values = StepValues(written := Written())
    values.add({"x": float("nan"), "y": 1.0}, None)
    values.add({"x": 1.0, "y": math.inf}, None)
    values.end_step(3)
    [(step, found)] = written
    assert step == 3
    assert math.isnan(found["x"])
    assert found["y"] == math.inf
    assert result_of("x", float("nan")) != result_of("x", 1.0)


@pytest.mark.parametrize(
    "values", [[1e308, 1e308], [1.7e308, 1.6e308, 1.5e308], [-1.7e308] * 3, [1e308, 1e308, -1e308]]
)
def test_the_mean_of_values_whose_sum_no_float_holds_is_their_mean(values):
    kept = StepValues(written := Written())
    for value in values:
        kept.add({"x": value}, None)
    kept.end_step(1)
    assert written == [(1, {"x": float(sum(map(Fraction, values)) / len(values))})]
    assert min(values) <= written[0][1]["x"] <= max(values)


def test_what_could_not_be_written_waits_with_all_after_it_and_is_written_once():
    is_broken, written = [False], []

    def write(step, values):
        if is_broken[0] and step >= 2:
            raise OSError("the disk is full")
        written.append((step, values["x"]))

    kept = StepValues(write)
    kept.add({"x": 0.0}, None)
    kept.end_step(0)  # the first is written at once, the others wait for the next second
    for step in range(1, 5):
        kept.add({"x": float(step)}, None)
        kept.end_step(step)
    is_broken[0] = True
    for _ in range(2):
        with pytest.raises(OSError, match="disk"):
            kept.flush()
        assert written == [(0, 0.0), (1, 1.0)]
    is_broken[0] = False
    kept.flush()
    kept.flush()
    assert written == [(step, float(step)) for step in range(5)]


class Written(list):
    def __call__(self, step, values):
        self.append((step, dict(values)))


@pytest.mark.parametrize("value", ["a", None, [1], torch.ones(2), np.ones(2), {}, 1j])
def test_what_is_not_one_number_is_refused_by_name(tmp_path, value):
    with Work().start(tmp_path) as run:
        with pytest.raises(InvalidInput, match="loss"):
            run.log(loss=value)
        with pytest.raises(InvalidInput, match="twice"):
            run.log({"a": 1}, a=2)
        run.result(x=1)


UNREADABLE = {
    "meta": torch.empty((), device="meta"),
    "complex": torch.tensor(1j),
    "sparse": torch.tensor([1.0]).to_sparse(),
}


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
def test_a_tensor_without_real_numbers_is_refused_by_name_where_it_is_given(tmp_path, value):
    with Work().start(tmp_path) as run:
        with pytest.raises(InvalidInput, match=r"log: loss is a tensor (of|on)"):
            run.log(loss=value)
        for given in (value, [value, value], {"deep": value}):
            with pytest.raises(InvalidInput, match=r"result: loss(\.deep)? is a tensor (of|on)"):
                run.result(loss=given)
        run.result(x=1)
    assert committed(run).snapshot.metrics == {"x": 1}


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), 10**5000, Fraction(10**400)], ids=["int", "below", "long", "fraction"]
)
def test_a_number_that_no_float_holds_is_refused_by_name(tmp_path, value):
    with Work().start(tmp_path) as run:
        with pytest.raises(InvalidInput, match="loss"):
            run.log(loss=value)
        with pytest.raises(InvalidInput, match="loss"):
            run.result(loss=value)
        run.result(x=1)


def test_a_name_or_a_step_that_there_cannot_be_is_refused(tmp_path):
    with Work().start(tmp_path) as run:
        for name in ("x" * 100_000, "", "a\nb"):
            for give in (run.log, run.result):
                with pytest.raises(InvalidInput, match=r"characters"):
                    give(**{name: 1})
        with pytest.raises(InvalidInput, match="characters"):
            run.result(deep={"": 1})
        wrong: list[Any] = [-1, True, 1.5, "3", 10**5000]
        for step in wrong:
            with pytest.raises(InvalidInput, match=r"log: step=.*expected the number of a step"):
                run.log(loss=1, step=step)
        of_numpy: Any = np.int64(3)
        run.log(loss=1, step=of_numpy)
        run.result(x=1)
    assert [(each.step, dict(each.values)) for each in logged(run)] == [(3, {"loss": 1.0})]


def test_samples_may_be_a_list_of_tensors_of_equal_shape_and_no_mapping_in_itself():
    assert result_of("x", [torch.tensor(1.5, requires_grad=True), torch.tensor(2.5)]) == 2.0
    with pytest.raises(InvalidInput, match="x is a list of parts that differ in length"):
        result_of("x", [[1], [1, 2]])
    within: dict[str, object] = {}
    within["again"] = within
    with pytest.raises(InvalidInput, match=r"result: x\.again.*nested deeper than 16 levels"):
        result_of("x", within)


def test_a_tensor_that_changes_in_place_after_it_was_logged_keeps_its_value(tmp_path):
    loss = torch.tensor(1.0)
    with Work().start(tmp_path) as run:
        with run.one_step():
            run.log(loss=loss)
            loss.add_(5)
            run._steps._events.taken(1)
        run.result(x=1)
    assert logged(run)[0].values == {"loss": 1.0}


def test_a_tensor_of_another_device_is_read_later_and_many_in_one_transfer(monkeypatch):
    values = StepValues(written := Written())
    transfers = []
    stack = torch.stack

    def counted(tensors):
        transfers.append(len(tensors))
        return stack(tensors)

    monkeypatch.setattr(torch, "stack", counted)
    remote = [Elsewhere(torch.tensor(float(number))) for number in range(100)]
    for number, each in enumerate(remote):
        values.add({"x": each}, None)
        values.end_step(number)
    assert len(transfers) <= 1  # at most the first, which is due
    values.flush()
    assert sum(transfers) == 100
    assert [found["x"] for _, found in written] == [float(number) for number in range(100)]


class Elsewhere(torch.Tensor):
    """A tensor on the CPU that says it lies on another device."""

    @property
    def device(self):  # type: ignore[override]
        return torch.device("cuda", 0)


def test_values_between_steps_belong_to_the_last_step_or_the_named_one(tmp_path):
    work = Work()
    with work.start(tmp_path) as run:
        run.log(begin=1)
        for _, (x, y) in run.steps(work.loader):
            work.step(x, y)
        run.log(end=2)
        run.log({"val/loss": 3}, step=5)
        run.result(x=1)
    assert [(e.step, dict(e.values)) for e in logged(run)] == [
        (0, {"begin": 1}),
        (12, {"end": 2}),
        (5, {"val/loss": 3}),
    ]


def test_hits_and_misses_get_the_exact_interval():
    found = result_of("accuracy", torch.tensor([True] * 45 + [False] * 5)[torch.randperm(50)])
    assert found["value"] == 0.9
    assert found["n"] == 50
    assert found["low"] == pytest.approx(beta.ppf(0.025, 45, 6), abs=2e-3)
    assert found["high"] == pytest.approx(beta.ppf(0.975, 46, 5), abs=2e-3)


def test_other_samples_get_a_bootstrap_interval_and_few_or_equal_ones_none():
    samples = np.random.default_rng(0).normal(3, 1, 200)
    assert result_of("x", samples) == block_bootstrap(samples).model_dump()
    assert result_of("x", samples[:5]) == pytest.approx(samples[:5].mean())
    assert result_of("x", [0.5] * 30) == 0.5


@pytest.mark.parametrize("value", [torch.ones(2, 2), [1.0], object(), ["a", "b"], {3: 1}])
def test_what_is_no_result_is_refused_by_name(value):
    with pytest.raises(InvalidInput, match="result: "):
        result_of("x", value)


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (math.nan, "NaN"),
        (torch.tensor(math.inf), "Infinity"),
        (np.float32(-math.inf), "-Infinity"),
        ({"loss": math.nan, "ap": 0.5}, {"loss": "NaN", "ap": 0.5}),
        ([1.0, math.nan], "NaN"),
        (torch.tensor([0.0] * 20 + [math.nan]), "NaN"),
        (np.array([1.0] * 20 + [math.inf]), "Infinity"),
        ([math.inf, -math.inf, 1.0], "NaN"),
        (torch.tensor([0.25] * 20 + [-math.inf], dtype=torch.bfloat16), "-Infinity"),
    ],
)
def test_a_run_that_diverged_is_recorded_by_the_names_of_what_is_not_finite_and_passes_no_bound(
    tmp_path, value, recorded
):
    name = "metrics.x.loss" if isinstance(value, dict) else "metrics.x"
    gate = [f"{name} {bound}" for bound in ("< 1", ">= 0", "!= 7", "<= 1 @ 95%", ">= -1e300")]
    with Work().start(tmp_path, gate=gate) as run:
        run.result(x=value)
    assert committed(run).snapshot.metrics == {"x": recorded}
    assert run.report is not None
    assert [str(each.verdict) for each in run.report.checks][-5:] == ["FAIL"] * 5
    assert run.exit_code == 1


def test_names_with_a_slash_are_nested_and_collisions_refused():
    assert nested({"val/loss": 1, "val/top/1": 2, "x": 3}) == {"val": {"loss": 1, "top": {"1": 2}}, "x": 3}
    for clash in ({"a": 1, "a/b": 2}, {"a/b": 2, "a": 1}):
        with pytest.raises(InvalidInput, match="name one of them anew"):
            nested(clash)


def test_results_reach_the_gate(tmp_path):
    torch.manual_seed(0)
    gate = ["metrics.test.accuracy >= 0.5 @ 95%", "metrics.val.loss == 0.25"]
    with Work().start(tmp_path, gate=gate) as run:
        run.result({"val/loss": torch.tensor(0.25)})
        run.result({"test": {"accuracy": torch.rand(120) < 0.8}}, note="a text")
    assert run.exit_code == 0, run.report
    assert committed(run).snapshot.metrics["note"] == "a text"


def test_what_cannot_be_recorded_is_refused_when_it_is_given(tmp_path):
    with Work().start(tmp_path, config={"seed": 2**60, "name": "\udce9"}) as run:
        for wrong in ({"x": 2**60}, {"x": torch.tensor(2**60)}, {"x": "\udce9"}, {"a/b": 1, "a": 2}):
            with pytest.raises(InvalidInput):
                run.result(wrong)
        with pytest.raises(InvalidInput, match="printable"):
            run.log({"\ud800": 1.0})
        run.result(x=1)
    assert committed(run).snapshot.config["seed"] == str(2**60)
