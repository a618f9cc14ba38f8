"""Numbers on the page say what they are, and no more than the record does."""

import pytest

from seedbed.render.facts._words import day, number, quantity, signed

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.92144, "0.9214"), (0.0, "0.0000"), (4147, "4,147"), (2.5e-6, f"2.5e{MINUS}6"), (-0.5, f"{MINUS}0.5000")],
)
def test_a_number_keeps_what_can_be_read(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0003392, "+0.0003"), (-0.0088, f"{MINUS}0.0088"), (0.0, "0.0000"), (-1e-5, f"{MINUS}1e{MINUS}5")],
)
def test_a_difference_is_never_rounded_to_nothing(value, text):
    assert signed(value) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("wall_seconds", 9.96, "10.0 s"),
        ("wall_seconds", 142.7, "2 min 23 s"),
        ("wall_seconds", 7261, "2 h 1 min"),
        ("peak_memory_bytes", 1_482_301_440, "1.4 GiB"),
        ("peak_memory_bytes", 12, "12 B"),
        ("train_events_per_second", 962.4, "962 / s"),
        ("wall_seconds", None, "null"),
        ("anything", True, "true"),
    ],
)
def test_a_quantity_reads_its_unit_from_its_name(name, value, text):
    assert quantity(value, name) == text


def test_a_time_is_shortened_to_its_day_and_nothing_else_is():
    assert day("2013-01-01T10:15:00+00:00") == "2013-01-01"
    assert day("NOT_APPLICABLE") == "NOT_APPLICABLE"
