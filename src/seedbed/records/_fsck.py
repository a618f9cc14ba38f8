"""Looks at every byte of a store that something vouches for. It changes nothing, and needs no right to write."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._durable import TEMPORARY_PREFIX
from seedbed.records._findings import Finding, FindingKind
from seedbed.records._framed import read_frames
from seedbed.records._log import numbered_files
from seedbed.records._snapshot import Commit
from seedbed.records._status import STALE_AFTER, read_status
from seedbed.records._store import Store, check_marker
from seedbed.records._views import latest_pointer, views

__all__ = ["fsck", "latest_commits", "readable_commits"]

_RESTORE = "restore the file from a copy of the store; it is never made again"
_REPAIR = "run `seedbed runs fsck --repair`"


@dataclass(frozen=True)
class _Survey:
    """The whole commits, what is wrong with the others by their file, and the folders whose run still writes."""

    commits: tuple[Commit, ...]
    findings: dict[str, Finding]
    writing: frozenset[Path]


def fsck(store: Store) -> list[Finding]:
    """Everything wrong with `store`: empty when every acknowledged byte is there and every view agrees with it.

    Files of a run that still writes, and temporary files younger than a minute, are left out. Raises InvalidInput when
    a later version of Seedbed wrote a part of it.
    """
    survey = _survey(store)
    return [
        *_marker(store),
        *survey.findings.values(),
        *_blobs(store, survey),
        *_logs(store, survey),
        *_views(store, survey),
        *_latest(store, survey),
        *_stray(store),
    ]


def readable_commits(store: Store) -> list[Commit]:
    """Every commit of every project that can be read, oldest first in each."""
    return list(_survey(store).commits)


def latest_commits(store: Store, commits: list[Commit]) -> dict[Path, Commit]:
    """The newest of `commits` for every LATEST.json there should be."""
    return {store.layout.latest_of(commit.snapshot): commit for commit in commits}


def _survey(store: Store) -> _Survey:
    commits: list[Commit] = []
    findings: dict[str, Finding] = {}
    # Looked up before the commits: a run that ends in between is then still left alone.
    writing = frozenset(_writing(store, findings))
    for project in store.projects():
        log = store.log(project)
        last = 0
        for seq in numbered_files(log.folder):
            path = _relative(store, log.path(seq))
            if seq > last + 1:
                gap = _relative(store, log.path(last + 1))
                problem = f"{seq - last - 1} missing from number {last + 1} on, while {seq} exists"
                findings[gap] = Finding(FindingKind.COMMIT_MISSING, gap, problem, _RESTORE)
            try:
                commits.append(log.read(seq))
            except StoreCorrupt as damage:
                findings[path] = Finding(FindingKind.COMMIT_DAMAGED, path, str(damage), _RESTORE)
            last = seq
    return _Survey(tuple(commits), findings, writing)


def _writing(store: Store, findings: dict[str, Finding]) -> Iterator[Path]:
    for folder in _stage_folders(store):
        try:
            status = read_status(folder, store.clock.now())
        except StoreCorrupt as damage:
            place = _relative(store, folder)
            advice = "move the folder aside and start another run"
            findings[place] = Finding(FindingKind.CLAIM_DAMAGED, place, str(damage), advice)
            continue
        if status and status.status == RunStatus.RUNNING:
            yield folder


def _marker(store: Store) -> Iterator[Finding]:
    try:
        check_marker(store.layout.marker)
    except (StoreCorrupt, NotFound) as problem:
        path = _relative(store, store.layout.marker)
        yield Finding(FindingKind.MARKER_DAMAGED, path, str(problem), "copy it from another store of the same version")


def _blobs(store: Store, survey: _Survey) -> Iterator[Finding]:
    named = {digest: commit for commit in survey.commits for digest in commit.snapshot.blobs.values()}
    for digest, commit in named.items():
        try:
            store.blobs.get(digest)
        except NotFound:
            problem = f"commit {commit.seq} of {commit.snapshot.project} names blob {digest}, which is not there"
            path = _relative(store, store.layout.blobs / digest[:2] / digest)
            yield Finding(FindingKind.BLOB_MISSING, path, problem, _RESTORE)
        except StoreCorrupt as damage:
            path = _relative(store, store.blobs.path(digest))
            yield Finding(FindingKind.BLOB_DAMAGED, path, str(damage), _RESTORE)


def _logs(store: Store, survey: _Survey) -> Iterator[Finding]:
    committed = {store.layout.run_of(commit.snapshot): commit for commit in survey.commits}
    for folder in sorted({*_stage_folders(store), *committed} - survey.writing):
        for path in sorted(folder.glob("*.log")):
            yield from _one_log(store, path)
        if folder in committed:
            yield from _committed_logs(store, folder, committed[folder])


def _one_log(store: Store, path: Path) -> Iterator[Finding]:
    place = _relative(store, path)
    try:
        frames = read_frames(path)
    except StoreCorrupt as damage:
        yield Finding(FindingKind.LOG_DAMAGED, place, str(damage), _RESTORE)
        return
    if frames.torn_bytes:
        problem = f"the last {frames.torn_bytes} bytes, from byte {frames.whole_bytes} on, are a record cut short"
        yield Finding(FindingKind.LOG_TORN, place, problem, _REPAIR)


def _committed_logs(store: Store, folder: Path, commit: Commit) -> Iterator[Finding]:
    for name, head in commit.snapshot.logs.items():
        place = _relative(store, folder / name)
        try:
            entries = read_frames(folder / name).entries
        except NotFound:
            problem = f"commit {commit.seq} vouches for {head.sequence} records of it, and it is not there"
            yield Finding(FindingKind.LOG_MISSING, place, problem, _RESTORE)
            continue
        except StoreCorrupt:
            continue  # named already, with its byte offset
        found = entries[head.sequence - 1].digest if len(entries) >= head.sequence else "nothing"
        if found != head.digest:
            problem = f"record {head.sequence} is {found[:12]}, but commit {commit.seq} vouches for {head.digest[:12]}"
            yield Finding(FindingKind.LOG_DAMAGED, place, problem, _RESTORE)


def _views(store: Store, survey: _Survey) -> Iterator[Finding]:
    newest = {store.layout.run_of(commit.snapshot): commit for commit in survey.commits}
    for folder, commit in newest.items():
        for name, expected in views(commit).items() if folder not in survey.writing else ():
            found = _bytes(folder / name)
            if found != expected:
                kind = FindingKind.VIEW_MISSING if found is None else FindingKind.VIEW_STALE
                problem = "it is not there" if found is None else f"it does not show commit {commit.seq}"
                yield Finding(kind, _relative(store, folder / name), problem, _REPAIR)


def _latest(store: Store, survey: _Survey) -> Iterator[Finding]:
    expected = latest_commits(store, list(survey.commits))
    for path in sorted({*expected, *store.layout.latest.rglob("LATEST.json")}):
        found = _bytes(path)
        commit = expected.get(path)
        if commit and (found == latest_pointer(commit) or store.layout.run_of(commit.snapshot) in survey.writing):
            continue
        target = _target(found)
        if target in survey.findings:
            continue  # the commit itself is named already
        if found is not None and target is not None and not (store.path / target).is_file():
            problem = f"it points to {target}, which is not there: either it was altered or that commit is lost"
            yield Finding(FindingKind.LATEST_DANGLING, _relative(store, path), problem, _REPAIR)
        else:
            newest = f"commit {commit.seq}" if commit else "any commit of its cohort and stage"
            yield Finding(FindingKind.LATEST_STALE, _relative(store, path), f"it does not point to {newest}", _REPAIR)


def _stray(store: Store) -> Iterator[Finding]:
    latest = (store.clock.now() - STALE_AFTER).timestamp()
    for path in sorted(store.path.rglob(f"{TEMPORARY_PREFIX}*")):
        if _modified(path) < latest:
            problem = "a write that was cut short left this temporary file"
            yield Finding(FindingKind.STRAY_FILE, _relative(store, path), problem, _REPAIR)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf  # its writer has renamed it by now


def _stage_folders(store: Store) -> list[Path]:
    return [path for path in store.layout.runs.glob("*/*/*") if path.is_dir() and path.name in Stage.__members__]


def _target(pointer: bytes | None) -> str | None:
    try:
        found = json.loads(pointer or b"null")
    except ValueError:
        return None
    return str(found["path"]) if isinstance(found, dict) and "path" in found else None


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _relative(store: Store, path: Path) -> str:
    return path.relative_to(store.path).as_posix()
