"""`seedbed repro repeat`, `replay` and `resume`: the three ways to run a script again."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seedbed.cli.console._options import JsonOption

__all__ = ["repeat", "replay", "resume"]

CommandArgument = Annotated[
    list[str],
    typer.Argument(metavar="-- COMMAND...", help="The script and its arguments; `python` is this command's own."),
]
EveryOption = Annotated[
    int, typer.Option(min=1, metavar="N", help="Compare only every N-th step, and each one where they differ.")
]
WeightsOption = Annotated[
    bool, typer.Option("--only-weights", help="Leave out gradients and states of optimizers: a quarter of the cost.")
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="NAME", help="Leave out this logged value, such as a time. May be repeated."),
]
KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", metavar="FOLDER", help="Keep stores, traces and output in this new folder."),
]


def _compares(kind: str, told: str) -> Callable[..., None]:
    """The command of that name, whose help is `told`."""

    def compare(
        command: CommandArgument,
        every: EveryOption = 1,
        only_weights: WeightsOption = False,
        ignore: IgnoreOption = None,
        keep: KeepOption = None,
        as_json: JsonOption = False,
    ) -> None:
        from seedbed.cli.runs.repro._driver import run_check
        from seedbed.loop.repro._check import ReproKind, ReproRequest

        def request(folder: Path) -> ReproRequest:
            named = {"python": sys.executable, "python3": sys.executable}  # the Python that this command runs with
            words = (named.get(command[0], command[0]), *command[1:])
            return ReproRequest(ReproKind(kind), words, folder, every, only_weights, frozenset(ignore or ()))

        raise typer.Exit(run_check(request, keep, as_json=as_json))

    compare.__name__, compare.__doc__ = kind, told
    return compare


repeat = _compares(
    "repeat",
    """Run a script twice, and compare every step of both runs bit by bit.

    The script uses seedbed.start. After each step the batch, the values that
    were logged, the gradients, the states of the optimizers and the weights
    are compared. The runs leave nothing in the script's own store. Exits with
    0 when all are equal, 1 when they differ, 3 when nothing was compared.

    \b
    Examples:
      seedbed repro repeat -- python train.py
      seedbed repro repeat --ignore seconds -- python train.py --epochs 1
    """,
)

replay = _compares(
    "replay",
    """Run a script twice, the second time with the changes of the first, and compare bit by bit.

    Nothing is decided again: what took effect in the first run is set at the
    same steps to the same values, in the place of what the script proposes.
    Exits with 0 when all is equal, 1 when it differs, 3 when no change of the
    first run took effect or nothing was compared.

    \b
    Examples:
      seedbed repro replay -- python train.py
      seedbed repro replay --json -- python train.py --epochs 1
    """,
)

resume = _compares(
    "resume",
    """Run a script whole, then kill it half-way and resume it, and compare the rest bit by bit.

    A script that calls run.checkpoint and run.restore is killed after one of
    its own checkpoints. For any other one a checkpoint is written and restored
    from outside. Exits with 0 when all is equal, 1 when it differs, 3 when
    nothing was resumed or compared.

    \b
    Examples:
      seedbed repro resume -- python train.py
      seedbed repro resume --keep resumed -- python train.py
    """,
)
