import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from records_world import PROJECT, again, commit, draft, key, store_of_three

from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreDamaged
from seedbed.records import Commit, CommitLog, digest
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.log import _log as log_module
from seedbed.records.log._predecessor import Predecessors
from seedbed.records.storage._local import LocalFiles
from seedbed.testing import durable_faults

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def log(tmp_path):
    return CommitLog(LocalFiles(tmp_path), PROJECT)


def path_of(log, seq):
    return log.files.path(log.key(seq))


def rewrite(path, **changes):
    """Seal a forged body, so that only its content can give it away."""
    path.write_bytes(seal({**unseal(path.read_bytes())[0], **changes})[0])


def test_numbers_begin_at_one_and_have_no_gaps(log):
    assert log.head() == 0
    commits = [log.append(draft(f"r{number}"), {}, NOW) for number in range(3)]
    assert [commit.seq for commit in commits] == [1, 2, 3]
    assert [commit.snapshot.run_id for commit in log.commits()] == ["r0", "r1", "r2"]
    assert log.read(2).digest == commits[1].digest


def test_a_commit_is_canonical_json_that_carries_its_own_digest(log):
    commit = log.append(draft("r1"), {}, NOW)
    stored = json.loads(path_of(log, 1).read_bytes())
    assert set(stored) == {"body", "digest"}
    assert stored["digest"] == digest(stored["body"]) == commit.digest
    assert stored["body"]["digests"]["metrics"] == digest(stored["body"]["metrics"])


def test_what_is_read_is_what_was_committed(log):
    commit = log.append(draft("r1", metrics={"whole": 1.0, "huge": 1e17, "tiny": 5e-324}), {}, NOW)
    again = CommitLog(log.files, PROJECT).read(1)
    assert again == commit
    assert again.snapshot.metrics == {"whole": 1, "huge": 1e17, "tiny": 5e-324}


def test_the_predecessor_is_the_newest_comparable_commit_of_another_run(log):
    log.append(draft("r1"), {}, NOW)
    log.append(draft("r2", data="other"), {}, NOW)
    third = log.append(draft("r3"), {}, NOW).snapshot.diff_prev
    again = log.append(draft("r3", attempt=2), {}, NOW).snapshot.diff_prev
    assert (third.prev_run_id, third.prev_snapshot_seq) == ("r1", 1)
    assert (again.prev_run_id, again.prev_snapshot_seq) == ("r1", 1)
    assert log.read(2).snapshot.diff_prev.comparable is None


def test_a_clock_that_goes_back_changes_no_order(log):
    log.append(draft("r1"), {}, NOW)
    log.append(draft("r2"), {}, NOW - timedelta(days=400))
    assert log.append(draft("r3"), {}, NOW - timedelta(days=900)).snapshot.diff_prev.prev_run_id == "r2"


def test_the_same_content_again_is_the_first_commit(log):
    first = log.append(draft("r1", timing={"wall_seconds": 1}), {}, NOW)
    log.append(draft("r2"), {}, NOW)
    with durable_faults() as calls:
        again = log.append(draft("r1", timing={"wall_seconds": 2}), {}, NOW + timedelta(hours=1))
    assert again == first
    assert log.head() == 2
    assert "fsync" in calls  # whoever published it may have died before its name was durable


def test_other_content_under_the_same_key_is_a_conflict(log):
    log.append(draft("r1", ap=0.8), {}, NOW)
    with pytest.raises(Conflict, match=r"r1:TRAINING:1 is committed already as number 1.*new run_id"):
        log.append(draft("r1", ap=0.9), {}, NOW)
    assert log.head() == 1


def test_a_writer_that_lost_the_race_catches_up_and_takes_the_next_number(log):
    rival = CommitLog(log.files, PROJECT)
    log.append(draft("r1"), {}, NOW)
    assert rival.head() == 1
    raced: list[Commit] = []

    def overtake(self, *wanted):
        if self is log._predecessors and not raced:
            raced.append(rival.append(draft("r2"), {}, NOW))
        return original(self, *wanted)

    original = Predecessors._predecessor
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Predecessors, "_predecessor", overtake)
        late = log.append(draft("r3"), {}, NOW)
    assert (raced[0].seq, late.seq) == (2, 3)
    assert late.snapshot.diff_prev.prev_run_id == "r2"  # looked up again, not kept from before the race


