"""Looks at every byte of a store that something vouches for. It changes nothing, and needs no right to write."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records._commit import Commit
from seedbed.records._durable import TEMPORARY_PREFIX
from seedbed.records._findings import Finding, FindingKind
from seedbed.records._framed import parse_frames
from seedbed.records._layout import BLOBS, LATEST, MARKER, RUNS, run_folder_of
from seedbed.records._status import STALE_AFTER, read_status
from seedbed.records._store import Store, check_marker
from seedbed.records._views import latest_key_of, latest_pointer, views

__all__ = ["fsck", "latest_commits", "readable_commits"]

_RESTORE = "restore the file from a copy of the store; it is never made again"
_REPAIR = "run `seedbed runs fsck --repair`"


@dataclass(frozen=True)
class _Survey:
    """The whole commits, what is wrong with the others by their file, and the folders whose run still writes."""

    commits: tuple[Commit, ...]
    findings: dict[str, Finding]
    writing: frozenset[str]


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


def latest_commits(commits: Sequence[Commit]) -> dict[str, Commit]:
    """The newest of `commits` for every LATEST.json there should be."""
    return {latest_key_of(commit): commit for commit in commits}


def _survey(store: Store) -> _Survey:
    commits: list[Commit] = []
    findings: dict[str, Finding] = {}
    # Looked up before the commits: a run that ends in between is then still left alone.
    writing = frozenset(_writing(store, findings))
    for project in store.projects():
        log = store.log(project)
        last = 0
        for seq in log.numbers():
            key = log.key(seq)
            if seq > last + 1:
                gap = log.key(last + 1)
                problem = f"{seq - last - 1} missing from number {last + 1} on, while {seq} exists"
                findings[gap] = Finding(FindingKind.COMMIT_MISSING, gap, problem, _RESTORE)
            try:
                commits.append(log.read(seq))
            except StoreCorrupt as damage:
                findings[key] = Finding(FindingKind.COMMIT_DAMAGED, key, str(damage), _RESTORE)
            last = seq
    return _Survey(tuple(commits), findings, writing)


def _writing(store: Store, findings: dict[str, Finding]) -> Iterator[str]:
    for folder in _stage_folders(store):
        try:
            status = read_status(store.files, folder, store.clock.now())
        except StoreCorrupt as damage:
            advice = "move the folder aside and start another run"
            findings[folder] = Finding(FindingKind.CLAIM_DAMAGED, folder, str(damage), advice)
            continue
        if status and status.status == RunStatus.RUNNING:
            yield folder


def _marker(store: Store) -> Iterator[Finding]:
    try:
        check_marker(store.files, store.name)
    except (StoreCorrupt, NotFound) as problem:
        yield Finding(
            FindingKind.MARKER_DAMAGED, MARKER, str(problem), "copy it from another store of the same version"
        )


def _blobs(store: Store, survey: _Survey) -> Iterator[Finding]:
    named = {digest: commit for commit in survey.commits for digest in commit.snapshot.blobs.values()}
    for digest, commit in named.items():
        try:
            store.blobs.get(digest)
        except NotFound:
            problem = f"commit {commit.seq} of {commit.snapshot.project} names blob {digest}, which is not there"
            yield Finding(FindingKind.BLOB_MISSING, f"{BLOBS}/{digest[:2]}/{digest}", problem, _RESTORE)
        except StoreCorrupt as damage:
            yield Finding(FindingKind.BLOB_DAMAGED, store.blobs.key(digest), str(damage), _RESTORE)


def _logs(store: Store, survey: _Survey) -> Iterator[Finding]:
    committed = {run_folder_of(commit.snapshot): commit for commit in survey.commits}
    for folder in sorted({*_stage_folders(store), *committed} - survey.writing):
        for item in store.files.list(folder, deep=False):
            if item.key.endswith(".log"):
                yield from _one_log(store, item.key)
        if folder in committed:
            yield from _committed_logs(store, folder, committed[folder])


def _one_log(store: Store, place: str) -> Iterator[Finding]:
    try:
        frames = parse_frames(store.files.read(place), place)
    except StoreCorrupt as damage:
        yield Finding(FindingKind.LOG_DAMAGED, place, str(damage), _RESTORE)
        return
    if frames.torn_bytes:
        problem = f"the last {frames.torn_bytes} bytes, from byte {frames.whole_bytes} on, are a record cut short"
        yield Finding(FindingKind.LOG_TORN, place, problem, _REPAIR)


def _committed_logs(store: Store, folder: str, commit: Commit) -> Iterator[Finding]:
    for name, head in commit.snapshot.logs.items():
        place = f"{folder}/{name}"
        try:
            entries = parse_frames(store.files.read(place), place).entries
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
    newest = {run_folder_of(commit.snapshot): commit for commit in survey.commits}
    for folder, commit in newest.items():
        for name, expected in views(commit).items() if folder not in survey.writing else ():
            found = _bytes(store, f"{folder}/{name}")
            if found != expected:
                kind = FindingKind.VIEW_MISSING if found is None else FindingKind.VIEW_STALE
                problem = "it is not there" if found is None else f"it does not show commit {commit.seq}"
                yield Finding(kind, f"{folder}/{name}", problem, _REPAIR)


def _latest(store: Store, survey: _Survey) -> Iterator[Finding]:
    expected = latest_commits(survey.commits)
    listed = (item.key for item in store.files.list(LATEST) if item.key.endswith("/LATEST.json"))
    for key in sorted({*expected, *listed}):
        found = _bytes(store, key)
        commit = expected.get(key)
        if commit and (found == _pointer(store, commit) or run_folder_of(commit.snapshot) in survey.writing):
            continue
        target = _target(found)
        if target in survey.findings:
            continue  # the commit itself is named already
        if found is not None and target is not None and _bytes(store, target) is None:
            problem = f"it points to {target}, which is not there: either it was altered or that commit is lost"
            yield Finding(FindingKind.LATEST_DANGLING, key, problem, _REPAIR)
        else:
            newest = f"commit {commit.seq}" if commit else "any commit of its cohort and stage"
            yield Finding(FindingKind.LATEST_STALE, key, f"it does not point to {newest}", _REPAIR)


def _pointer(store: Store, commit: Commit) -> bytes:
    return latest_pointer(commit, store.log(commit.snapshot.project).key(commit.seq))


def _stray(store: Store) -> Iterator[Finding]:
    oldest = store.clock.now() - STALE_AFTER
    for item in store.files.list(""):
        if item.key.rpartition("/")[2].startswith(TEMPORARY_PREFIX) and item.modified < oldest:
            problem = "a write that was cut short left this temporary file"
            yield Finding(FindingKind.STRAY_FILE, item.key, problem, _REPAIR)


def _stage_folders(store: Store) -> list[str]:
    stages = {item.key.rpartition("/")[0] for item in store.files.list(RUNS)}
    return sorted(
        folder for folder in stages if folder.count("/") == 3 and folder.rpartition("/")[2] in Stage.__members__
    )


def _target(pointer: bytes | None) -> str | None:
    try:
        found = json.loads(pointer or b"null")
    except ValueError:
        return None
    return str(found["path"]) if isinstance(found, dict) and "path" in found else None


def _bytes(store: Store, key: str) -> bytes | None:
    try:
        return store.files.read(key)
    except (NotFound, InvalidInput):
        return None
