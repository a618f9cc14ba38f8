"""What a diff is called: a metric that is missing, one that moved by more than noise, and noise at every scale."""

import random
from fractions import Fraction
from math import nextafter

import pytest
from records_world import snapshot

from seedbed.contracts import Severity
from seedbed.records import Commit, diff
from seedbed.records.compare import why
from seedbed.records.compare._noise import noise_of

STUDENT_3 = 3.1824  # 97.5 %, three degrees of freedom
INTERVAL = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 10, "confidence": 0.95}


def judged(before, after, replicates=()):
    """The diff of two runs with these metrics."""
    earlier = Commit(1, "d" * 64, snapshot("r1", metrics=before).model_dump(mode="json"))
    return diff(earlier, snapshot("r2", metrics=after, seed=1), replicates=replicates)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({"acc": 0.9}, {}, "/test/acc is no longer recorded"),
        ({"acc": "high"}, {}, "/test/acc is no longer recorded"),
        ({"acc": 0.9}, {"acc": None}, "/test/acc is no longer a number"),
        ({"acc": 3}, {"acc": "n/a"}, "/test/acc is no longer a number"),
        ({"acc": 1}, {"acc": True}, "/test/acc is no longer a number"),
        ({"acc": 0.9}, {"acc": [0.9]}, "/test/acc is no longer a number"),
        ({"acc": 0.9}, {"acc": {"top": 0.9}}, "/test/acc is no longer a number"),
        ({"acc": 0.9}, 0.5, "/test/acc is no longer a number"),
        ({"name": "a", "acc": {"top": 0.9}}, None, "/test/acc/top is no longer a number"),
        ({"acc": INTERVAL}, {"acc": INTERVAL | {"value": None, "low": None}}, "/test/acc/value is no longer a number"),
        ({"acc": INTERVAL}, {"acc": {"confidence": 0.95}}, "/test/acc/value is no longer recorded"),
        ({"acc": INTERVAL}, {"acc": INTERVAL | {"low": None}}, "/test/acc/low is no longer a number"),
        ({"acc": [0.9, [0.8]]}, {"acc": None}, "/test/acc is no longer a list of numbers"),
        ({"acc": [0.9]}, {"acc": 0.9}, "/test/acc is no longer a list of numbers"),
        ({"acc": [0.9]}, {"acc": []}, "/test/acc is no longer a list of numbers"),
        ({"a/b": 0.9}, {"a/b": None}, "/test/a~1b is no longer a number"),
        ({"acc": 0.9}, {"acc": float("nan")}, "/test/acc is NaN"),
        ({"acc": INTERVAL}, {"acc": INTERVAL | {"value": float("-inf")}}, "/test/acc/value is -Infinity"),
        ({"acc": [0.9, 0.8]}, {"acc": [0.9, float("nan")]}, "/test/acc holds NaN now"),
        ({"acc": [0.9]}, {"acc": [0.9, 0.8, float("inf")]}, "/test/acc holds Infinity now"),
        ({"acc": [0.9, 0.8]}, {"acc": [float("nan")]}, "/test/acc holds NaN now"),
        ({"acc": [[0.9], [0.8]]}, {"acc": [[0.9], [float("nan")]]}, "/test/acc holds NaN now"),
        ({"acc": [0.9, float("nan")]}, {"acc": [float("inf"), float("nan")]}, "/test/acc holds Infinity now"),
    ],
)
def test_a_metric_that_was_measured_and_is_not_any_more_is_missing(before, after, reason):
    found = judged({"test": before}, {"test": after})
    assert (found.severity, found.severity_reason) == (Severity.MAJOR, f"the metric {reason}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"acc": None}, {"acc": 0.9}),
        ({"acc": float("nan")}, {"acc": 0.9}),
        ({"acc": "n/a"}, {"acc": None}),
        ({"acc": True}, {"acc": None}),
        ({"acc": []}, {"acc": None}),
        ({"acc": ["a"]}, {"acc": None}),
        ({"acc": [0.9, 0.8]}, {"acc": [0.9]}),
        ({"acc": [0.9, float("nan")]}, {"acc": [0.8, float("nan"), float("nan")]}),
        ({"acc": [0.9, float("nan")]}, {"acc": [0.9, 0.8]}),
        ({"acc": []}, {"acc": [float("nan")]}),
        ({}, {"acc": 0.9}),
        ({"acc": {}}, {"acc": None}),
    ],
)
def test_a_metric_that_was_not_measured_before_is_not_missing(before, after):
    found = judged({"test": before}, {"test": after})
    assert (found.severity, found.severity_reason) == (Severity.MINOR, "/config/seed differs")


