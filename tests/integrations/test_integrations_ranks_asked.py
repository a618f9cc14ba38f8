"""Two real processes that a library trains together, of which somebody asks for a checkpoint, a pause and a stop."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("integrations_asked_ranks_program.py")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.parametrize(
    ("library", "state", "told", "kept"),
    [
        ("lightning", "DONE", "wrote asked-step=1.ckpt after step 1", ["asked-step=1.ckpt"]),
        ("lightning, full disk", "FAILED", "no checkpoint was written: OSError: no space is left", []),
        ("transformers", "DONE", "wrote checkpoint-1 after step 1", ["checkpoint-1"]),
    ],
    ids=["lightning", "lightning on a full disk", "transformers"],
)
def test_two_processes_pause_after_the_save_and_stop_after_one_more_at_the_same_step(
    library, state, told, kept, tmp_path
):
    command = [sys.executable, *TORCHRUN, str(PROGRAM), library, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text("utf-8")) for rank in range(2))
    saved, stopped = f"{state}: {told}", f"{state}: stopped after step 1; {told}"
    assert first["answers"] == [saved, "DONE: paused after step 1", saved, stopped]
    assert [path.name for path in (tmp_path / "kept").glob("*")] == kept
    assert [(each["step"], each["is_open"]) for each in (first, second)] == [(1, False)] * 2
