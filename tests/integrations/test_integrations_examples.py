"""The examples of training libraries run as a user runs them: from a folder of their own, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seedbed.contracts import ChangeSummary
from seedbed.records import Store, fsck, verify

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("SEEDBED_")}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "step"), [("lightning_run", 66), ("transformers_run", 12)])
def test_the_example_is_a_run_with_a_change_in_use_and_passes_its_gate(name: str, step: int, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py")]
    done = subprocess.run(command, cwd=tmp_path, env=CLEAN, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gate: PASS" in done.stdout + done.stderr
    store = Store.open(tmp_path / ".seedbed")
    (view,) = store.runs()
    assert view.commit is not None
    (change,) = ChangeSummary.model_validate(view.commit.snapshot.documents["changes"]).changes
    assert (change.parameter, change.outcome) == ("optimizer.lr", "EFFECTIVE")
    assert change.story[0].startswith(f"step {step}: loop proposed")
    assert all(check.holds for check in verify(store, view))
    assert fsck(store) == []
