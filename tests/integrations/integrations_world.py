"""What the tests of `integrations` share: what is said of outside runs, and what a store holds of them."""

import hashlib
from pathlib import Path

from seedbed.integrations import ImportDescription, import_runs
from seedbed.records import Store, merged_events

DESCRIBED = ImportDescription(project="outside", target="delay", cohort="y2013")


def imported(source, folder: Path, described: ImportDescription = DESCRIBED, **options):
    return list(import_runs(source, Store.open(folder, create=True), described, **options))


def commit_of(folder: Path, seq: int = 1, project: str = DESCRIBED.project):
    return Store.open(folder).log(project).read(seq)


def steps_of(folder: Path, seq: int = 1, project: str = DESCRIBED.project):
    """The steps of one commit as texts, in which a NaN is equal to another."""
    store = Store.open(folder)
    events = merged_events(store, store.finished(project, seq))
    return [(event.step, {name: repr(float(value)) for name, value in event.values.items()}) for event in events]


def bytes_under(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
