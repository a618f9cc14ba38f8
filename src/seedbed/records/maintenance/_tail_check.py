"""Commits gone from the end of a log: no gap shows that, but what names them is still there."""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records.log._baselines import Baselines
from seedbed.records.log._checkpoint import checkpoint_key, read_checkpoint
from seedbed.records.maintenance._commit_scan import add, gap, readable
from seedbed.records.maintenance._findings import Finding, FindingKind
from seedbed.records.maintenance._reachable import Reachability
from seedbed.records.storage._files import Files
from seedbed.records.storage._layout import BASELINES, LATEST, LOGS, log_folder
from seedbed.records.storage._numbered_log import record_number

__all__ = ["SNAPSHOT_VIEW", "CommitMention", "find_lost_tails", "pointed_at", "read_object"]

SNAPSHOT_VIEW = "snapshot.json"
_KINDS = (FindingKind.BASELINE_MISSING, FindingKind.BASELINE_DAMAGED)


class CommitMention(NamedTuple):
    """Something that names a commit."""

    project: str
    seq: int
    key: str


def find_lost_tails(store: Store, marks: Reachability, findings: dict[str, Finding]) -> None:
    """Add to `findings` the first missing commit behind the last one of every log that something names beyond it."""
    furthest: dict[str, CommitMention] = {}
    for witness in _witnesses(store, marks, findings):
        furthest[witness.project] = max(furthest.get(witness.project, witness), witness, key=lambda item: item.seq)
    for project, witness in furthest.items():
        last = max(marks.inventory.numbers.get((LOGS, project), [0]))
        if witness.seq > last and not _is_there(store, project, last + 1):
            key = store.log(project).key(last + 1)
            add(findings, FindingKind.COMMIT_MISSING, key, gap(last, witness.seq, f"{witness.key} names {witness.seq}"))


def pointed_at(key: str, found: Mapping[str, object] | None) -> CommitMention | None:
    """The commit that the LATEST.json at `key`, holding `found`, names; None where it was altered or holds none."""
    path, seq = str((found or {}).get("path")), (found or {}).get("snapshot_seq")
    project = key.split("/")[1]
    is_whole = path.startswith(f"{log_folder(project)}/") and record_number(path) == seq and isinstance(seq, int)
    return CommitMention(project, record_number(path) or 0, key) if is_whole else None


def read_object(files: Files, key: str) -> Mapping[str, object] | None:
    """The JSON object at `key`; None where there is none."""
    try:
        found = json.loads(files.read(key))
    except (NotFound, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _is_there(store: Store, project: str, seq: int) -> bool:
    """Whether the commit landed since the listing, whole or not."""
    try:
        store.log(project).read(seq)
    except NotFound:
        return False
    except (StoreCorrupt, InvalidInput):
        return True
    return True


def _witnesses(store: Store, marks: Reachability, findings: dict[str, Finding]) -> Iterator[CommitMention]:
    inventory, newest = marks.inventory, marks.survey.newest()
    for project in inventory.projects(LOGS):
        checkpoint = read_checkpoint(store.files, log_folder(project))
        if checkpoint:
            yield CommitMention(project, len(checkpoint.headers), checkpoint_key(log_folder(project)))
    for project in inventory.projects(BASELINES):
        yield from _promoted(store, marks, project, findings)
    for folder, names in inventory.folders.items():
        # The views of a folder whose commit is there may be stale, and are looked at as such.
        if SNAPSHOT_VIEW in names and folder not in newest:
            key = f"{folder}/{SNAPSHOT_VIEW}"
            seq = (read_object(store.files, key) or {}).get("snapshot_seq")
            if isinstance(seq, int):
                yield CommitMention(folder.split("/")[1], seq, key)
    for key in inventory.others:
        pointed = pointed_at(key, read_object(store.files, key)) if key.startswith(f"{LATEST}/") else None
        if pointed:
            yield pointed


def _promoted(store: Store, marks: Reachability, project: str, findings: dict[str, Finding]) -> Iterator[CommitMention]:
    baselines, numbers = Baselines(store.files, project), marks.inventory.numbers[BASELINES, project]
    digests = {item.seq: item.digest for item in marks.survey.commits.get(project, ())}
    for promotion in readable(baselines, numbers, _KINDS, findings):
        if promotion.snapshot_seq is None:
            continue
        yield CommitMention(project, promotion.snapshot_seq, f"{BASELINES}/{project}")
        found = digests.get(promotion.snapshot_seq, promotion.digest)
        if found != promotion.digest:
            problem = f"its digest is {str(found)[:12]}…, but {str(promotion.digest)[:12]}… was promoted"
            add(findings, FindingKind.DIGEST_WRONG, store.log(project).key(promotion.snapshot_seq), problem)
