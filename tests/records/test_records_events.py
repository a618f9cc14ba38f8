import math
import os

import pytest

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records import EventsLog, read_events
from seedbed.testing import FakeClock, durable_faults


def test_values_come_back_with_nan_and_infinities_marked(tmp_path):
    with EventsLog.open(tmp_path / "events.log") as log:
        log.append(1, {"loss": 0.5, "events": 200})
        log.append(2, {"loss": math.nan, "up": math.inf, "down": -math.inf})
    first, second = read_events(tmp_path / "events.log")
    assert (first.step, first.attempt, dict(first.values)) == (1, 1, {"loss": 0.5, "events": 200})
    assert math.isnan(second.values["loss"])
    assert (second.values["up"], second.values["down"]) == (math.inf, -math.inf)
    assert b'{"$float":"NaN"}' in (tmp_path / "events.log").read_bytes()


def test_syncs_come_at_most_once_a_second_and_every_record_is_written_at_once(tmp_path):
    clock = FakeClock()
    log = EventsLog.open(tmp_path / "events.log", clock=clock)
    with durable_faults() as calls:
        for step in range(30):
            clock.advance(0.1)
            log.append(step, {"loss": 1.0})
    assert calls.count("write") == 30
    assert calls.count("fsync") in (2, 3)
    assert len(read_events(tmp_path / "events.log")) == 30  # a killed process would lose none
    log.close()


def test_closing_makes_the_rest_durable_once(tmp_path):
    log = EventsLog.open(tmp_path / "events.log", clock=FakeClock())
    log.append(1, {"loss": 1.0})
    with durable_faults() as calls:
        log.close()
    assert calls == ["fsync"]


def test_a_later_attempt_appends_to_the_same_log(tmp_path):
    for attempt in (1, 2):
        with EventsLog.open(tmp_path / "events.log", attempt=attempt) as log:
            log.append(7, {"loss": attempt})
    assert [(event.attempt, event.step) for event in read_events(tmp_path / "events.log")] == [(1, 7), (2, 7)]


def test_cut_at_every_byte_the_whole_records_remain_and_it_still_appends(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the bytes decide here, not the disk
    path = tmp_path / "events.log"
    with EventsLog.open(path) as log:
        for step in range(4):
            log.append(step, {"loss": step / 7})
    data = path.read_bytes()
    for length in range(len(data)):
        path = tmp_path / f"{length}.log"
        path.write_bytes(data[:length])
        whole = data[:length].count(b"\n")
        assert [event.step for event in read_events(path)] == list(range(whole))
        with EventsLog.open(path) as log:
            assert log.torn_bytes == length - (data[:length].rfind(b"\n") + 1)
            log.append(99, {"loss": 0.0})
        assert [event.step for event in read_events(path)] == [*range(whole), 99]


def test_a_flipped_byte_in_the_middle_is_an_error_with_its_offset(tmp_path):
    path = tmp_path / "events.log"
    with EventsLog.open(path) as log:
        for step in range(3):
            log.append(step, {"loss": 1.0})
    data = bytearray(path.read_bytes())
    second = data.index(b"\n") + 1
    data[second + 30] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt, match=f"at byte {second}:"):
        read_events(path)
    with pytest.raises(NotFound):
        read_events(tmp_path / "none.log")
