"""The changes of a run, whether it has finished or not."""

from seedbed.change._history import fold
from seedbed.change._summary import summary
from seedbed.contracts import ChangeSummary
from seedbed.records import RunView, read_journal

__all__ = ["changes_so_far"]


def changes_so_far(view: RunView) -> ChangeSummary:
    """The changes that the run's record holds; while there is none, those of its journal.

    Raises ValidationError where a record holds something else under their name, and StoreCorrupt as `read_journal`.
    """
    if view.commit is not None and "changes" in view.commit.snapshot.documents:
        return ChangeSummary.model_validate(view.commit.snapshot.documents["changes"])
    journal = view.folder / "changes.log"
    return summary(fold(read_journal(journal) if journal.exists() else ()))
