"""snapshot_index.json: every run's newest commits in one file, for tools that read such indices. Exported on demand.

It is derived, and no part of Seedbed reads it. Entries are keyed by project, then by `run_id:STAGE`. `read_index` also
reads the indices of other trackers, which have no projects, and some of which are keyed by `run_id` alone.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationError

from seedbed.contracts import Message, Stage
from seedbed.contracts._faults import faults_of
from seedbed.errors import InvalidInput
from seedbed.records._store import Store
from seedbed.records.canonical._canonical import parse_json, readable_json
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._reachable import Reachability, find_reachable, require_undamaged
from seedbed.records.storage._layout import INDEX

__all__ = ["IndexEntry", "export_index", "index_of", "index_problem", "read_index"]


class IndexEntry(Message):
    """Where one run's stage is recorded; a field is null when an index of another tracker lacks it."""

    run_id: str
    stage: Stage
    project: str | None = None
    cohort_id: str | None = None
    attempt_id: int | None = None
    snapshot_seq: int | None = None
    path: str | None = None
    digest: str | None = None
    timestamp: str | None = None


class _Index(Message):
    schema_version: Literal[1] = 1
    projects: dict[str, dict[str, IndexEntry]] = Field(default_factory=dict)


def index_of(reachable: Reachability) -> bytes:
    """The bytes of the index of all commits in `reachable`."""
    projects = {
        project: {
            f"{item.run_id}:{item.stage.value}": IndexEntry(
                run_id=item.run_id,
                stage=item.stage,
                project=project,
                cohort_id=item.cohort_id,
                attempt_id=item.attempt,
                snapshot_seq=item.seq,
                path=item.key,
                digest=item.digest,
                timestamp=item.when.isoformat(),
            )
            for item in commits
        }
        for project, commits in reachable.scan.commits.items()
    }
    return readable_json(_Index(projects=projects).model_dump(mode="json"))


def export_index(
    store: Store, reachable: Reachability | None = None, *, progress: Progress | None = None
) -> list[IndexEntry]:
    """Write the index of all commits into `store`, as snapshot_index.json, and return its entries.

    Raises StoreCorrupt when a commit is missing or damaged, and StoreUnavailable.
    """
    found = reachable or find_reachable(store, progress=progress)
    require_undamaged(found.findings)
    data = index_of(found)
    store.files.replace(INDEX, data)
    return read_index(data)


def index_problem(data: bytes, reachable: Reachability) -> str | None:
    """What is wrong with an exported index; None if every entry matches a commit. It may lack new commits."""
    try:
        entries = read_index(data)
    except InvalidInput as problem:
        return str(problem)
    known = {(item.run_id, item.stage, item.project, item.seq, item.digest) for item in reachable.scan.all_commits()}
    for item in entries:
        if (item.run_id, item.stage, item.project, item.snapshot_seq, item.digest) not in known:
            return f"its entry {item.run_id}:{item.stage.value} matches no commit"
    return None


def read_index(data: bytes) -> list[IndexEntry]:
    """The entries of an index: of this version, or of a tracker that keys a flat object by `run_id:STAGE` or `run_id`.

    When the key does not name the stage, the entry's own field must. Raises InvalidInput when `data` is no index, or
    one of a later version.
    """
    try:
        found = parse_json(data)
    except ValueError as problem:
        raise InvalidInput(f"the index is not JSON: {problem}; export it again") from None
    if not isinstance(found, dict):
        raise InvalidInput(f"the index is a {type(found).__name__}, expected an object keyed run_id:STAGE")
    if "schema_version" not in found:
        return [_foreign(key, entry) for key, entry in found.items()]
    try:
        index = _Index.model_validate(found)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = "/".join(map(str, first["loc"]))
        raise InvalidInput(
            f"the index cannot be read at /{place}: {first['msg']}; upgrade, or export it again"
        ) from None
    return [entry for entries in index.projects.values() for entry in entries.values()]


def _foreign(key: str, entry: object) -> IndexEntry:
    """An entry of another tracker's index; fields that IndexEntry does not have are dropped."""
    fields = entry if isinstance(entry, Mapping) else {}
    run_id, _, stage = key.rpartition(":")
    if not run_id or stage.upper() not in Stage.__members__:  # the key is the run_id alone
        run_id, stage = key, str(fields.get("stage"))
    known = {name: fields[name] for name in IndexEntry.model_fields if name in fields}
    try:
        return IndexEntry.model_validate({**known, "run_id": run_id, "stage": stage.upper()})
    except ValidationError as problem:
        fault = faults_of(problem, IndexEntry)[0].told("it")
        raise InvalidInput(f"the index's entry {key!r} cannot be read: {fault}") from None
