"""Where everything lies in a store, and nowhere else."""

from dataclasses import dataclass
from pathlib import Path

from seedbed.contracts import Stage
from seedbed.records._names import require_name
from seedbed.records._snapshot import Snapshot

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """The paths of a store at `root`. Raises InvalidInput for names that are not one plain path component."""

    root: Path

    @property
    def marker(self) -> Path:
        """The file that says which format this store has."""
        return self.root / "seedbed.json"

    @property
    def blobs(self) -> Path:
        """The folder of content-addressed payloads."""
        return self.root / "blobs" / "sha256"

    @property
    def runs(self) -> Path:
        """The folder of every run's own files."""
        return self.root / "runs"

    @property
    def logs(self) -> Path:
        """The folder of every project's commit log."""
        return self.root / "log"

    @property
    def latest(self) -> Path:
        """The folder of the pointers to the newest commits."""
        return self.root / "latest"

    def log(self, project: str) -> Path:
        """The folder of one project's commits."""
        return self.logs / require_name("project", project)

    def run(self, project: str, run_id: str, stage: Stage) -> Path:
        """The folder of one run's stage."""
        return self.runs / require_name("project", project) / require_name("run_id", run_id) / stage.value

    def run_of(self, snapshot: Snapshot) -> Path:
        """The folder of the run that `snapshot` records."""
        return self.run(snapshot.project, snapshot.run_id, snapshot.stage)

    def latest_of(self, snapshot: Snapshot) -> Path:
        """The pointer to the newest commit of the project, cohort and stage of `snapshot`."""
        cohort = require_name("cohort_id", str(snapshot.metadata["cohort_id"]))
        return self.latest / snapshot.project / cohort / snapshot.stage.value / "LATEST.json"
