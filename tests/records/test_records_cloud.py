"""The same store, on a disk and on S3: what holds for the one holds for the other."""

import os
import signal
import subprocess
import sys
import threading
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from records_lossy_server import RefusingServer, hangs_up, refuses, served
from records_world import PROJECT, commit, draft

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreDamaged, StoreUnavailable
from seedbed.records import FindingKind, Store, fsck, read_step_events, repair, verify
from seedbed.records.storage import _cloud
from seedbed.records.storage._cloud import open_cloud
from seedbed.records.storage._files import Unreadable
from seedbed.testing import FakeClock

HERE = Path(__file__).parent


@pytest.fixture(params=["disk", "s3"])
def where(request, tmp_path):
    return str(tmp_path / "store") if request.param == "disk" else request.getfixturevalue("bucket")


@pytest.fixture
def opened(where, tmp_path):
    """Opens the store as another machine would, with a working folder of its own."""
    return lambda name="here", **options: Store.open(where, work=tmp_path / name, **options)


@pytest.mark.slow
def test_a_run_is_committed_shown_verified_and_listed(opened, tmp_path):
    with pytest.raises(NotFound, match="there is no store"):
        opened()
    store = opened(create=True)
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    run.save_blob("weights", bytes(6000))
    made = run.finish(draft("r1"))
    elsewhere = opened("elsewhere")
    view = elsewhere.find("r1")
    assert (view.status, view.commit) == (RunStatus.FINISHED, made)
    assert all(check.holds for check in verify(elsewhere, view))
    assert {check.name for check in verify(elsewhere, view)} >= {"blobs/weights", "logs/events.log"}
    assert elsewhere.projects() == [PROJECT]
    assert commit(elsewhere, "r2").snapshot.diff_prev.prev_run_id == "r1"
    assert fsck(opened("third")) == []


def test_attempts_are_claimed_across_machines(opened):
    one, other = opened("one", create=True), opened("other")
    run = one.start(PROJECT, "r1", Stage.TRAINING)
    with pytest.raises(Conflict, match="still runs"):
        other.start(PROJECT, "r1", Stage.TRAINING)
    run.failed("the disk is full")
    assert other.start(PROJECT, "r1", Stage.TRAINING).attempt == 2


@pytest.mark.slow
def test_views_are_found_missing_and_made_again(opened):
    store = opened(create=True)
    made = commit(store, "r1")
    latest = f"latest/{PROJECT}/2013/TRAINING/LATEST.json"
    store.files.remove(latest)
    store.files.replace(f"runs/{PROJECT}/r1/TRAINING/metrics.json", b"{}")
    assert {finding.kind for finding in fsck(store)} == {FindingKind.LATEST_STALE, FindingKind.VIEW_STALE}
    repair(store)
    assert fsck(store) == []
    assert made.digest.encode() in store.files.read(latest)


@pytest.mark.slow
def test_writers_on_many_machines_lose_nothing_and_leave_no_gap(where, opened, tmp_path):
    store = opened(create=True)
    program = [sys.executable, HERE / "records_writer_program.py", where]
    writers = [
        subprocess.Popen([*program, name, "8"], stdout=subprocess.PIPE, text=True, cwd=tmp_path) for name in "abc"
    ]
    acknowledged = dict(line.split() for writer in writers for line in writer.communicate()[0].splitlines())
    assert [writer.returncode for writer in writers] == [0] * 3
    found = {item.snapshot.run_id: str(item.seq) for item in store.log(PROJECT).commits()}
    assert found == acknowledged
    assert sorted(map(int, found.values())) == list(range(1, 25))
    for item in store.log(PROJECT).commits():
        assert item.snapshot.diff_prev.prev_snapshot_seq == (item.seq - 1 or None)
    assert fsck(store) == []


@pytest.mark.slow
@pytest.mark.parametrize("answer", [refuses, hangs_up])
def test_every_answer_to_a_finish_may_be_lost_and_it_commits_once(bucket, lossy, tmp_path, answer):
    store = Store.open(bucket, create=True, work=tmp_path / "work")
    committed = []
    for at in range(1, 50):
        run = store.start(PROJECT, f"r{at}", Stage.TRAINING)
        run.save_blob("weights", bytes(6000))
        lossy.lose(at, answer)
        committed.append((run.finish(draft(f"r{at}")).seq, f"r{at}"))
        if lossy.puts < at:
            break
    assert at > 5
    again = Store.open(bucket, work=tmp_path / "other")
    assert [(item.seq, item.snapshot.run_id) for item in again.log(PROJECT).commits()] == committed
    assert fsck(again) == []


