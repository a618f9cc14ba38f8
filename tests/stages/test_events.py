"""A job's events keep their unit, from a file, through sessions, to the dates of a record."""

import json
from dataclasses import replace

import pytest
from planted_job import planted_stream

from seedbed.errors import InvalidInput
from seedbed.stages import DataSettings, ModelSettings, TrainConfig, load_events, prepare, with_unit_of
from seedbed.temporal import FileFormat, read_sessions, sessions_time_unit, write_sessions

PER_DAY = {"nanoseconds": 86_400 * 10**9, "milliseconds": 86_400_000, "seconds": 86_400, "hours": 24, "days": 1}


def scaled(unit):
    """Twenty events, one every six hours from 2024-03-01, in `unit`."""
    stream = planted_stream(20).head(20)
    t = (19_783 * 4 + stream.t * 0 + range(20)) * PER_DAY[unit] // 4
    return replace(stream, t=t, known_at=t)


@pytest.mark.parametrize("unit", PER_DAY)
def test_a_day_has_its_length_in_every_unit_and_the_sessions_keep_the_unit(tmp_path, unit):
    stream = scaled(unit)
    assert write_sessions(stream, tmp_path, time_unit=unit) == 5
    assert sessions_time_unit(tmp_path) == unit
    assert read_sessions(tmp_path).digest() == stream.digest()
    config = with_unit_of(tmp_path, TrainConfig())
    assert config.data.time_unit == unit
    dates = prepare(stream, config.data, ModelSettings()).dates
    assert dates[0] == "2024-03-01T00:00:00+00:00"
    assert dates[1] == f"2024-03-05T{'00' if unit == 'days' else '18'}:00:00+00:00"


def test_a_unit_without_a_length_has_no_days(tmp_path):
    with pytest.raises(InvalidInput, match="--by"):
        write_sessions(scaled("days"), tmp_path, time_unit="other")
    assert write_sessions(scaled("days"), tmp_path, time_unit="other", by=2) == 3
    assert with_unit_of(tmp_path, TrainConfig()).data.time_unit == "other"


def test_sessions_in_seconds_are_written_as_they_always_were(tmp_path):
    write_sessions(scaled("seconds"), tmp_path)
    meta = json.loads((tmp_path / "000000" / "meta.json").read_text())
    assert "time_unit" not in meta
    stated = TrainConfig(data=DataSettings(time_unit="other"))
    assert with_unit_of(tmp_path, stated) == stated  # former sessions of any unit say nothing either


def test_a_configuration_that_contradicts_the_sessions_is_refused(tmp_path):
    write_sessions(scaled("hours"), tmp_path, time_unit="hours")
    with pytest.raises(InvalidInput, match=r"keep times in hours, but data\.time_unit is days"):
        with_unit_of(tmp_path, TrainConfig(data=DataSettings(time_unit="days")))
    agreed = TrainConfig(data=DataSettings(time_unit="hours"))
    assert with_unit_of(tmp_path, agreed) == agreed


def test_sessions_of_two_units_are_no_stream(tmp_path):
    write_sessions(scaled("hours"), tmp_path, time_unit="hours")
    path = tmp_path / "000001" / "meta.json"
    path.write_text(path.read_text().replace('"hours"', '"days"'))
    with pytest.raises(InvalidInput, match="time_unit: expected hours, found days"):
        read_sessions(tmp_path)


def test_a_file_is_read_as_the_settings_say(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("src;dst;t\na;b;01.03.2024 00:00:00,25\n".replace(",25", ".25"))
    data = DataSettings(file=FileFormat(time_format="%d.%m.%Y %H:%M:%S.%f"), time_unit="milliseconds")
    assert load_events(path, data).t.tolist() == [19_783 * 86_400_000 + 250]
    assert with_unit_of(path, TrainConfig(data=data)) == TrainConfig(data=data)


def test_settings_for_a_usual_file_are_recorded_as_they_always_were():
    assert "file" not in TrainConfig().model_dump(mode="json")["data"]
    unusual = DataSettings(file=FileFormat(null=("NA",)))
    recorded = unusual.model_dump(mode="json")
    assert recorded["file"]["null"] == ["NA"]
    assert DataSettings.model_validate(recorded) == unusual
    assert DataSettings.model_validate_json(DataSettings().model_dump_json()) == DataSettings()


@pytest.mark.parametrize(("unit", "warned"), [("days", True), ("seconds", False), ("other", False)])
def test_sessions_of_seconds_that_are_read_as_another_unit_are_said(tmp_path, caplog, unit, warned):
    write_sessions(scaled("seconds"), tmp_path)
    config = with_unit_of(tmp_path, TrainConfig(data=DataSettings(time_unit=unit)))
    load_events(tmp_path, config.data)
    assert ("set data.time_unit to seconds" in caplog.text) is warned
    assert caplog.text.count("WARNING") == warned
