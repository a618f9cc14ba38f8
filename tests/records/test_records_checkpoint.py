"""The checkpoint of a log: derived, never trusted further than the commit that it names, and made by writers alone."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_world import PROJECT, draft

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput, NotFound, StoreDamaged
from seedbed.records import CommitLog
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.log import _log as log_module
from seedbed.records.log._checkpoint import Checkpoint, checkpoint_key, decoded, encoded, read_checkpoint
from seedbed.records.log._headers import Header, Headers
from seedbed.records.log._made_order import made_order
from seedbed.records.storage._compression import compressed, decompressed
from seedbed.records.storage._local import LocalFiles
from seedbed.testing import durable_faults

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FOLDER = f"log/{PROJECT}"

HEADERS = st.lists(
    st.builds(
        lambda run, stage, attempt, cohort, group, same, day, is_copy: (
            *(f"r{run}", stage, attempt, cohort, group * 64, same * 64),
            *(f"2026-01-0{day}T00:00:00Z", is_copy),
        ),
        st.integers(0, 4),
        st.sampled_from(Stage),
        st.integers(1, 3),
        st.sampled_from(["all", "2013"]),
        st.sampled_from("ab"),
        st.sampled_from("cd"),
        st.integers(1, 4),
        st.booleans(),
    ),
    max_size=12,
)
AT = ("2026-01-01T00:00:00Z", False)


def table(rows):
    headers = Headers()
    for seq, row in enumerate(rows, 1):
        headers.append(Header(seq, *row))
    return headers


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(log_module, "CHECKPOINT_EVERY", 5)


@pytest.fixture
def files(tmp_path):
    return LocalFiles(tmp_path)


def fill(files, first, last):
    log = CommitLog(files, PROJECT)
    for number in range(first, last + 1):
        log.append(draft(f"r{number}"), {}, NOW)
    return log


def reads(files):
    """What opening the log reads, by the last part of its key."""
    seen = []

    class Watched(LocalFiles):
        def read(self, key):
            seen.append(key.rpartition("/")[2].partition(".")[0].lstrip("0"))
            return super().read(key)

    return CommitLog(Watched(files.root), PROJECT), seen


@pytest.mark.slow
@given(HEADERS, st.randoms())
def test_headers_come_back_from_their_columns_with_every_look_up_whatever_is_lost(rows, random):
    ours = table(rows)
    checkpoint = decoded(encoded(Checkpoint(ours, "d" * 64)))
    assert checkpoint is not None
    model = [Header(seq, *row) for seq, row in enumerate(rows, 1)]
    going = random.sample(model, len(model))
    while going:
        for headers in (ours, checkpoint.headers):
            require_as(headers, model)
        lost = going.pop()
        model.remove(lost)
        for headers in (ours, checkpoint.headers):
            headers.lose(lost.seq)
        checkpoint = decoded(encoded(Checkpoint(ours, "d" * 64)))
        assert checkpoint is not None
    for headers in (ours, checkpoint.headers):
        require_as(headers, [])
        assert (headers.last, headers.lost()) == (len(rows), list(range(1, len(rows) + 1)))
        assert headers.with_key("nobody:TRAINING:1") is None
        assert headers.newest_of_stage("nobody", Stage.TRAINING) is None
        assert headers.newest_of_cohort("nowhere", Stage.TRAINING) is None
        assert list(headers.in_group("nothing")) == []


def require_as(headers, model):
    """That every look-up gives what going through the `model`, the headers that are not lost, gives."""
    assert list(headers) == [headers.of(item.seq) for item in model] == model
    assert headers.newest() == max((item.seq for item in model), default=None)
    assert headers.run_ids() == {item.run_id for item in model}
    for header in model:
        same_stage = [item for item in model if (item.run_id, item.stage) == (header.run_id, header.stage)]
        same_place = [item for item in model if (item.cohort_id, item.stage) == (header.cohort_id, header.stage)]
        assert headers.with_key(header.key) == next(item.seq for item in model if item.key == header.key)
        assert headers.newest_of_stage(header.run_id, header.stage) == same_stage[-1].seq
        assert headers.newest_of_cohort(header.cohort_id, header.stage) == same_place[-1].seq
        assert list(headers.in_group(header.group)) == [item.seq for item in model if item.group == header.group]
        alike = [item.seq for item in model if item.replicates == header.replicates]
        assert list(headers.replicating(header.replicates)) == alike

    def moment(header):  # of days of one form, texts sort as times
        before = [item.timestamp for item in model if item.seq <= header.seq and not item.is_copy]
        return header.timestamp if header.is_copy else max(before)

    made = [(moment(header), header.seq) for header in model]
    assert headers.newest_made() == (max(made)[1] if made else None)


@pytest.mark.parametrize(
    ("commits", "order"),
    [
        ([], []),
        ([(1, 5, False), (2, 3, False), (3, 4, False)], [1, 2, 3]),  # whatever the clocks said
        ([(1, 5, False), (2, 3, True), (3, 7, True)], [2, 1, 3]),
        ([(1, 5, False), (2, 3, False), (3, 4, True)], [3, 1, 2]),  # 2 was made after 1, so at 5 or later
        ([(3, 2, True), (2, 2, False), (1, 2, True)], [1, 2, 3]),  # at one moment
    ],
)
def test_commits_were_made_in_the_order_of_their_numbers_and_copies_at_their_time(commits, order):
    days = [(seq, datetime(2026, 1, day, tzinfo=UTC), is_copy) for seq, day, is_copy in commits]
    assert made_order(days) == order


def test_a_time_without_a_zone_is_one_of_utc():
    rows = [("r1", Stage.TRAINING, 1, "all", "g", "s", at, True) for at in ("2026-01-01T03", "2026-01-01T04+02:00")]
    assert table(rows).newest_made() == 1


def test_opening_reads_the_checkpoint_and_the_commits_behind_it(files):
    fill(files, 1, 12)
    log, seen = reads(files)
    assert [header.run_id for header in log.headers()] == [f"r{number}" for number in range(1, 13)]
    assert seen == ["_checkpoint", "10", "11", "12", "13"]
    appended = log.append(draft("r13"), {}, NOW)
    assert (appended.seq, appended.snapshot.diff_prev.prev_snapshot_seq) == (13, 12)
    assert log.append(draft("r2"), {}, NOW).seq == 2  # known, though it lies before the checkpoint


def test_readers_make_no_checkpoint(files):
    fill(files, 1, 12)
    files.remove(checkpoint_key(FOLDER))
    with durable_faults() as calls:
        assert CommitLog(files, PROJECT).head() == 12
    assert calls == []


def test_a_lost_checkpoint_is_made_up_for_by_a_later_writer(files):
    fill(files, 1, 6)
    files.remove(checkpoint_key(FOLDER))
    late = CommitLog(files, PROJECT)
    late.append(draft("r7"), {}, NOW)
    assert read_checkpoint(files, FOLDER) is None
    fill(files, 8, 9)
    fresh = CommitLog(files, PROJECT)
    fresh.append(draft("r10"), {}, NOW)
    assert num_covered(files) == 10


def num_covered(files: LocalFiles) -> int:
    """How many commits the stored checkpoint covers."""
    checkpoint = read_checkpoint(files, FOLDER)
    assert checkpoint is not None
    return checkpoint.headers.last


def test_a_writer_that_never_saw_a_round_number_makes_one_once_two_spans_are_uncovered(files, monkeypatch):
    fill(files, 1, 4)
    other = CommitLog(files, PROJECT)
    assert other.head() == 4
    with monkeypatch.context() as patch:
        patch.setattr(log_module, "CHECKPOINT_EVERY", 1000)
        fill(files, 5, 10)
    assert read_checkpoint(files, FOLDER) is None
    other.append(draft("r11"), {}, NOW)
    assert num_covered(files) == 11


def test_what_a_found_checkpoint_covers_is_not_made_up_for_again(files, monkeypatch):
    fill(files, 1, 5)
    with monkeypatch.context() as patch:
        patch.setattr(log_module, "CHECKPOINT_EVERY", 1000)
        fill(files, 6, 13)
    fill(files, 14, 14)
    assert num_covered(files) == 5
    with monkeypatch.context() as patch:
        patch.setattr(log_module, "CHECKPOINT_EVERY", 1000)
        fill(files, 15, 15)
    fill(files, 16, 16)
    assert num_covered(files) == 16


def test_after_two_spans_by_others_a_writer_makes_sure(files, monkeypatch):
    log = fill(files, 1, 3)
    with monkeypatch.context() as patch:
        patch.setattr(log_module, "CHECKPOINT_EVERY", 1000)
        fill(files, 4, 11)
    log.append(draft("r12"), {}, NOW)
    assert read_checkpoint(files, FOLDER) is None
    with monkeypatch.context() as patch:
        patch.setattr(log_module, "CHECKPOINT_EVERY", 1000)
        fill(files, 13, 21)
    log.append(draft("r22"), {}, NOW)
    assert num_covered(files) == 22


def test_a_writer_makes_one_at_every_round_number_and_no_more(files, monkeypatch):
    made = []
    monkeypatch.setattr(log_module, "write_checkpoint", lambda *of: made.append(of[2].headers.last))
    log = fill(files, 1, 16)
    assert made == [5, 10, 15]
    assert log.append(draft("r17"), {}, NOW).seq == 17
    late = CommitLog(files, PROJECT)  # which finds none of them, and makes up for that once
    for number in range(18, 20):
        late.append(draft(f"r{number}"), {}, NOW)
    assert made == [5, 10, 15, 18]


def forged(files, **changes):
    body, _ = unseal(decompressed(files.read(checkpoint_key(FOLDER)), 2**20))
    return compressed(seal({**body, **changes})[0])


@pytest.mark.parametrize(
    "damage",
    [
        lambda files: b"",
        lambda files: b"not zstd",
        lambda files: files.read(checkpoint_key(FOLDER))[:-4],
        lambda files: compressed(b'{"body":{},"digest":"' + b"0" * 64 + b'"}'),
        lambda files: forged(files, schema_version=99),
        lambda files: forged(files, digest="0" * 64),
        lambda files: forged(files, digest="f" * 64),
        lambda files: forged(files, columns={}),
        lambda files: forged(files, columns={**table([]).columns(), "keys": ["r1:TRAINING:1"]}),
        lambda files: forged(files, columns=7),
        lambda files: forged(files, columns={**table([]).columns(), "groups": {"texts": 1, "codes": []}}),
        lambda files: forged(files, columns={**table([]).columns(), "timestamps": ["2026-01-01"]}),
    ],
)
def test_a_checkpoint_that_is_not_of_this_log_is_passed_over(files, damage):
    fill(files, 1, 6)
    files.replace(checkpoint_key(FOLDER), damage(files))
    log, seen = reads(files)
    assert log.head() == 6
    assert "1" in seen  # every commit was read itself


def test_a_checkpoint_of_more_commits_than_there_are_is_passed_over(files):
    fill(files, 1, 10)
    for number in range(8, 11):
        files.remove(f"{FOLDER}/{number:020d}.json")  # a copy of the store from before
    log = CommitLog(files, PROJECT)
    assert log.head() == 7
    assert log.append(draft("again"), {}, NOW).seq == 8


def test_a_gap_behind_the_checkpoint_is_named_and_nothing_fills_it(files):
    fill(files, 1, 9)
    files.remove(f"{FOLDER}/{7:020d}.json")
    with pytest.warns(StoreDamaged, match=r"0007.json is missing, while number 9 exists"):
        made = CommitLog(files, PROJECT).append(draft("r10"), {}, NOW)
    assert (made.seq, num_covered(files)) == (10, 5)  # a checkpoint over the gap would hide it
    with pytest.raises(NotFound):
        files.read(f"{FOLDER}/{7:020d}.json")


def test_a_commit_that_was_damaged_behind_the_checkpoint_is_passed_over_once_it_is_needed(files):
    fill(files, 1, 6)
    path = files.path(f"{FOLDER}/{4:020d}.json")
    path.write_bytes(path.read_bytes()[:-9])
    log = CommitLog(files, PROJECT)
    assert log.lost() == []  # the checkpoint tells of it
    with pytest.warns(StoreDamaged, match="0004.json is damaged"):
        assert [commit.seq for commit in log.commits()] == [1, 2, 3, 5, 6]
    assert (log.lost(), log.head(), len(list(log.headers()))) == ([4], 6, 5)
    assert log.find("r4", Stage.TRAINING) is None


def test_a_commit_of_a_later_version_behind_the_checkpoint_stops_nobody(files):
    fill(files, 1, 6)
    path = files.path(f"{FOLDER}/{4:020d}.json")
    body, _ = unseal(path.read_bytes())
    path.write_bytes(seal({**body, "schema_version": 99})[0])
    with pytest.warns(StoreDamaged, match="0004.json has schema version 99"):
        made = CommitLog(files, PROJECT).append(draft("r7", seed=9), {}, NOW)  # compared with every one of its group
    assert (made.seq, made.snapshot.diff_prev.prev_run_id) == (7, "r6")
    log = CommitLog(files, PROJECT)
    with pytest.warns(StoreDamaged, match="upgrade it"):
        assert [commit.seq for commit in log.commits()] == [1, 2, 3, 5, 6, 7]
    with pytest.raises(InvalidInput, match="schema version 99"):
        log.read(4)


def test_numbers_without_a_commit_come_back_from_their_columns(files):
    headers = table([("r1", Stage.TRAINING, 1, "all", "g", "s", *AT), ("r2", Stage.TRAINING, 1, "all", "g", "s", *AT)])
    headers.append_lost()
    checkpoint = decoded(encoded(Checkpoint(headers, "d" * 64)))
    assert checkpoint is not None
    for found in (headers, checkpoint.headers):
        assert (found.last, found.lost(), found.newest()) == (3, [3], 2)
        assert (list(found.in_group("g")), [header.run_id for header in found]) == ([1, 2], ["r1", "r2"])
        found.lose(2)
        assert (found.lost(), found.newest(), list(found.in_group("g"))) == ([2, 3], 1, [1])
        assert (found.with_key("r2:TRAINING:1"), found.run_ids()) == (None, {"r1"})
        found.lose(1)
        assert (found.newest(), list(found)) == (None, [])