def test_a_difference_that_no_number_can_hold_is_a_move_beyond_noise():
    found = judged({"a": 1.0, "l": 1.5e308}, {"a": 2.0, "l": -1.5e308})
    assert found.metric_deltas["/l"].absolute is None
    assert (found.severity, found.severity_reason) == (Severity.MAJOR, "/l moved by more than a number can hold")
    before = snapshot("r1", metrics={"l": 1.5e308}, config={"lr": 0.1})
    explained = why(before, snapshot("r2", metrics={"l": -1.5e308}, config={"lr": 0.2}), found, [])
    assert explained.metric == "/l"
    assert explained.summary == (
        "/l moved by more than a number can hold; unknown whether by chance: not enough replicates: 0 of 4"
    )


@pytest.mark.parametrize(
    ("replicates", "severity"),
    [
        ([1.5e308, -1.5e308, 1.5e308, 1.2e308, 1.4e308], Severity.MINOR),
        ([1.5e308, 1.4e308, 1.5e308, 1.2e308, 1.4e308], Severity.MAJOR),
    ],
)
def test_replicates_say_whether_a_difference_that_no_number_can_hold_is_noise(replicates, severity):
    found = judged({"l": 1.5e308}, {"l": -1.5e308}, [{"/l": value} for value in replicates])
    word = "exceeds" if severity is Severity.MAJOR else "within"
    assert (found.severity, found.metric_deltas["/l"].noise) == (severity, f"{word} noise of 5 replicates")


def exact_square_of_z(replicates, current):
    """The square of the distance in standard deviations of prediction, in fractions."""
    values = list(map(Fraction, replicates))
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return (Fraction(current) - mean) ** 2 / (variance * (1 + Fraction(1, len(values))))


SCALES = [1e-300, 1e-170, 1e-160, 1e-30, 1.0, 1e15, 1e150, 1e160, 1e300]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("offset", [0.0, 1.0, -1e3, 1e9])
def test_noise_is_that_of_exact_arithmetic_at_every_scale(scale, offset):
    rng, unit = random.Random(3), scale * 1e-9
    for _ in range(200):
        *replicates, current = [(offset + rng.gauss(0.0, 1.0)) * unit for _ in range(5)]
        current += rng.choice([0, 3, 100, 1e6]) * unit
        exact = exact_square_of_z(replicates, current)
        found = noise_of(replicates, current)
        assert found.z is not None
        assert found.z**2 == pytest.approx(float(exact), rel=1e-5)
        if abs(exact / Fraction(STUDENT_3) ** 2 - 1) > Fraction(1, 10**4):
            assert found.exceeds is (exact > Fraction(STUDENT_3) ** 2)


@pytest.mark.parametrize(
    ("replicates", "current", "exceeds"),
    [
        ([1e15, 1e15 + 100, 1e15 + 200, 1e15 + 300], 1e15 + 900_000, True),
        ([1e15, 1e15 + 100, 1e15 + 200, 1e15 + 300], 1e15 + 400, False),
        ([1e-170, 2e-170, 3e-170, 4e-170], 2.5e-170, False),
        ([1e-170, 2e-170, 3e-170, 4e-170], 1e-165, True),
        ([5e-324, 1e-323, 1.5e-323, 2e-323], 1e-323, False),
        ([1e-300, 2e-300, 3e-300, 4e-300], 1.7e308, True),
        ([1e-300, 2e-300, 3e-300, 4e-300], -1.7e308, True),
        ([-1.7e308, 1.7e308, -1.6e308, 1.6e308], 0.0, False),
    ],
)
def test_replicates_that_differ_are_never_said_to_agree(replicates, current, exceeds):
    found = noise_of(replicates, current)
    assert (found.exceeds, "agree" in found.words) == (exceeds, False)
    assert exceeds is (exact_square_of_z(replicates, current) > Fraction(STUDENT_3) ** 2)


@pytest.mark.parametrize("value", [0.0, 0.9, -3.0, 1e-320, 1e-300, 1e15, 1.7e308, float(2**53)])
def test_replicates_that_agree_but_for_the_last_bits_say_so(value):
    replicates = [value, value, nextafter(value, 2 * value), value]
    assert noise_of([value] * 4, value).words == "within noise: 4 replicates agree exactly"
    assert noise_of([value] * 4, value * (1 + 1e-14) + (1e-300 if value == 0 else 0)).exceeds is (value != 1e-320)
    if abs(value) > 1e-307:  # below, a last bit is no small part
        assert noise_of(replicates, value).words == "within noise: 4 replicates agree exactly"
        assert noise_of(replicates, nextafter(value, 0)).exceeds is False
        assert "agree" not in noise_of([value * (1 - 1e-14), value, value, value], value).words
