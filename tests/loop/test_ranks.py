"""Several real processes train together: a change is made by all of them at the same step, and one keeps the record."""

import time

import pytest
from ranks_world import Processes

import seedbed
from seedbed.change import ChangeHistory
from seedbed.change._history import fold
from seedbed.contracts import Outcome, RunStatus
from seedbed.errors import SeedbedError
from seedbed.records import Store, read_journal


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


@pytest.mark.slow
def test_a_request_from_outside_is_carried_out_by_every_rank_at_the_same_step(tmp_path):
    processes = Processes(tmp_path, "outside")
    ask(processes, "steered", "lr", scale=0.5)
    first, second = processes.told()
    assert first["rates"] == second["rates"]
    changed_at = first["rates"].index(0.05)
    assert [each["outcomes"][0][:4] for each in (first, second)] == [[1, "EFFECTIVE", 0.1, 0.05]] * 2
    (view,) = Store.open(processes.store).runs()
    assert (view.status, view.run_id, view.attempt) == (RunStatus.FINISHED, "steered", 1)
    assert view.commit is not None
    (change,) = journal(processes, "steered").records
    assert (change.outcome, change.step) == (Outcome.EFFECTIVE, changed_at)
    assert [each["code"] for each in (first, second)] == [0, 0]