@pytest.mark.slow
def test_a_writer_killed_after_any_of_its_puts_leaves_a_store_that_goes_on(bucket, lossy, tmp_path):
    Store.open(bucket, create=True, work=tmp_path / "here")
    program, stood = [sys.executable, HERE / "records_writer_program.py", bucket], 0
    committed: list[str] = []
    for at in range(1, 50):
        writer = subprocess.Popen([*program, f"killed-{at}", "1"], stdout=subprocess.PIPE, text=True, cwd=tmp_path)

        def kill(environ, start_response, writer=writer):
            writer.kill()
            return hangs_up(environ, start_response)

        lossy.lose(at, kill)
        acknowledged = writer.communicate()[0]
        if not acknowledged:
            assert writer.returncode == -signal.SIGKILL
        store = Store.open(bucket, work=tmp_path / "here")
        found = [item.snapshot.run_id for item in store.log(PROJECT).commits()]
        stood += found[len(committed) :] == [f"wkilled-{at}-0"]
        committed = [*found, f"r{at}"]
        commit(store, f"r{at}")
        assert not [finding for finding in fsck(store) if finding.kind.is_damage]
        if acknowledged:
            break
    assert 0 < stood < at
    assert [item.snapshot.run_id for item in store.log(PROJECT).commits()] == committed
    # An hour on, what the killed trials of the bucket left is old enough to be theirs and no other's.
    later = Store.open(bucket, work=tmp_path / "here", clock=FakeClock(datetime.now(UTC) + timedelta(hours=1)))
    assert FindingKind.STRAY_FILE in {finding.kind for finding in repair(later)}
    assert fsck(later) == []


@pytest.mark.slow
def test_a_torn_log_in_a_bucket_is_repaired_as_a_whole(bucket, tmp_path):
    store = Store.open(bucket, create=True, work=tmp_path / "work")
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    run.finish(draft("r1"))
    key = f"runs/{PROJECT}/r1/TRAINING/events.log"
    whole = store.files.read(key)
    store.files.replace(key, whole + b'{"body":{"ki')
    assert [finding.path for finding in repair(store)] == [key]
    assert store.files.read(key) == whole
    assert fsck(store) == []


def test_step_metrics_stay_in_the_working_folder_until_the_run_finishes(bucket, tmp_path):
    store = Store.open(bucket, create=True, work=tmp_path / "work", clock=FakeClock())
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    key = f"runs/{PROJECT}/r1/TRAINING/events.log"
    with pytest.raises(NotFound):
        store.files.read(key)
    run.finish(draft("r1"))
    assert store.files.read(key) == (tmp_path / "work" / key).read_bytes()
    assert [event.step for event in read_step_events(tmp_path / "work" / key)] == [1]


@pytest.mark.slow
def test_no_store_is_made_where_conditions_are_passed_over(unconditional, tmp_path):
    with pytest.raises(InvalidInput, match="nothing can be recorded here"):
        Store.open(unconditional, create=True, work=tmp_path)
    assert list(open_cloud(unconditional).list("")) == []


@pytest.mark.slow
def test_a_store_is_not_written_through_an_endpoint_that_passes_conditions_over(bucket, tmp_path, request):
    made = Store.open(bucket, create=True, work=tmp_path)
    commit(made, "r1")
    request.getfixturevalue("unconditional")  # from here on, the environment names that endpoint
    other = Store.open(bucket, work=tmp_path / "other")
    assert other.find("r1").status is RunStatus.FINISHED
    for _ in range(2):
        with pytest.raises(InvalidInput, match="nothing can be recorded here"):
            other.start(PROJECT, "r2", Stage.TRAINING)
    assert [view.run_id for view in other.runs()] == ["r1"]


def test_a_second_thread_waits_for_the_trial_of_the_first(unconditional, monkeypatch):
    files, told, real = open_cloud(unconditional), [], _cloud.require_create_only
    second = threading.Thread(target=lambda: told.append(refusal(files)))
    lock, tried = threading.Lock(), []

    class Seen:
        """The lock of the trial, which starts the second thread within the first's, and says that it came."""

        def __enter__(self):
            waits.set()
            lock.acquire()

        def __exit__(self, *_):
            lock.release()

    waits = threading.Event()

    def trial(create, remove):
        tried.append(1)
        if len(tried) == 1:
            waits.clear()
            second.start()
            # A thread that passed by the lock would end here, without having been refused.
            assert waits.wait(30)
            assert told == []
        real(create, remove)

    monkeypatch.setattr(_cloud, "_TRIAL", Seen())
    monkeypatch.setattr(_cloud, "require_create_only", trial)
    first = refusal(files)
    second.join(30)
    assert [first, *told] == ["nothing can be recorded here"] * 2
    assert list(files.list("")) == []


