"""Where the files of a store are: in a folder or a bucket, and growing logs in a local folder."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from seedbed.errors import InvalidInput
from seedbed.records.storage._cloud import open_cloud
from seedbed.records.storage._files import Files
from seedbed.records.storage._local import LocalFiles
from seedbed.records.storage._writer_turn import Turn, no_turn, turn

__all__ = ["StoreLocation"]

_WORK = Path(".seedbed-work")


@dataclass(frozen=True)
class StoreLocation:
    """The location of a store, which people call `name`. Running attempts append to their logs in the folder `work`.

    If the store is a folder, `work` is that folder; if the store `is_remote`, logs are uploaded when a run finishes.
    """

    name: str
    files: Files
    work: Path
    is_remote: bool

    @classmethod
    def of(cls, where: Path | str, work: Path | str | None) -> Self:
        """The location of the store at `where`, a folder or a URL; a text may begin with `~`, as in a shell.

        Raises InvalidInput for any other URL, where there is a file in place of a folder, and for the home folder of a
        user whom this machine does not know.
        """
        if "://" in str(where):
            return cls(str(where), open_cloud(str(where)), Path(work or _WORK), is_remote=True)
        folder = _expanded(where) if isinstance(where, str) else where
        _require_folder(folder)
        return cls(str(folder), LocalFiles(folder), folder, is_remote=False)

    def turn_at(self, folder: str) -> Turn:
        """The context manager for a turn at appending to `folder`; for a remote store it does nothing."""
        return no_turn if self.is_remote else partial(turn, self.work / folder)


def _expanded(where: str) -> Path:
    """The path that a text names. A shell expands `~` for commands, but not in files that set an environment."""
    try:
        return Path(where).expanduser()
    except RuntimeError:
        raise InvalidInput(f"the store {where} is in a home folder that nobody here has; write its path out") from None


def _require_folder(where: Path) -> None:
    found = next((each for each in (where, *where.parents) if each.exists()), where)
    if found.exists() and not found.is_dir():
        raise InvalidInput(
            f"the store {where} cannot be there: {found} is a file, expected a folder; name another one, or move the "
            "file away"
        )
