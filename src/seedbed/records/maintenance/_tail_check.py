"""Finds commits that were lost from the end of a log: no gap shows this, but other files still name them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records.log._baselines import Baselines
from seedbed.records.log._checkpoint import checkpoint_key, read_checkpoint
from seedbed.records.log._copies import read_object
from seedbed.records.maintenance._commit_scan import add_finding, gap_problem, readable_records
from seedbed.records.maintenance._findings import NOTHING, RECOVER_BASELINE, RESTORE_TAIL, Finding, FindingKind
from seedbed.records.maintenance._reachable import Reachability
from seedbed.records.storage._layout import BASELINES, LATEST, LOGS, log_folder
from seedbed.records.storage._numbered_log import record_number

__all__ = ["CommitMention", "furthest_mentions", "pointed_at", "record_findings"]

_KINDS = (FindingKind.BASELINE_MISSING, FindingKind.BASELINE_DAMAGED)


class CommitMention(NamedTuple):
    """A file, at `key`, that names a commit."""

    project: str
    seq: int
    key: str


def record_findings(store: Store, reachable: Reachability) -> dict[str, Finding]:
    """What is wrong with the records, by key: as found when they were read, and what is lost from the end of a log.

    The advice is to recover a lost commit where a whole copy of it can be brought back.
    """
    mentions, promotions = furthest_mentions(store, reachable)
    findings = dict(reachable.findings)
    for key, finding in promotions.items():
        findings.setdefault(key, finding)
    for project, mention in mentions.items():
        log = store.log(project)
        last = max(reachable.inventory.numbers.get((LOGS, project), [0]))
        in_place = findings.get(log.key(last))
        if in_place and in_place.kind is FindingKind.SLOT_TAKEN:  # a link is listed as what it should be
            last -= 1
        if mention.seq > last and not _exists(store, project, last + 1):
            key, because = log.key(last + 1), f"{mention.key} names {mention.seq}"
            problem = gap_problem(last, mention.seq, because)
            findings[key] = Finding(FindingKind.COMMIT_MISSING, key, problem, RESTORE_TAIL)
    for copy in reachable.copies.values():
        item = findings.get(copy.record)
        is_expected = copy.commit.digest in reachable.scan.expected(copy.record)
        if item and not copy.problem and (is_expected or not copy.is_given):
            findings[copy.record] = replace(item, advice=copy.advice)
    return findings


def furthest_mentions(store: Store, reachable: Reachability) -> tuple[dict[str, CommitMention], dict[str, Finding]]:
    """The mention of the latest commit of each project that some file names, and what is wrong with the promotions."""
    furthest: dict[str, CommitMention] = {}
    promotions: dict[str, Finding] = {}
    for mention in _mentions(store, reachable, promotions):
        furthest[mention.project] = max(furthest.get(mention.project, mention), mention, key=lambda item: item.seq)
    return furthest, promotions


def pointed_at(key: str, found: Mapping[str, object] | None) -> CommitMention | None:
    """The commit that the LATEST.json at `key` names, where `found` is its content; None when that is not valid."""
    path, seq = str((found or {}).get("path")), (found or {}).get("snapshot_seq")
    project = key.split("/")[1]
    is_valid = path.startswith(f"{LOGS}/{project}/") and record_number(path) == seq and isinstance(seq, int)
    return CommitMention(project, record_number(path) or 0, key) if is_valid else None


def _exists(store: Store, project: str, seq: int) -> bool:
    """Whether the commit was written after the listing, damaged or not."""
    try:
        store.log(project).read(seq)
    except NotFound:
        return False
    except (StoreCorrupt, InvalidInput):
        return True
    return True


def _mentions(store: Store, reachable: Reachability, findings: dict[str, Finding]) -> Iterator[CommitMention]:
    inventory = reachable.inventory
    for project in inventory.projects(LOGS):
        checkpoint = read_checkpoint(store.files, log_folder(project))
        if checkpoint:
            yield CommitMention(project, checkpoint.headers.last, checkpoint_key(log_folder(project)))
    for project in inventory.projects(BASELINES):
        yield from _promoted(store, reachable, project, findings)
    for copy in reachable.copies.values():
        yield CommitMention(copy.commit.snapshot.project, copy.commit.seq, copy.key)
    for key in inventory.others:
        pointed = pointed_at(key, read_object(store.files, key)) if key.startswith(f"{LATEST}/") else None
        if pointed:
            yield pointed


def _promoted(
    store: Store, reachable: Reachability, project: str, findings: dict[str, Finding]
) -> Iterator[CommitMention]:
    baselines, numbers = Baselines(store.files, project), reachable.inventory.numbers[BASELINES, project]
    digests = {item.seq: item.digest for item in reachable.scan.commits.get(project, ())}
    for promotion in readable_records(baselines, numbers, _KINDS, findings):
        if promotion.snapshot_seq is None:
            continue
        yield CommitMention(project, promotion.snapshot_seq, f"{BASELINES}/{project}")
        found = digests.get(promotion.snapshot_seq, promotion.digest)
        if found != promotion.digest:
            key, chain = store.log(project).key(promotion.snapshot_seq), reachable.scan.chains[project]
            if (copy := chain.copy_of(promotion.digest or "")) is not None:
                problem = f"it is another one than the promotion recorded: that is number {copy} now; nothing is lost"
                findings.setdefault(key, Finding(FindingKind.RENUMBERED, key, problem, NOTHING))
                if (current := baselines.of(promotion.group or "")) and current.digest == promotion.digest:
                    place = f"{BASELINES}/{project}"
                    problem = f"the baseline is commit {promotion.snapshot_seq}, which is number {copy} now"
                    findings.setdefault(place, Finding(FindingKind.BASELINE_MISSING, place, problem, RECOVER_BASELINE))
                continue
            problem = f"its digest is {str(found)[:12]}…, but the promotion recorded {str(promotion.digest)[:12]}…"
            add_finding(findings, FindingKind.DIGEST_WRONG, key, problem)
