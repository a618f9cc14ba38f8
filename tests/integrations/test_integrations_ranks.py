"""Two real processes that a library trains together: their run, its change and its resume, beside a plain loop."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing._internal.distributed.fake_pg import FakeStore  # registers a group that talks to nobody
from training_world import NUM_STEPS, halved_after, twin

from seedbed.errors import InvalidInput
from seedbed.integrations._session import Session, Trained

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("integrations_ranks_program.py")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.parametrize("library", ["lightning", "transformers", "accelerate"])
def test_two_processes_make_one_run_whose_change_both_make_and_whose_resume_loses_nothing(library, tmp_path):
    ended = subprocess.run(
        [sys.executable, *TORCHRUN, str(PROGRAM), library, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text("utf-8")) for rank in range(2))
    # Each rank has every second batch of 4 rows, so a step of both is one of the twin, which takes two batches a step.
    net, _ = twin(halved_after(3))
    expected = [value for weight in net.parameters() for value in weight.detach().flatten().tolist()]
    assert first["weights"] == pytest.approx(expected, rel=1e-5, abs=1e-7)
    assert second["weights"] == first["weights"]
    assert (first["outcomes"], second["outcomes"]) == (["EFFECTIVE"], ["EFFECTIVE"])
    assert (first["steps"], second["steps"]) == (NUM_STEPS, NUM_STEPS)
    assert (first["attempt"], first["id"]) == (2, second["id"])


def test_processes_among_which_a_model_is_divided_are_refused_with_the_way_on():
    torch.distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    try:
        with pytest.raises(InvalidInput, match="2 processes train together by FSDP, expected DistributedDataParallel"):
            Session(None, {"project": "small"}).begin(Trained(None, None, None), {}, split_by="FSDP")
    finally:
        torch.distributed.destroy_process_group()