def test_a_writer_that_lost_the_race_to_several_goes_behind_them_all(log, monkeypatch):
    rival = CommitLog(log.files, PROJECT)
    log.append(draft("r1"), {}, NOW)
    raced: list[Commit] = []

    def overtake(self, *wanted):
        if self is log._predecessors and not raced:
            raced.extend(rival.append(draft(run_id), {}, NOW) for run_id in ("r2", "r3", "r4"))
        return original(self, *wanted)

    original = Predecessors._predecessor
    monkeypatch.setattr(Predecessors, "_predecessor", overtake)
    assert log.append(draft("r5"), {}, NOW).seq == 5


def test_the_newest_commits_are_remembered_and_no_more(log):
    for number in range(140):
        log.append(draft(f"r{number}"), {}, NOW)
    assert sorted(log._recent) == list(range(140 - 63, 141))


def test_the_same_commit_landing_during_the_append_is_found_and_not_made_again(log, monkeypatch):
    rival = CommitLog(log.files, PROJECT)
    raced: list[Commit] = []
    original = CommitLog._existing

    def overtake(self, *wanted):
        first = original(self, *wanted)
        if self is log and not raced:
            raced.append(rival.append(draft("r1"), {}, NOW))  # right after the key was found to be free
        return first

    monkeypatch.setattr(log_module.CommitLog, "_existing", overtake)
    assert log.append(draft("r1"), {}, NOW) == raced[0]
    assert log.head() == 1


def test_a_missing_number_is_named_and_nothing_fills_it(log):
    for number in range(3):
        log.append(draft(f"r{number}"), {}, NOW)
    path_of(log, 2).unlink()
    with pytest.warns(StoreDamaged, match=r"0002.json is missing, while number 3 exists"):
        assert CommitLog(log.files, PROJECT).append(draft("r9"), {}, NOW).seq == 4
    assert not path_of(log, 2).exists()


def test_every_flipped_byte_of_a_commit_is_found(log):
    log.append(draft("r1"), {}, NOW)
    data = path_of(log, 1).read_bytes()
    for index in range(0, len(data), 7):
        path_of(log, 1).write_bytes(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :])
        with pytest.raises(StoreCorrupt, match="is damaged"):
            log.read(1)


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_truncated_commit_is_found(log, length):
    log.append(draft("r1"), {}, NOW)
    path_of(log, 1).write_bytes(path_of(log, 1).read_bytes()[:length])
    with pytest.raises(StoreCorrupt, match="is damaged"):
        log.read(1)


def test_a_commit_in_another_place_is_refused_though_its_digest_is_right(log):
    log.append(draft("r1"), {}, NOW)
    path_of(log, 2).write_bytes(path_of(log, 1).read_bytes())
    with pytest.raises(StoreCorrupt, match="expected number 2 of flights"):
        log.read(2)
    rewrite(path_of(log, 1), project="another")
    with pytest.raises(StoreCorrupt, match="of another, expected number 1 of flights"):
        log.read(1)


def test_a_body_that_is_no_snapshot_is_refused(log):
    log.append(draft("r1"), {}, NOW)
    rewrite(path_of(log, 1), surprise=1)
    with pytest.raises(StoreCorrupt, match=r"no snapshot.*surprise"):
        log.read(1)


def test_the_future_is_refused_as_such(log):
    log.append(draft("r1"), {}, NOW)
    rewrite(path_of(log, 1), schema_version=99)
    with pytest.raises(InvalidInput, match="upgrade"):
        log.read(1)


def test_a_name_that_is_taken_but_unreadable_ends_the_race(log):
    log.append(draft("r1"), {}, NOW)
    path_of(log, 2).symlink_to(log.files.root / "nowhere")
    with pytest.raises(StoreCorrupt, match="taken but cannot be read"):
        log.append(draft("r2"), {}, NOW)


