"""Puts right what is derived, or left behind by a killed process. Never touches a commit, a blob or a whole record."""

from seedbed.records._findings import Finding, FindingKind
from seedbed.records._framed import FramedFile
from seedbed.records._fsck import fsck, latest_commits, readable_commits
from seedbed.records._layout import run_folder_of
from seedbed.records._store import Store
from seedbed.records._views import latest_pointer, views

__all__ = ["repair"]


def repair(store: Store) -> list[Finding]:
    """Mend everything derived that `fsck` finds, and return what was mended; the rest needs a copy of the store.

    Raises StoreUnavailable when the disk refuses.
    """
    mended = [finding for finding in fsck(store) if finding.kind.is_derived]
    contents = _derived_files(store)
    for finding in mended:
        _mend(store, finding, contents)
    return mended


def _derived_files(store: Store) -> dict[str, bytes]:
    commits = readable_commits(store)
    files = {
        f"{run_folder_of(commit.snapshot)}/{name}": data for commit in commits for name, data in views(commit).items()
    }
    for key, commit in latest_commits(commits).items():
        files[key] = latest_pointer(commit, store.log(commit.snapshot.project).key(commit.seq))
    return files


def _mend(store: Store, finding: Finding, contents: dict[str, bytes]) -> None:
    if finding.kind is FindingKind.LOG_TORN:
        FramedFile.open(store.work / finding.path)[0].close()
    elif finding.path in contents:
        store.files.replace(finding.path, contents[finding.path])
    else:
        store.files.remove(finding.path)