def refusal(files):
    """How a put is refused; "" where it is not."""
    try:
        files.create("key", b"")
    except InvalidInput as problem:
        return str(problem).partition(":")[0]
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3"])
def test_every_variable_that_names_an_endpoint_is_asked(bucket, tmp_path, request, monkeypatch, variable):
    monkeypatch.setenv(variable, os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    commit(Store.open(bucket, create=True, work=tmp_path), "r1")
    request.getfixturevalue("unconditional")
    monkeypatch.setenv(variable, os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with pytest.raises(InvalidInput, match="nothing can be recorded here"):
        Store.open(bucket, work=tmp_path / "other").start(PROJECT, "r2", Stage.TRAINING)


def test_a_bucket_that_is_not_there_is_named(bucket, tmp_path):
    nowhere = "s3://no-such-bucket/stores/one"
    with pytest.raises(NotFound, match="there is no store at s3://no-such-bucket"):
        Store.open(nowhere, work=tmp_path)
    for write in (
        lambda: Store.open(nowhere, create=True, work=tmp_path),
        lambda: open_cloud(nowhere).replace("a", b""),
        lambda: list(open_cloud(nowhere).list("a")),
    ):
        with pytest.raises(StoreUnavailable, match="the bucket of s3://no-such-bucket/stores/one does not exist"):
            write()


# A file that was archived or may not be read by this role, and one whose key of encryption is disabled.
@pytest.mark.parametrize("status", ["403 Forbidden", "400 Bad Request"])
@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        (f"log/{PROJECT}/{2:020d}.json", {FindingKind.COMMIT_DAMAGED, FindingKind.COMMIT_LOST}),
        (f"runs/{PROJECT}/r2/TRAINING/events.log", {FindingKind.LOG_DAMAGED}),
        (f"runs/{PROJECT}/r2/TRAINING/snapshot.json", {FindingKind.VIEW_STALE}),
        (f"runs/{PROJECT}/r2/TRAINING/status.json", {FindingKind.CLAIM_DAMAGED}),
    ],
)
def test_a_file_that_the_bucket_lists_and_does_not_give_out_is_named_alone(
    bucket, s3_application, tmp_path, monkeypatch, status, key, kinds
):
    made = Store.open(bucket, create=True, work=tmp_path / "here")
    for run_id in ("r1", "r2", "r3"):
        commit(made, run_id)
    made.files.remove(f"latest/{PROJECT}/2013/TRAINING/LATEST.json")
    with served(RefusingServer(s3_application, status, key)) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        store = Store.open(bucket, work=tmp_path / "other")
        with warnings.catch_warnings(action="ignore", category=StoreDamaged):
            found = fsck(store)
            assert {view.run_id for view in store.runs() if view.commit} >= {"r1", "r3"}
        with pytest.raises(Unreadable, match=rf"cannot read .*{status[:3]}.*; give this process the right") as refusal:
            store.files.read(key)
        assert refusal.value.is_whole
        with pytest.raises(NotFound):
            store.files.read(f"{key}5")
    assert {item.kind for item in found} == {*kinds, FindingKind.LATEST_STALE}
    assert key in {item.path for item in found}


@pytest.mark.parametrize("status", ["403 Forbidden", "400 Bad Request", "404 Not Found"])
def test_a_bucket_that_gives_out_nothing_is_unavailable_and_no_damage(
    bucket, s3_application, tmp_path, monkeypatch, status
):
    Store.open(bucket, create=True, work=tmp_path)
    with served(RefusingServer(s3_application, status, "")) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(StoreUnavailable, match="check the service, the credentials and the network"):
            Store.open(bucket, work=tmp_path)


def test_a_client_that_is_told_to_make_no_conditional_put_is_refused(bucket, tmp_path, monkeypatch):
    made = Store.open(bucket, create=True, work=tmp_path)
    monkeypatch.setenv("AWS_CONDITIONAL_PUT", "disabled")
    monkeypatch.setattr(_cloud, "_CONDITIONAL", set())  # as in a process of its own
    with pytest.raises(InvalidInput, match=r"nothing can be recorded in s3://.*; unset AWS_CONDITIONAL_PUT"):
        Store.open(bucket, work=tmp_path).start(PROJECT, "r1", Stage.TRAINING)
    assert made.projects() == []


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(ValueError, match=r"pip install 'seedbed\[cloud\]'"):
        Store.open("s3://bucket/prefix")
