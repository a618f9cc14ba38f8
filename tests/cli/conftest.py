"""The command line as the tests call it: in this process, with stdout, stderr and exit code kept apart."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from seedbed.cli import main

_BEFORE_TORCH = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "KINETO_LOG_LEVEL")


class Answer(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Answer]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """`cli("runs", "list")` in an empty folder, with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEEDBED_STORE", raising=False)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for name in _BEFORE_TORCH:
        monkeypatch.setenv(name, "0" if name == "KMP_BLOCKTIME" else "99" if name.startswith("KINETO") else "PASSIVE")

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Answer(int(ended.value.code or 0), printed.out, printed.err)

    return run
