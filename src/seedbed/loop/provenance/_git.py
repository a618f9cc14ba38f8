"""The commit of the script's repository and a digest of what is not committed, read beside the run.

The user's settings and hooks have no say in it, nothing is written, and it never fails: what cannot be read is unknown,
with the reason. What changed is read by content, so the digest is the same for every version of git.
"""

import hashlib
import os
import re
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from seedbed.records import digest

__all__ = ["GitFacts", "GitReading", "repository_of"]

_SECONDS = 10.0
_LARGEST_PATCH = 1 << 20
_ISOLATED = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "diff.external=")
_STATUS = (
    *("status", "--porcelain=v2", "--branch", "-z"),
    *("--untracked-files=no", "--no-renames", "--ignore-submodules=dirty"),
)
_DIFF = ("diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--ignore-submodules=dirty")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# Fields before the path in a line of `git status --porcelain=v2`: of a changed file, and of one that is unmerged.
_FIELDS = {"1": 8, "u": 10}


@dataclass(frozen=True)
class GitFacts:
    """The commit, and the digest of the files that differ from it: None where none does, or where `unknown` says why.

    `patch` is the difference as a text for reading, at most a mebibyte, where it was asked for.
    """

    commit: str | None = None
    uncommitted: str | None = None
    num_changed: int = 0
    unknown: str = ""
    patch: str = ""


@final
class GitReading:
    """Reads the facts of the repository at `root` in a thread of its own, so that the run does not wait."""

    def __init__(self, root: Path | None, *, with_patch: bool = False) -> None:
        self._found = GitFacts(unknown="the code is in no git repository")
        self._thread: threading.Thread | None = None
        if root is not None:
            self._found = GitFacts(unknown=f"git gave no answer within {_SECONDS:g} seconds")
            self._thread = threading.Thread(target=self._read, args=(root, with_patch), name="seedbed-git", daemon=True)
            self._thread.start()

    def facts(self) -> GitFacts:
        """The facts, as of the beginning of the reading; waits for them if it must."""
        if self._thread is not None:
            self._thread.join(2 * _SECONDS)
        return self._found

    def _read(self, root: Path, with_patch: bool) -> None:
        self._found = _facts(root, with_patch)


def repository_of(folder: Path) -> Path | None:
    """The folder at or above `folder` that holds `.git`, or None."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def _facts(root: Path, with_patch: bool) -> GitFacts:
    try:
        return _status(root, with_patch)
    except (OSError, subprocess.SubprocessError, ValueError) as problem:
        why = "git is not installed" if isinstance(problem, FileNotFoundError) else "git could not tell it"
        return GitFacts(_commit_of_files(root), unknown=f"{why}, so what is not committed is not known")


def _status(root: Path, with_patch: bool) -> GitFacts:
    commit, changed = "", {}
    for line in _git(root, *_STATUS).decode("utf-8", "surrogateescape").split("\0"):
        kind, _, rest = line.partition(" ")
        if rest.startswith("branch.oid "):
            commit = rest.removeprefix("branch.oid ")
        elif kind in _FIELDS:
            path = line.split(" ", _FIELDS[kind])[-1]
            changed[path.encode("utf-8", "replace").decode()] = _content(root / path)
    if not _COMMIT.fullmatch(commit):
        return GitFacts(unknown="the repository has no commit yet")
    patch = _git(root, *_DIFF)[: _LARGEST_PATCH + 1].decode("utf-8", "replace") if with_patch and changed else ""
    if len(patch) > _LARGEST_PATCH:
        patch = f"{patch[:_LARGEST_PATCH]}\n(cut here: the difference is larger than a mebibyte)\n"
    return GitFacts(commit, digest(changed) if changed else None, len(changed), patch=patch)


def _git(root: Path, *arguments: str) -> bytes:
    # A repository that the process's own variables name is another one; locks would stand in the user's way.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ("git", "-C", str(root), *_ISOLATED, *arguments)
    done = subprocess.run(  # noqa: S603  fixed arguments, no shell
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, env=environment, check=True
    )
    return done.stdout


def _content(path: Path) -> list[str | None]:
    """What a changed file is now: its kind and the digest of its bytes; None for one that is gone."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return ["link", hashlib.sha256(os.fsencode(path.readlink())).hexdigest()]
        if not stat.S_ISREG(mode):
            return ["folder", None]
        with path.open("rb") as file:
            return ["program" if mode & stat.S_IXUSR else "file", hashlib.file_digest(file, "sha256").hexdigest()]
    except OSError:
        return ["gone", None]


def _commit_of_files(root: Path) -> str | None:
    """The commit that the files in `.git` name, without git; None where they name none."""
    try:
        return next(_commits_in(root / ".git"), None)
    except (OSError, ValueError):
        return None


def _commits_in(place: Path) -> Iterator[str]:
    if place.is_file():  # of a further working tree: `gitdir: FOLDER`
        place = (place.parent / place.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()
    head = (place / "HEAD").read_text("utf-8").strip()
    name = head.removeprefix("ref:").strip()
    if name == head:
        yield from _COMMIT.findall(head)
        return
    common = place / "commondir"
    shared = (place / common.read_text("utf-8").strip()).resolve() if common.exists() else place
    for folder in (place, shared):
        if (folder / name).is_file():
            yield from _COMMIT.findall((folder / name).read_text("utf-8"))
    packed = shared / "packed-refs"
    lines = packed.read_text("utf-8").splitlines() if packed.exists() else []
    yield from (line.split()[0] for line in lines if line.endswith(f" {name}"))
