"""Several real processes train together: a change is made by all of them or by none, and one keeps the record."""

import json
import time
from contextlib import ExitStack

import pytest
from ranks_program import DIED
from ranks_world import Processes

import seedbed
from seedbed.change import ChangeHistory, Kind
from seedbed.change._history import fold
from seedbed.contracts import AuditRun, Outcome, RunStatus
from seedbed.errors import SeedbedError
from seedbed.loop import steering
from seedbed.loop._state_file import unpacked
from seedbed.records import Store, read_journal

pytestmark = pytest.mark.slow

SCENARIOS = ("ignores", "unused", "loses", "apart", "freezing", "kernels", "ddp", "zero", "fsdp")


def ask(processes: Processes, run: str, name: str, scale: float) -> None:
    """Propose from outside, as soon as the run takes requests."""
    for _ in range(600):
        try:
            seedbed.propose(run, name, store=processes.store, why="the loss is noisy", scale=scale)
        except SeedbedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the run takes no requests")


def journal(processes: Processes, run: str) -> ChangeHistory:
    """The changes as the one journal of the run has them."""
    store = Store.open(processes.store)
    return fold(read_journal(store.find(run).folder / "changes.log"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two processes that went through all scenarios."""
    with Processes(tmp_path_factory.mktemp("ranks"), *SCENARIOS) as processes:
        yield processes


@pytest.fixture
def launch(tmp_path):
    """Starts two processes in the folder of the test, and ends them with it."""
    with ExitStack() as stack:
        yield lambda scenario: stack.enter_context(Processes(tmp_path, scenario))


def test_a_request_from_outside_is_carried_out_by_every_rank_at_the_same_step(launch):
    processes = launch("outside")
    ask(processes, "steered", "lr", scale=0.5)
    first, second = processes.told("outside")
    assert first["rates"] == second["rates"]
    changed_at = first["rates"].index(0.05)
    assert first["rates"] == [0.1] * changed_at + [0.05] * 10
    assert [each["outcomes"][0][:4] for each in (first, second)] == [[1, "EFFECTIVE", 0.1, 0.05]] * 2
    (view,) = Store.open(processes.store).runs()
    assert (view.status, view.run_id, view.attempt) == (RunStatus.FINISHED, "steered", 1)
    assert view.commit is not None
    (change,) = journal(processes, "steered").records
    assert (change.outcome, change.step) == (Outcome.EFFECTIVE, changed_at)
    assert [each["code"] for each in (first, second)] == [0, 0]


def test_a_checkpoint_a_pause_and_a_stop_that_are_asked_for_reach_every_rank(launch):
    processes = launch("asked")
    ask(processes, "asked", "lr", scale=0.9)
    for verb in ("checkpoint", "pause", "continue", "stop"):
        told = steering.ask("asked", verb, store=processes.store, wait=60)
        assert told.last is not None
        assert told.last.state is steering.AnswerState.DONE, told.told
        time.sleep(2 if verb == "pause" else 0)  # the others are kept waiting meanwhile
    first, second = processes.told("asked")
    assert first["code"] == second["code"] == 130
    assert first["step"] == second["step"]
    assert first["weights"] == second["weights"]
    (view,) = Store.open(processes.store).runs()
    assert view.status is RunStatus.INTERRUPTED
    assert (view.folder / "checkpoint").is_file()


def test_what_is_asked_within_a_step_of_several_passes_is_done_at_its_end_by_every_rank(launch):
    processes = launch("within")
    ask(processes, "asked", "lr", scale=0.9)
    for verb in ("checkpoint", "checkpoint", "checkpoint", "stop"):
        told = steering.ask("asked", verb, store=processes.store, wait=60).told
        assert "wrote checkpoint after step " in told
        assert "within step" not in told
        (view,) = Store.open(processes.store).runs()
        kept = unpacked((view.folder / "checkpoint").read_bytes())["run"]
        assert kept["steps"]["iteration"] == 8 * kept["steps"]["step"]
        assert kept["unknown"] == ""
    first, second = processes.told("within")
    assert (first["code"], first["step"], first["iteration"]) == (130, second["step"], 8 * first["step"])
    assert first["weights"] == second["weights"]


def test_a_checkpoint_that_one_process_or_all_cannot_write_has_failed_and_the_training_goes_on(launch):
    processes = launch("writer")
    ask(processes, "writer", "lr", scale=0.9)
    said = []
    for verb in ("checkpoint", "checkpoint", "checkpoint", "stop"):
        told = steering.ask("writer", verb, store=processes.store, wait=60)
        assert told.last is not None
        said.append((told.last.state, told.told))
    first, second = processes.told("writer")
    assert (first["code"], first["step"], first["weights"]) == (second["code"], second["step"], second["weights"])
    assert first["code"] == 130
    failed, done = steering.AnswerState.FAILED, steering.AnswerState.DONE
    assert [state for state, _ in said] == [failed, failed, done, done]
    assert "no space left on device 0" in said[0][1]
    assert "rank 1: OSError: no space left on device 1" in said[1][1]
    assert "wrote all" in said[2][1]


def test_a_change_that_one_rank_does_not_take_is_undone_by_all_and_the_rank_is_named(trained):
    for told in trained.told("ignores"):
        number, rate = told["outcomes"]
        assert number[1] == "FAILED"
        assert "rank 1: loop.number read back 1, expected 2" in number[4]
        assert told["value"] == 1.0
        assert rate[1] == "EFFECTIVE"
        assert told["rates"] == [0.1] * 4 + [0.05] * 2
        assert told["code"] == 1
    kinds = [kind for kind, _ in journal(trained, "ignores")[1].story]
    assert Kind.APPLIED not in kinds
    assert kinds[-1] is Kind.ROLLED_BACK


def test_a_change_that_one_rank_never_used_is_unknown_with_its_reason(trained):
    assert [told["outcomes"][0][1] for told in trained.told("unused")] == ["UNKNOWN", "UNKNOWN"]
    record = journal(trained, "unused")[1]
    assert record.outcome is Outcome.UNKNOWN
    assert record.reason.endswith("rank 1: no step was seen to use it")


def test_a_change_that_one_rank_lost_is_failed_everywhere_and_the_rank_is_named(trained):
    assert [told["outcomes"][0][1] for told in trained.told("loses")] == ["FAILED", "FAILED"]
    record = journal(trained, "loses")[1]
    assert record.outcome is Outcome.FAILED
    assert "rank 1: at step 3: expected 2, found 7" in record.reason


def test_ranks_that_propose_different_changes_are_stopped_and_named_and_nothing_is_changed(trained):
    for told in trained.told("apart"):
        assert told["said"].startswith("ContractBroken: the processes of the run propose different changes")
        assert "rank 0" in told["said"]
        assert "rank 1" in told["said"]
        assert told["outcomes"] == []
    assert Store.open(trained.store).find("apart").status is RunStatus.FAILED


def test_freezing_is_refused_with_the_way_or_made_by_every_rank(trained):
    first, second = trained.told("freezing")
    assert all("find_unused_parameters=True" in told["said"] for told in (first, second))
    assert all(told["outcomes"][0][:4] == [1, "EFFECTIVE", 0.0, 1.0] for told in (first, second))
    assert first["weights"] == second["weights"]


def test_ranks_that_run_different_kernels_are_named_in_the_one_ledger(trained):
    trained.told("kernels")
    commit = Store.open(trained.store).find("kernels").commit
    assert commit is not None
    audit = AuditRun.model_validate(commit.snapshot.documents["audit_run"])
    assert any(
        each.startswith("SDPA: rank 1 ran aten::_scaled_dot_product_attention_math, rank 0 ran aten::_scaled_dot")
        for each in audit.incidents
    )
    assert (audit.sdpa.observed, audit.sdpa.used, audit.degraded) == (False, False, True)
    assert audit.sdpa.reason.startswith("rank 1: ")


@pytest.mark.parametrize("kind", ["ddp", "zero", "fsdp"])
def test_a_checkpoint_resumes_every_rank_with_its_own_random_numbers(trained, kind):
    """The twin is the first attempt itself, which went on after the checkpoint, with dropout."""
    for told in trained.told(kind):
        lost, again = told["weights"]
        assert told["is_resumed"]
        assert again == lost
        assert told["outcomes"][0][:4] == [1, "EFFECTIVE", 0.1, 0.05]
    assert Store.open(trained.store).find(told["id"]).attempt == 2


def test_several_processes_leave_one_record_for_each_run(trained):
    trained.told("ddp")
    views = Store.open(trained.store).runs()
    named = {"ignores", "unused", "loses", "apart", "freezing-False", "freezing-True", "kernels"}
    assert named <= {view.run_id for view in views}
    assert len(views) == len(named) + 3


def test_a_rank_that_dies_within_a_change_leaves_a_run_that_resumes_whole(launch):
    processes = launch("dying")
    first, second = processes.wait()
    assert first != 0
    assert second == DIED
    (view,) = Store.open(processes.store).runs()
    assert view.status is RunStatus.FAILED
    assert journal(processes, view.run_id)[1].phase in {Kind.INTENT, Kind.FAILED}
    again = launch("dying")
    for told in again.told("dying"):
        assert (told["is_resumed"], told["id"], told["value"], told["outcomes"]) == (True, view.run_id, 1.0, [])
    resumed = Store.open(processes.store).find(view.run_id)
    assert (resumed.status, resumed.attempt) == (RunStatus.FINISHED, 2)
    assert json.dumps([each.outcome.value for each in journal(again, view.run_id).records]) == "[]"
