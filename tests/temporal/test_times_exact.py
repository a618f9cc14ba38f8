"""A time of any spelling is the moment that Python's datetime and Decimal find, or it is refused; none is rounded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from seedbed.errors import InvalidInput
from seedbed.temporal import FileFormat, StreamSchema, TimeUnit, read_events
from seedbed.temporal.files._instants import Instants
from seedbed.temporal.files._number_texts import whole_texts

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PER_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
INT64 = range(-(2**63), 2**63)


def at(year: int, month: int, day: int, microsecond: int = 0) -> datetime:
    return datetime(year, month, day, microsecond=microsecond, tzinfo=UTC).replace(tzinfo=None)


number_texts = st.one_of(
    st.integers(-(2**65), 2**65).map(str),
    st.integers(-(2**65), 2**65).map(lambda number: f"{number}.0"),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.from_regex(r"[+-]?[0-9]{1,22}(\.[0-9]{0,12})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
)


def read(folder: Path, cells: list[str], unit: TimeUnit = "seconds", name: str = "events.csv", **form) -> list[int]:
    (folder / name).write_text("src;dst;t\n" + "".join(f"1;2;{cell}\n" for cell in cells))
    return read_events(folder / name, StreamSchema(), file=FileFormat(**form), time_unit=unit, sort=True).t.tolist()


def refusal(folder: Path, cells: list[str], unit: TimeUnit = "seconds", **form) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(folder, cells, unit, **form)
    return str(caught.value)


@given(number_texts)
@example("1700000000123456.1")
@example("1700000000123456.9")
@example("1700000000.00000001")
@example("9007199254740993.0")
@example("0E99")
@example("1e999999999")
@example("-9223372036854775808.0")
def test_a_text_is_the_whole_number_that_decimal_finds_or_none(text):
    value = Decimal(text) if "e999" not in text else Decimal("0.5")
    meant = int(value) if abs(value) < 2**64 and value == int(value) and int(value) in INT64 else None
    assert whole_texts(pl.Series([text])).to_list() == [meant]


@given(number_texts, st.sampled_from(list(PER_SECOND)))
def test_unix_seconds_are_the_moment_that_a_fraction_finds_or_unread(text, unit):
    moment = Instants.from_unix(pl.Series([text]))
    value = Fraction(text)
    assert moment.read[0] == (abs(value) < 10**18 and (value * 10**9).denominator == 1)
    if not moment.read[0]:
        return
    time, exact = moment.in_unit(unit)
    in_unit = value * PER_SECOND[unit]
    if exact[0]:
        assert int(time[0]) == in_unit
    else:
        assert in_unit.denominator > 1 or abs(in_unit) >= 2**63 - 2 * PER_SECOND[unit]


@given(
    st.datetimes(min_value=at(1000, 1, 1), max_value=at(9999, 12, 31)),
    st.sampled_from(list(PER_SECOND)),
    st.sampled_from(["%d.%m.%Y %H:%M:%S.%f", "%Y%m%d %H%M%S.%f"]),
)
@example(at(2300, 1, 1), "nanoseconds", "%d.%m.%Y %H:%M:%S.%f")
@example(at(1500, 1, 1), "nanoseconds", "%d.%m.%Y %H:%M:%S.%f")
@example(at(2262, 6, 1, microsecond=1), "nanoseconds", "%d.%m.%Y %H:%M:%S.%f")
def test_a_pattern_reads_the_moment_that_datetime_finds_or_refuses_the_unit(when, unit, pattern):
    moment = Instants.from_pattern(pl.Series([when.strftime(pattern)]), pattern)
    assert moment.read.all()
    microseconds = (when.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    meant, rest = divmod(microseconds * PER_SECOND[unit], 10**6)
    time, exact = moment.in_unit(unit)
    assert bool(exact[0]) == (rest == 0 and meant in INT64)
    assert not exact[0] or int(time[0]) == meant
    needed = moment.unit_needed()
    assert needed is None or moment.in_unit(needed)[1].all()


@pytest.mark.parametrize("zone", ["%Z", "%-Z", "(%Z)"])
def test_a_pattern_with_the_name_of_a_zone_is_refused_with_the_sign_that_reads_zones(zone):
    with pytest.raises(ValidationError, match="%z"):
        FileFormat(time_format=f"%d.%m.%Y %H:%M {zone}")
    FileFormat(time_format="%d.%m.%Y %%Z")


@pytest.mark.parametrize("cell", ["01.03.24", "01.03.0024"])
@pytest.mark.parametrize("unit", ["days", "seconds", "nanoseconds"])
def test_a_year_below_1000_is_refused(tmp_path, cell, unit):
    message = refusal(tmp_path, [cell], unit, time_format="%d.%m.%Y")
    assert "from 1000 on" in message
    assert ("time_format to '%d.%m.%y'" in message) == (cell == "01.03.24")


def test_a_year_of_two_digits_is_between_1970_and_2069(tmp_path):
    years = [datetime(year, 3, 1, tzinfo=UTC) for year in (1970, 1999, 2000, 2069)]
    cells = [f"{when:%d.%m.%y}" for when in years]
    assert read(tmp_path, cells, time_format="%d.%m.%y") == [int(when.timestamp()) for when in years]


@pytest.mark.parametrize("cell", ["01.01.2300", "01.01.1500", "01.06.2262"])
def test_what_64_bits_of_the_unit_cannot_hold_is_refused_with_a_unit_that_can(tmp_path, cell):
    message = refusal(tmp_path, ["01.01.2000", cell], "nanoseconds", time_format="%d.%m.%Y")
    assert f"row 2, column 't': expected a time that 64 bits of nanoseconds can hold, found '{cell}'" in message
    assert "set data.time_unit to seconds" in message
    assert len(read(tmp_path, ["01.01.2000", cell], time_format="%d.%m.%Y")) == 2


@pytest.mark.parametrize("cells", [["2300-01-01T00:00:00.000000001"], ["2300-01-01", "2024-01-01T00:00:00.0000001"]])
@pytest.mark.parametrize("unit", ["seconds", "microseconds", "nanoseconds", "other"])
def test_no_unit_is_advised_where_none_holds_the_times(tmp_path, cells, unit):
    assert "no unit holds all these times" in refusal(tmp_path, cells, unit)


@pytest.mark.parametrize("cell", ["01.03.2024 10:00:00.1234567891", "01.03.2300 10:00:00.1234567"])
def test_digits_that_would_be_lost_are_refused(tmp_path, cell):
    assert cell in refusal(tmp_path, [cell], "nanoseconds", time_format="%d.%m.%Y %H:%M:%S.%f")


def test_a_fraction_of_a_number_of_no_seconds_is_not_taken_for_seconds(tmp_path):
    message = refusal(tmp_path, ["1700000000123456.1"], "microseconds")
    assert "unix" not in message
    assert "finer data.time_unit" in message


@pytest.mark.parametrize(("dtype", "below"), [(pl.Float64, 2**53), (pl.Float32, 2**24)])
@pytest.mark.parametrize("form", [{}, {"time_format": "unix"}])
def test_floats_are_times_only_where_no_other_number_is_the_same_float(tmp_path, dtype, below, form):
    top = below - 1 if not form else (below - 1) // 10**6
    path = tmp_path / "floats.parquet"
    for value, is_read in ((top, True), (below, False)):
        pl.DataFrame({"src": [1], "dst": [2], "t": pl.Series([value], dtype=dtype)}).write_parquet(path)
        if is_read:
            assert read_events(path, StreamSchema(), file=FileFormat(**form)).t.tolist() == [value]
        else:
            with pytest.raises(InvalidInput, match="row 1"):
                read_events(path, StreamSchema(), file=FileFormat(**form))


def test_a_declared_pattern_reads_whole_floats_as_their_digits(tmp_path):
    path = tmp_path / "floats.parquet"
    pl.DataFrame({"src": [1], "dst": [2], "t": [20240301.0]}).write_parquet(path)
    read_t = read_events(path, StreamSchema(), file=FileFormat(time_format="%Y%m%d")).t.tolist()
    assert read_t == [int(datetime(2024, 3, 1, tzinfo=UTC).timestamp())]


def test_a_number_of_json_lines_keeps_its_digits(tmp_path):
    path = tmp_path / "events.jsonl"
    numbers = ["9007199254740993", "9007199254740994.0", "1.7e18", "1700000000000000001"]
    path.write_text("".join(f'{{"src": 1, "dst": 2, "t": {number}}}\n' for number in numbers))
    assert read_events(path, StreamSchema()).t.tolist() == [2**53 + 1, 2**53 + 2, 17 * 10**17, 17 * 10**17 + 1]
    path.write_text('{"src": 1, "dst": 2, "t": 1700000000123456.1}\n')
    with pytest.raises(InvalidInput, match="row 1, column 't'"):
        read_events(path, StreamSchema())
