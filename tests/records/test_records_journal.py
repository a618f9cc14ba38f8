import errno
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records import Journal, Json, MemoryJournal, canonical_json, digest, read_journal
from seedbed.records.canonical._seal import seal
from seedbed.records.journal._frames import parse_frames
from seedbed.records.journal._journal import FramedFile
from seedbed.testing import durable_faults, fails_with


@pytest.fixture
def path(tmp_path):
    with Journal.open(tmp_path / "changes.log") as journal:
        for number in range(3):
            journal.append("applied", {"step": number, "value": number / 3})
    return tmp_path / "changes.log"


def test_records_are_chained_and_read_back_equal(path):
    entries = read_journal(path)
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert [entry.payload["step"] for entry in entries] == [0, 1, 2]
    assert [entry.previous for entry in entries] == ["0" * 64, entries[0].digest, entries[1].digest]


def test_a_reopened_journal_goes_on_where_it_stood(path):
    with Journal.open(path) as journal:
        appended = journal.append("effective", {"step": 3})
        assert journal.torn_bytes == 0
        assert [entry.kind for entry in journal.entries()] == ["applied"] * 3 + ["effective"]
    assert read_journal(path)[-1] == appended


def test_a_record_is_durable_before_append_returns(path):
    with Journal.open(path) as journal, durable_faults() as calls:
        journal.append("applied", {})
        assert calls == ["write", "fsync"]


def test_the_digest_is_that_of_the_canonical_body(path):
    entry = read_journal(path)[0]
    body = {
        "kind": "applied",
        "payload": {"step": 0, "value": 0},
        "previous": "0" * 64,
        "schema_version": 1,
        "sequence": 1,
    }
    assert entry.digest == digest(body)


@pytest.mark.slow
def test_cut_at_every_byte_the_whole_records_remain_and_it_still_appends(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the bytes decide here, not the disk
    data = path.read_bytes()
    ends = [0, *(index + 1 for index, byte in enumerate(data) if byte == ord("\n"))]
    for length in range(len(data)):
        path = path.with_name(f"{length}.log")
        path.write_bytes(data[:length])
        whole = max(end for end in ends if end <= length)
        with Journal.open(path) as journal:
            assert journal.torn_bytes == length - whole
            assert len(journal.entries()) == ends.index(whole)
            journal.append("applied", {"after": True})
        assert [entry.sequence for entry in read_journal(path)] == list(range(1, ends.index(whole) + 2))


def test_a_flipped_byte_anywhere_is_found_and_its_record_named(path):
    data = path.read_bytes()
    starts = [0, *(index + 1 for index, byte in enumerate(data) if byte == ord("\n"))]
    for index in range(len(data)):
        flipped = data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]
        start = max(begin for begin in starts if begin <= index)
        with pytest.raises(StoreCorrupt, match=f"at byte {start}:"):
            parse_frames(flipped, path)


def test_a_record_dropped_swapped_or_doubled_breaks_the_chain(path):
    one, two, three = path.read_bytes().splitlines(keepends=True)
    for lines in ((one, three), (two, three), (one, three, two), (one, one, two, three), (one, two, two, three)):
        with pytest.raises(StoreCorrupt):
            parse_frames(b"".join(lines), path)


def test_a_tail_that_never_reached_the_disk_is_torn_but_a_hole_before_a_record_is_not(path):
    data = path.read_bytes()
    assert parse_frames(data + b"\0" * 40 + b"\n", path).torn_bytes == 41
    first, rest = data[: data.index(b"\n") + 1], data[data.index(b"\n") + 1 :]
    with pytest.raises(StoreCorrupt, match="at byte 0"):
        parse_frames(b"\0" * (len(first) - 1) + b"\n" + rest, path)


def test_records_of_a_later_version_are_refused_not_called_damaged(path):
    body: Json = {"kind": "x", "payload": {}, "previous": "0" * 64, "schema_version": 2, "sequence": 1}
    path.write_bytes(seal(body)[0] + b"\n")
    with pytest.raises(InvalidInput, match=r"schema version 2.*upgrade"):
        Journal.open(path)


@pytest.mark.parametrize("body", [{"schema_version": 1, "surprise": 1}, [1]])
def test_a_sealed_line_that_is_no_record_is_damage(path, body):
    path.write_bytes(seal(body)[0] + b"\n")
    with pytest.raises(StoreCorrupt, match="at byte 0"):
        Journal.open(path)


def test_a_payload_is_an_object(path):
    with Journal.open(path) as journal, pytest.raises(InvalidInput, match="expected a JSON object, found a list"):
        journal.append("applied", [1])  # type: ignore[arg-type]


