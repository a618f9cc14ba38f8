"""The layout of a store: the keys of all its files, defined only here."""

from seedbed.contracts import Stage
from seedbed.records.canonical._names import is_name, require_name

__all__ = [
    "BASELINES",
    "BLOBS",
    "CATALOG",
    "EVENTS",
    "EVENTS_TAIL",
    "EXPIRIES",
    "INDEX",
    "JOB",
    "LATEST",
    "LOGS",
    "MARKER",
    "QUARANTINE",
    "RUNS",
    "TAIL",
    "TORN",
    "baselines_folder",
    "expiries_folder",
    "is_latest_key",
    "latest_key",
    "log_folder",
    "run_folder",
]

MARKER = "seedbed.json"
CATALOG = "catalog.sqlite3"
INDEX = "snapshot_index.json"
LOGS = "log"
RUNS = "runs"
BLOBS = "blobs/sha256"
LATEST = "latest"
POINTER = "LATEST.json"
BASELINES = "baselines"
EXPIRIES = "released"
QUARANTINE = "quarantine"
EVENTS = "events.log"  # of each run, in its folder
JOB = "job.json"  # of each run that a command began, in its folder
TAIL = ".tail"  # the ending of the file beside it, while the run logs
TORN = ".torn-"  # comes behind the name of a tail that could not be read, and before its digest
EVENTS_TAIL = EVENTS.replace(".log", TAIL)


def log_folder(project: str) -> str:
    """The folder of one project's commits. Raises InvalidInput, as all functions here, for an invalid name."""
    return f"{LOGS}/{require_name('project', project)}"


def baselines_folder(project: str) -> str:
    """The folder of one project's promotions."""
    return f"{BASELINES}/{require_name('project', project)}"


def expiries_folder(project: str) -> str:
    """The folder of one project's expiries."""
    return f"{EXPIRIES}/{require_name('project', project)}"


def run_folder(project: str, run_id: str, stage: Stage) -> str:
    """The folder of one run's stage."""
    return f"{RUNS}/{require_name('project', project)}/{require_name('run_id', run_id)}/{stage.value}"


def latest_key(project: str, cohort_id: str, stage: Stage) -> str:
    """The key of LATEST.json, the pointer to the newest commit of a project's cohort and stage."""
    return f"{LATEST}/{require_name('project', project)}/{require_name('cohort_id', cohort_id)}/{stage.value}/{POINTER}"


def is_latest_key(key: str) -> bool:
    """Whether `key` can be that of a LATEST.json, and is not that of a copy in a folder of another tool."""
    match key.split("/"):
        case [top, project, cohort_id, stage, name]:
            is_place = top == LATEST and name == POINTER and stage in Stage.__members__
            return is_place and is_name(project) and is_name(cohort_id)
    return False
