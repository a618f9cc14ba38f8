"""Options that the commands of `seedbed soak` share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from seedbed.errors import ContractBroken, StoreCorrupt

__all__ = [
    "DEFAULT_FOLDER",
    "AnchorOption",
    "GateOption",
    "PathOption",
    "SameOutOption",
    "altered_files_break_the_contract",
]

DEFAULT_FOLDER = Path("artifacts/soak")

PathOption = Annotated[
    Path, typer.Option("--path", help="A soak's folder, or the folder of all soaks: then the latest soak is used.")
]
SameOutOption = Annotated[Path | None, typer.Option("--out", hidden=True)]
"""So that what `soak run` was told by --out can be said in the same words to the other commands."""
GateOption = Annotated[
    Path | None,
    typer.Option("--spec", metavar="FILE", help="A YAML or JSON file of checks; by default the checks of the profile."),
]
AnchorOption = Annotated[
    str | None,
    typer.Option(
        "--anchor", metavar="SEAL", help="The seal that `soak run` printed and you kept elsewhere, or its beginning."
    ),
]


@contextmanager
def altered_files_break_the_contract() -> Iterator[None]:
    """Let a soak whose files were altered end its command as `soak verify` does, and not as an error of Seedbed."""
    try:
        yield
    except StoreCorrupt as problem:
        raise ContractBroken(str(problem)) from None
