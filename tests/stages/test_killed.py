"""A training killed with SIGKILL at random moments: the store opens, nothing acknowledged is lost, and it goes on."""

import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from planted_job import snapshot_of

from seedbed.contracts import RunStatus
from seedbed.records import Store, fsck, read_step_events

CHILD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    import torch
    from planted_job import Watcher, job
    from seedbed.records import Store
    from seedbed.stages import ChangeSettings, train

    torch.set_num_threads(1)
    store = Store.open(Path(sys.argv[2]), create=True)
    say = lambda report: print(report.phase, report.step, flush=True)
    changing = ChangeSettings(patience=1, min_delta=1.0, cooldown_steps=5)
    result = train(job(change=changing), store, Watcher(say), run_id="killed")
    print("committed", result.commit.seq, result.commit.digest, flush=True)
    """
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The digest of the metrics of a run that nobody killed."""
    store_path = tmp_path_factory.mktemp("whole") / "store"
    assert "committed 1 " in run_child(store_path, None)
    return snapshot_of(Store.open(store_path).find("killed")).digests["metrics"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_killed_run_resumes_to_the_digest_of_an_unkilled_one(tmp_path, whole, seed):
    store_path = tmp_path / "store"
    for kill_at in sorted(random.Random(seed).sample(range(1, 25), 2)):
        run_child(store_path, kill_at)
        store = Store.open(store_path)
        assert [finding for finding in fsck(store) if finding.kind.is_damage] == []
        view = store.find("killed")
        assert view.status is RunStatus.CRASHED
        read_step_events(view.folder / "events.log")
    assert "committed 1 " in run_child(store_path, None)
    store = Store.open(store_path)
    assert snapshot_of(store.find("killed")).digests["metrics"] == whole
    assert store.find("killed").attempt == 3
    assert [finding for finding in fsck(store) if finding.kind.is_damage] == []


def run_child(store_path: Path, kill_at: int | None) -> str:
    """Run the job in a child and kill it after `kill_at` reports, if it gets there; all that it had printed."""
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(store_path)]
    printed = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for number, line in enumerate(child.stdout, start=1):
            printed.append(line)
            if number == kill_at:
                child.kill()
    return "".join(printed)