def test_finding_a_run_gives_its_newest_attempt(log):
    for attempt in (1, 2):
        log.append(draft("r1", attempt=attempt), {}, NOW)
    stage = log.read(1).snapshot.stage
    assert log.find("r1", stage).seq == 2
    assert log.find("r9", stage) is None
    with pytest.raises(NotFound, match=r"there is no record log/flights/0*3"):
        log.read(3)


def test_the_newest_commit_is_told_without_reading_every_copy(tmp_path, monkeypatch):
    """Copies of three commits, made in the order of 3, 1, 2 hours after the one that is here."""
    here, other = (CommitLog(LocalFiles(tmp_path / name), PROJECT) for name in ("here", "other"))
    here.append(draft("first"), {}, NOW)
    for number, hours in enumerate((3, 1, 2), 1):
        here.adopt(other.append(draft(f"r{number}"), {}, NOW + timedelta(hours=hours)), "other")
    read, real = [], LocalFiles.read

    def watched(files, name):
        read.append(name)
        return real(files, name)

    monkeypatch.setattr(LocalFiles, "read", watched)
    for log in (here, CommitLog(here.files, PROJECT)):
        assert log.head() == 4
        log._recent.clear()
        read.clear()
        newest = log.newest_commit()
        assert newest is not None
        assert (newest.snapshot.run_id, {*read}) == ("r1", {key(2), key(5)})  # that commit, and the next number


class LogMachine(RuleBasedStateMachine):
    """Any number of writers over one folder behave as one list."""

    make_folder: ClassVar[Callable[[], Path]]

    def __init__(self):
        super().__init__()
        self.folder = LogMachine.make_folder()
        self.writers = [CommitLog(LocalFiles(self.folder), PROJECT) for _ in range(2)]
        self.model: list[tuple[str, str, float]] = []

    @rule(writer=st.integers(0, 1), run=st.integers(0, 5), data=st.sampled_from("ab"), ap=st.sampled_from([0.1, 0.2]))
    def append(self, writer, run, data, ap):
        entry = (f"r{run}", data, ap)
        taken = [item for item in self.model if item[0] == entry[0]]
        if taken and taken[0] != entry:
            with pytest.raises(Conflict):
                self.writers[writer].append(draft(entry[0], data=data, ap=ap), {}, NOW)
            return
        commit = self.writers[writer].append(draft(entry[0], data=data, ap=ap), {}, NOW)
        if taken:
            assert commit.seq == self.model.index(entry) + 1
            return
        earlier = [place + 1 for place, item in enumerate(self.model) if item[1] == data]
        assert commit.snapshot.diff_prev.prev_snapshot_seq == (earlier[-1] if earlier else None)
        self.model.append(entry)

    @precondition(lambda self: self.model)
    @rule()
    def reopen(self):
        self.writers[0] = CommitLog(LocalFiles(self.folder), PROJECT)

    @invariant()
    def every_writer_reads_the_same(self):
        for writer in self.writers:
            assert [header.run_id for header in writer.headers()] == [item[0] for item in self.model]


@pytest.mark.slow
def test_any_number_of_writers_behave_as_one_list(tmp_path_factory):
    LogMachine.make_folder = staticmethod(lambda: tmp_path_factory.mktemp("machine") / "log")
    machine = LogMachine.TestCase
    machine.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)
    machine().runTest()


def test_a_number_that_a_machine_only_believes_missing_is_asked_for_again(tmp_path, monkeypatch):
    """Over NFS: commit 3 came after the log was listed, and somebody here had asked for it before it was made."""
    store = store_of_three(tmp_path / "store")
    read, listing = LocalFiles.read, LocalFiles.list
    listed: list[str] = []

    def believed(files, name):
        if name == key(3) and len(listed) < 2:
            raise NotFound(f"there is no file {name}")
        return read(files, name)

    def asked(files, prefix, **options):
        if prefix != f"log/{PROJECT}":
            return listing(files, prefix, **options)
        listed.append(prefix)
        return [item for item in listing(files, prefix, **options) if item.key != key(3) or len(listed) > 1]

    monkeypatch.setattr(LocalFiles, "read", believed)
    monkeypatch.setattr(LocalFiles, "list", asked)
    found = commit(again(store), "r4")
    assert (found.seq, found.snapshot.diff_prev.prev_snapshot_seq) == (4, 3)
    assert len(listed) == 2
