"""A process that changes a settings file may die anywhere, be refused by the disk, or be raced by another one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def run_program(name: str, *arguments: object) -> dict[str, Any]:
    found = subprocess.run(
        [sys.executable, HERE / name, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "points"), [("kill", 20), ("refused", 15)])
def test_after_any_durable_call_the_changes_are_what_the_file_holds_and_never_half(
    tmp_path: Path, program: str, points: int
) -> None:
    found = run_program("change_crash_program.py", program, tmp_path)
    for kind, words in {"honest": {"applied"}, "silent": {"applied"}, "clamps": {"failed", "rolled_back"}}.items():
        assert found[kind].pop("points") >= points
        assert found[kind].keys() == {"superseded", *words}


@pytest.mark.slow
def test_of_two_processes_that_change_one_file_neither_loses_an_update(tmp_path: Path) -> None:
    found = run_program("change_hammer_program.py", tmp_path, 30)
    assert found["acknowledged"] > 20
    assert found["value"] == found["acknowledged"]
