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
    "verifying",
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


def soak_at(root: Path, name: str | None, option: str = "--path") -> "SoakFolder":
    """The soak called `name` in the folder of all soaks; without a name, the one at `root`, or the latest under it.

    Raises NotFound; of a `name` that is a folder elsewhere, with the option that names it.
    """
    from seedbed.errors import NotFound
    from seedbed.soak import SoakFolder

    try:
        return SoakFolder.find(root if name is None else root / name)
    except NotFound:
        if name is None or not Path(name).is_dir():
            raise
        raise NotFound(f"there is no soak at {root / name}; {_elsewhere(Path(name), option)}") from None


def _elsewhere(path: Path, option: str) -> str:
    """How to name the soak at `path`, or the folder of soaks there."""
    if (path / "soak.json").exists():
        parent, soak = path.absolute().parent if path.parent == path else path.parent, path.absolute().name
        return f"{path} is a soak's folder: name its parent by {option} {parent}, and the soak {soak}"
    return f"{path} is a folder: name it by {option} {path}, and a soak in it by its own name or `latest`"


def resuming(folder: "SoakFolder") -> str:
    """The command that goes on with a soak that was interrupted."""
    return shlex.join(["seedbed", "soak", "run", "--out", str(folder.path.parent), "--resume", folder.path.name])


def verifying(folder: "SoakFolder", anchor: str | None) -> str:
    """The command that shows everything that verification finds in a soak."""
    anchored = [] if anchor is None else ["--anchor", anchor]
    return shlex.join(["seedbed", "soak", "verify", "--path", str(folder.path), *anchored])


def end_if_it_runs(folder: "SoakFolder", as_json: bool) -> None:
    """End the command without an answer while another process runs the soak: its files move, and accuse nobody."""
    if not folder.is_locked():
        return
    from seedbed.cli.console._render import errors, print_json
    from seedbed.errors import ExitCode

    errors().print(f"the soak {folder.path.name} still runs; ask again when it has ended", soft_wrap=True)
    if as_json:
        print_json({"soak_id": folder.path.name, "runs": True, "exit_code": int(ExitCode.NO_ANSWER)})
    raise typer.Exit(ExitCode.NO_ANSWER)


@contextmanager
def altered_files_break_the_contract() -> Iterator[None]:
    """Let a soak whose files were altered end its command as `soak verify` does, and not as an error of Seedbed."""
    try:
        yield
    except StoreCorrupt as problem:
        raise ContractBroken(str(problem)) from None
