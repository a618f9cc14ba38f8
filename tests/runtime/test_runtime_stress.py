"""The recorder in processes of their own: threads that share it, and steps that are open when the process ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("stress_program.py")
OPEN_AT_EXIT = """
import sys, threading, time, torch
from seedbed.runtime import declare, door_config

witness = declare(door_config({"sample_every": 1, "cdc": "off"}, {}), device="cpu").witness()

def steps_for_ever():
    for step in range(10**9):
        with witness.step(step):
            torch.ones(3) @ torch.ones(3)
            began.set()
        time.sleep(0.001)  # the interpreter cannot end while a daemon thread is inside torch, with or without Seedbed

if sys.argv[1] == "daemon":
    began = threading.Event()
    threading.Thread(target=steps_for_ever, daemon=True).start()
    began.wait(60)
else:
    block = witness.open_step(1)
    torch.ones(3) @ torch.ones(3)
sys.exit(3)
"""


@pytest.mark.slow
def test_four_threads_of_two_runs_with_every_step_sampled() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], capture_output=True, text=True, timeout=500, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    runs = json.loads(done.stdout)
    assert len(runs) == 8
    for run in runs:
        assert run["steps"] == 330
        assert run["found"] == run["expected"], run
        assert run["sampled"]["train"] > 10, run
        assert run["sampled"]["eval"] > 1, run
    assert sum(len(run["own"]) for run in runs) == 20
    assert all(all(run["own"]) for run in runs)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["main", "daemon"])
def test_a_step_that_is_open_when_the_process_ends_does_not_crash_it(where: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPEN_AT_EXIT, where], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (3, "")
