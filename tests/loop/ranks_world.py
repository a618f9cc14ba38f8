"""Starts two real processes that train together, and reads what each of them told."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

PROGRAM = Path(__file__).parent / "ranks_program.py"


class Processes:
    """Two processes of one training that run scenarios one after another, with the variables that torchrun sets."""

    def __init__(self, folder: Path, *scenarios: str, size: int = 2) -> None:
        self.store, self.out, self.said = folder / "store", folder / "out", [""]
        self.out.mkdir(exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        common = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
        command = [sys.executable, str(PROGRAM), ",".join(scenarios), str(self.store), str(self.out)]
        self.children = [
            subprocess.Popen(
                command,
                env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in range(size)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children:
            child.kill()
            child.communicate()

    def wait(self, seconds: float = 180) -> list[int]:
        """The exit codes, by rank."""
        if all(child.returncode is not None for child in self.children):
            return [child.returncode for child in self.children]
        self.said = [child.communicate(timeout=seconds)[0] for child in self.children]
        return [child.returncode for child in self.children]

    def told(self, scenario: str) -> list[dict[str, Any]]:
        """What each rank told of a scenario; fails with what they printed where one did not end well."""
        codes = self.wait()
        assert codes == [0] * len(codes), "\n---\n".join(self.said)
        return [
            json.loads((self.out / f"{scenario}.{rank}.json").read_text(encoding="utf-8")) for rank in range(len(codes))
        ]
