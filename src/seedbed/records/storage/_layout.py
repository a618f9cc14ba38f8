"""The key of everything in a store, and nowhere else."""

from seedbed.contracts import Stage
from seedbed.records.canonical._names import require_name

__all__ = [
    "BASELINES",
    "BLOBS",
    "CATALOG",
    "EVENTS",
    "INDEX",
    "LATEST",
    "LOGS",
    "MARKER",
    "RELEASES",
    "RUNS",
    "baselines_folder",
    "latest_key",
    "log_folder",
    "releases_folder",
    "run_folder",
]

MARKER = "seedbed.json"
CATALOG = "catalog.sqlite3"
INDEX = "snapshot_index.json"
LOGS = "log"
RUNS = "runs"
BLOBS = "blobs/sha256"
LATEST = "latest"
BASELINES = "baselines"
RELEASES = "released"
EVENTS = "events.log"  # of each run, in its folder


def log_folder(project: str) -> str:
    """The folder of one project's commits. Raises InvalidInput, as all here, for what is not one plain name."""
    return f"{LOGS}/{require_name('project', project)}"


def baselines_folder(project: str) -> str:
    """The folder of one project's promotions."""
    return f"{BASELINES}/{require_name('project', project)}"


def releases_folder(project: str) -> str:
    """The folder of what retention has let go of one project."""
    return f"{RELEASES}/{require_name('project', project)}"


def run_folder(project: str, run_id: str, stage: Stage) -> str:
    """The folder of one run's stage."""
    return f"{RUNS}/{require_name('project', project)}/{require_name('run_id', run_id)}/{stage.value}"


def latest_key(project: str, cohort_id: str, stage: Stage) -> str:
    """The pointer to the newest commit of a project's cohort and stage."""
    return (
        f"{LATEST}/{require_name('project', project)}/{require_name('cohort_id', cohort_id)}/{stage.value}/LATEST.json"
    )