def test_what_is_not_json_is_refused_and_nothing_is_written(path):
    before = path.read_bytes()
    with Journal.open(path) as journal:
        with pytest.raises(InvalidInput, match="'/lr'"):
            journal.append("applied", {"lr": float("nan")})
        journal.append("applied", {"lr": 1})
    assert path.read_bytes().startswith(before)
    assert len(read_journal(path)) == 4


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_after_a_failed_append_it_refuses_until_it_is_opened_again(path, at, error):
    with Journal.open(path) as journal:
        with durable_faults(at, fails_with(error)), pytest.raises(StoreUnavailable):
            journal.append("applied", {"lost": True})
        with pytest.raises(StoreUnavailable):
            journal.append("applied", {})
        assert len(journal.entries()) == 3
    with Journal.open(path) as journal:
        journal.append("applied", {})


def test_an_append_cut_short_by_an_interrupt_is_not_built_upon(path):
    def interrupt():
        raise KeyboardInterrupt

    with Journal.open(path) as journal:
        with durable_faults(1, interrupt), pytest.raises(KeyboardInterrupt):
            journal.append("applied", {})
        with pytest.raises(StoreUnavailable, match="open it again"):
            journal.append("applied", {})


def test_an_absent_journal_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="no log"):
        read_journal(tmp_path / "none.log")


@settings(max_examples=30)
@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=8) | st.integers(-9, 9), max_size=3), max_size=5))
def test_every_history_is_read_back_as_it_was_appended(tmp_path_factory, payloads):
    path = tmp_path_factory.mktemp("journal") / "changes.log"
    with Journal.open(path) as journal:
        appended = [journal.append("kind", payload) for payload in payloads]
    assert read_journal(path) == appended
    assert b"".join(canonical_json(entry.payload) for entry in appended) != b"" or not payloads


def test_a_torn_tail_is_left_out_durably(path):
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"body"')
    with durable_faults() as calls, Journal.open(path):
        assert path.read_bytes() == whole
    assert calls[2:6] == ["write", "fsync", "replace", "fsync"]


def test_several_records_cost_one_sync(tmp_path):
    journal = Journal.open(tmp_path / "j.log")
    with durable_faults() as calls:
        entries = journal.append_all([("a", {"n": 1}), ("b", {"n": 2}), ("c", {"n": 3})])
    assert calls.count("fsync") == 1
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert read_journal(tmp_path / "j.log") == entries == journal.entries()


def test_what_is_not_json_among_several_keeps_all_of_them_out(tmp_path):
    for journal in (Journal.open(tmp_path / "j.log"), MemoryJournal()):
        with pytest.raises(InvalidInput):
            journal.append_all([("a", {"n": 1}), ("b", {"n": float("nan")})])
        assert journal.entries() == []


def test_a_journal_in_memory_is_chained_as_one_on_the_disk(tmp_path):
    records: list[tuple[str, dict[str, Json]]] = [("a", {"n": 1}), ("b", {"text": "plain words", "list": [1.5, None]})]
    memory, disk = MemoryJournal(), Journal.open(tmp_path / "j.log")
    for kind, payload in records:
        memory.append_all([(kind, payload)])
        disk.append(kind, payload)
    assert memory.entries() == disk.entries()


def test_a_journal_belongs_to_who_opened_it_last(path):
    with Journal.open(path) as first, Journal.open(path) as second:
        with pytest.raises(Conflict, match="another process has opened, written to or deleted it since"):
            first.append("applied", {"of": "first"})
        second.append("applied", {"of": "second"})
        with pytest.raises(Conflict, match="nothing was written; start another attempt or run"):
            first.append("applied", {"of": "first"})
    assert [entry.payload.get("of") for entry in read_journal(path)] == [None, None, None, "second"]


@pytest.mark.parametrize("written", [b"theirs", b""])
def test_a_journal_that_another_writes_to_in_place_takes_no_record(path, written):
    with Journal.open(path) as journal:
        path.write_bytes(written)  # by a program that knows nothing of this one
        with pytest.raises(Conflict, match="written to"):
            journal.append("applied", {})
    assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("error", "refusal"), [(errno.ESTALE, Conflict), (errno.EIO, StoreUnavailable)], ids=["stale", "unreadable"]
)
def test_a_file_that_a_server_does_not_know_any_more_is_anothers(path, monkeypatch, error, refusal):
    def fstat(_):
        raise OSError(error, os.strerror(error))

    with Journal.open(path) as journal:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fstat", fstat)
            with pytest.raises(refusal):
                journal.append("applied", {})
        assert len(read_journal(path)) == 3


def test_a_repair_cuts_in_place_and_only_what_is_torn_so_that_the_writer_goes_on(path):
    with Journal.open(path) as journal:
        whole = path.read_bytes()
        path.write_bytes(whole + b'{"body"')
        for expected in (["ftruncate", "fsync"], []):
            with durable_faults() as calls:
                FramedFile.cut_torn(path)
            assert calls == ["open", "open", "fsync", *expected]
            assert path.read_bytes() == whole
        journal.append("applied", {"after": True})
    assert len(read_journal(path)) == 4
