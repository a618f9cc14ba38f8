"""Where the bytes of a store are: all of it behind `Files`, and what grows at its end in a local folder."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from seedbed.records.storage._cloud import open_cloud
from seedbed.records.storage._files import Files
from seedbed.records.storage._local import LocalFiles
from seedbed.records.storage._writer_turn import turn

__all__ = ["Place"]

_WORK = Path(".seedbed-work")


@dataclass(frozen=True)
class Place:
    """`files` hold the store that people call `name`. Running attempts append to their logs in the folder `work`.

    Where the store is a folder it is that folder; where it is `apart`, logs are brought to it when a run finishes.
    """

    name: str
    files: Files
    work: Path
    apart: bool

    @classmethod
    def of(cls, where: Path | str, work: Path | str | None) -> Self:
        """The place that `where`, a folder or a URL, names. Raises InvalidInput for a URL of no object store."""
        if "://" in str(where):
            return cls(str(where), open_cloud(str(where)), Path(work or _WORK), apart=True)
        return cls(str(where), LocalFiles(Path(where)), Path(where), apart=False)

    def turn_at(self, folder: str) -> Callable[[], AbstractContextManager[None]]:
        """How writers take turns at appending to `folder`; where they are on many machines, not at all."""
        return nullcontext if self.apart else partial(turn, self.work / folder)
