"""The recorder in processes of their own: threads that share it, and steps that are open when the process ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("stress_program.py")
# An interpreter that ends while a daemon thread is inside torch aborts, with or without Seedbed. So the daemon's step
# is open until the recorder waits for it, and the process does not end before the daemon is out of torch for good.
OPEN_AT_EXIT = """
import atexit, sys, threading, time, torch

began, is_out_of_torch = threading.Event(), threading.Event()

def tell_and_wait():
    print("a step is open" if RECORDER._running else "no step is open")
    is_out_of_torch.wait(60)

if sys.argv[1] == "daemon":
    atexit.register(tell_and_wait)  # the recorder registers its own later, so that it runs before

from seedbed.runtime import declare, door_config
from seedbed.runtime._recorder import RECORDER

witness = declare(door_config({"sample_every": 1, "cdc": "off"}, {}), device="cpu").witness()

def step_beyond_the_end():
    with witness.step(1):
        torch.ones(3) @ torch.ones(3)
        began.set()
        while threading.main_thread().is_alive() or not RECORDER._queue:
            time.sleep(0.001)
    is_out_of_torch.set()
    threading.Event().wait()

if sys.argv[1] == "daemon":
    threading.Thread(target=step_beyond_the_end, daemon=True).start()
    began.wait(60)
elif sys.argv[1] == "thread":
    ended = threading.Thread(target=lambda: (witness.open_step(1), torch.ones(3) @ torch.ones(3)))
    ended.start()
    ended.join()
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
@pytest.mark.parametrize("where", ["main", "daemon", "thread"])
def test_a_step_that_is_open_when_the_process_ends_does_not_crash_it(where: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPEN_AT_EXIT, where], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == ("no step is open\n" if where == "daemon" else "")


FORKED = """
import faulthandler, gc, os, sys, threading, torch
from seedbed.runtime import declare, door_config
from seedbed.runtime._recorder import RECORDER

contract = declare(door_config({"sample_every": 1, "cdc": "off"}, {}), device="cpu")
witness, is_held, is_over = contract.witness(), threading.Event(), threading.Event()
with witness.step(1):
    torch.ones(3) @ torch.ones(3)

def hold():
    with RECORDER._change:
        is_held.set()
        is_over.wait(120)

holder = threading.Thread(target=hold)
holder.start()
is_held.wait(60)
child = os.fork()
if child == 0:
    faulthandler.dump_traceback_later(60, exit=True)  # a child that waits for ever ends with 1
    with witness.step(2):
        torch.ones(3) @ torch.ones(3)
    if witness.evidence(1.0).steps_sampled != 2:
        os._exit(2)
    del witness
    gc.collect()
    os._exit(0 if RECORDER._others._attached == 0 else 3)
ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
is_over.set()
holder.join()
sys.exit(ended)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot fork here")
def test_a_child_that_was_forked_while_a_thread_held_the_recorder_records_and_lets_go() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
