"""Commits the copy of a commit of another number or store, and what follows from it, as `finish` does for a run."""

from seedbed.records._store import Store
from seedbed.records._views import FIRST_VIEWS, views, write_latest
from seedbed.records.log._log import CommitLog
from seedbed.records.snapshot._commit import Commit, run_folder_of

__all__ = ["adopt", "follow_again"]


def adopt(store: Store, log: CommitLog, commit: Commit, name: str = "") -> Commit:
    """Commit a copy of `commit` in `log`, of `store`, durable on return; or return the commit of that content there.

    `name` is that of the store that `commit` comes from, and "" for this one. Raises as `CommitLog.append`.
    """
    made = log.adopt(commit, name)
    log.promote_by_rule(made, store.clock.now())
    _write_views(store, log, made)
    return made


def follow_again(store: Store, log: CommitLog, made: Commit) -> None:
    """Do what follows from the copy `made`, if an interrupt came before that. Raises StoreUnavailable."""
    if not any(promotion.digest == made.digest for promotion in log.baselines.history()):
        log.promote_by_rule(made, store.clock.now())
    header = log.find(made.snapshot.run_id, made.snapshot.stage)
    _write_views(store, log, (header and log.readable(header.seq)) or made)


def _write_views(store: Store, log: CommitLog, made: Commit) -> None:
    folder = run_folder_of(made.snapshot)
    for file, data in views(made, FIRST_VIEWS).items():
        store.files.replace(f"{folder}/{file}", data, durable=False)
    write_latest(store.files, log, made)
