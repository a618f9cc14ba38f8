"""Options that the commands of `seedbed soak` share."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seedbed.errors import ContractBroken, StoreCorrupt

if TYPE_CHECKING:
    from seedbed.soak import SoakFolder

__all__ = [
    "DEFAULT_FOLDER",
    "AnchorOption",
    "GateOption",
    "PathOption",
    "SameOutOption",
    "SoakArgument",
    "altered_files_break_the_contract",
    "resuming",
    "soak_at",
]

DEFAULT_FOLDER = Path("artifacts/soak")

SoakArgument = Annotated[
    str | None, typer.Argument(metavar="[SOAK]", help="A soak of that folder, or `latest`; by default the latest.")
]
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


def soak_at(root: Path, name: str | None) -> "SoakFolder":
    """The soak called `name` in the folder of all soaks; without a name, the one at `root`, or the latest under it.

    Raises NotFound.
    """
    from seedbed.soak import SoakFolder

    return SoakFolder.find(root if name is None else root / name)


def resuming(folder: "SoakFolder") -> str:
    """The command that goes on with a soak that was interrupted."""
    return shlex.join(["seedbed", "soak", "run", "--out", str(folder.path.parent), "--resume", folder.path.name])


@contextmanager
def altered_files_break_the_contract() -> Iterator[None]:
    """Let a soak whose files were altered end its command as `soak verify` does, and not as an error of Seedbed."""
    try:
        yield
    except StoreCorrupt as problem:
        raise ContractBroken(str(problem)) from None
