"""Runs in several threads at once share the recorder: nothing crashes, and no kernel is counted as another run's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("stress_program.py")


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
