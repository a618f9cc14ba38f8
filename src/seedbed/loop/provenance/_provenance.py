"""What a run was made of, for the draft of its record: gathered at its start, completed at its end.

All of it is an allowlist: no host, no user, no absolute path, no variable of the environment. The record redacts what
is the user's own (arguments, names of files), as it does with all that is recorded.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch

from seedbed.loop.provenance import _machine
from seedbed.loop.provenance._data import fingerprint_data
from seedbed.loop.provenance._git import GitFacts, GitReading, repository_of
from seedbed.loop.provenance._modules import LocalCode, script
from seedbed.loop.provenance._packages import loaded_modules, packages_of
from seedbed.loop.provenance._told import NO_DATA
from seedbed.records import NOT_APPLICABLE, UNKNOWN, Json, digest, environment_facts, redact_text

__all__ = ["Collecting", "Provenance", "collect"]

_PATCH = "uncommitted.patch"
_ENVIRONMENT = "Python, system, machine and number of cores in process.environment"


@dataclass(frozen=True)
class Provenance:
    """What a draft takes, under the names that it has there; `blobs` are payloads to be stored under their names.

    `fingerprints` have the four that every draft needs, `code` and `environment`. `process` says what they were made of
    (`environment`, `code`), the versions of all packages that were loaded, the generators' states at the start, the
    hardware and the command. `factors` are seed, device and threads.
    """

    fingerprints: Mapping[str, str]
    fingerprint_sources: Mapping[str, str]
    process: Mapping[str, Json]
    inputs: Mapping[str, Json]
    factors: Mapping[str, Json]
    blobs: Mapping[str, bytes]


@final
class Collecting:
    """Begun at the start of a run, since files and generators change later; `finished` gives the whole.

    `data` is what the run learns from, as `fingerprint_data` takes it. With `with_patch` the uncommitted difference is
    kept as a text, redacted as all texts are, so that it is for reading and may not apply. Raises InvalidInput for data
    of a kind that nobody can read, NotFound for a path that is not there.
    """

    def __init__(
        self,
        data: object = None,
        *,
        with_patch: bool = False,
        cache: Path | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        main = script()
        self._working = Path.cwd()
        folder = self._working if main is None else main.parent
        self._script = main
        self._code = LocalCode(repository_of(folder) or folder)
        self._git = GitReading(repository_of(folder), with_patch=with_patch)
        self._code.look()
        self._generators = _machine.generator_digests()
        self._arguments = tuple(sys.argv)
        self._data = NO_DATA if data is None else fingerprint_data(data, cache=cache, say=say)

    def finished(self) -> Provenance:
        """All of it, with what was imported since and the seed that was given last."""
        self._code.look()
        self._code.look_at_cells()
        git = self._git.facts()
        loaded = loaded_modules()
        packages = packages_of(loaded | self._code.imports)
        environment = environment_facts(each.name for name, each in packages.items() if name in self._code.imports)
        process: dict[str, Json] = {
            "environment": environment,
            "code": self._code_facts(git),
            "imported": [list(each) for each in sorted({each for name, each in packages.items() if name in loaded})],
            "generators": dict(self._generators),
            "generators_idle": [*_machine.idle_generators(self._generators)],
            "hardware": _machine.hardware_facts(),
            "command": [*self._command()],
        }
        factors = {"seed": _machine.seed(), "device": _machine.device(), "threads": torch.get_num_threads()}
        fingerprints, sources = self._fingerprints(environment)
        return Provenance(
            fingerprints=fingerprints,
            fingerprint_sources=sources,
            process=process,
            inputs={"data": dict(self._data.facts)} if self._data.facts else {},
            factors=factors,
            blobs={_PATCH: redact_text(git.patch).encode()} if git.patch else {},
        )

    def _fingerprints(self, environment: Mapping[str, Json]) -> tuple[dict[str, str], dict[str, str]]:
        facts: dict[str, Json] = {name: value for name, value in environment.items() if name != "packages"}
        files = self._code.files
        found = {
            "data": self._data.digest,
            **dict.fromkeys(("split", "target", "feature"), NOT_APPLICABLE),
            "code": digest(dict(files)) if files else UNKNOWN,
            "environment": digest(facts),
        }
        of_code = "the files in process.code.files" if files else "neither a script nor a notebook runs"
        if self._code.edited:
            of_code += "; of those in process.code.edited, written after the process began, another text may have run"
        return found, {"data": self._data.source, "code": of_code, "environment": _ENVIRONMENT}

    def _code_facts(self, git: GitFacts) -> dict[str, Json]:
        return {
            "commit": git.commit,
            "uncommitted": git.uncommitted,
            "files_changed": git.num_changed,
            **({"unknown": git.unknown} if git.unknown else {}),
            **({"script": self._relative(str(self._script))} if self._script else {}),
            **({"edited": [*sorted(self._code.edited)]} if self._code.edited else {}),
            "files": [[name, found] for name, found in sorted(self._code.files.items())],
        }

    def _command(self) -> tuple[str, ...]:
        return tuple(map(self._relative, self._arguments))

    def _relative(self, argument: str) -> str:
        """A path in the repository, beside the script or in the working folder is relative to it; all else as it is."""
        if not os.path.isabs(argument):  # noqa: PTH117  a text, and perhaps no path
            return argument
        for path in (Path(argument), Path(os.path.realpath(argument))):
            for folder in (self._code.root, self._working):
                if path.is_relative_to(folder):
                    return path.relative_to(folder).as_posix()
        return argument


def collect(
    data: object = None,
    *,
    with_patch: bool = False,
    cache: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Provenance:
    """What this process is made of now, at once. Parameters and errors are those of `Collecting`."""
    return Collecting(data, with_patch=with_patch, cache=cache, say=say).finished()
