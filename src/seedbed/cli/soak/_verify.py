"""`seedbed soak verify`: does every file of a soak follow from its two logs?"""

from typing import Annotated

import typer

from seedbed.cli.console._options import JsonOption
from seedbed.cli.console._render import out, print_json
from seedbed.cli.soak._options import (
    DEFAULT_FOLDER,
    AnchorOption,
    PathOption,
    SameOutOption,
    SoakArgument,
    end_if_it_runs,
    soak_at,
)
from seedbed.errors import ExitCode

__all__ = ["verify"]


def verify(
    name: SoakArgument = None,
    path: PathOption = DEFAULT_FOLDER,
    same: SameOutOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Require that 95 % of the proposals were seen in use, instead of 90 %.")
    ] = False,
    repeat: Annotated[
        bool, typer.Option("--repeat/--no-repeat", help="Measure the plant again and compare its samples.")
    ] = True,
    anchor: AnchorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute again, from its two logs, everything that a soak's files claim.

    Nothing is written: what is wrong is said here, and by --json.

    Exits with 0 when nothing is wrong and enough proposals were seen in use,
    1 when too few were, 3 while the soak still runs, 4 when a file contradicts
    the logs. A remark, such as that nothing binds a file of a former version,
    changes no exit code.

    \b
    Examples:
      seedbed soak verify latest --strict
      seedbed soak verify --path artifacts/soak/latest --json
    """
    from dataclasses import asdict

    from rich.markdown import Markdown
    from rich.text import Text

    from seedbed.dashboard import soak_drawing
    from seedbed.soak import assemble, verify_soak
    from seedbed.soak.verify._page import verification_shown

    folder = soak_at(same or path, name)
    end_if_it_runs(folder, as_json)
    found = verify_soak(folder, assemble, strict=strict, repeat=repeat, anchor=anchor, drawing=soak_drawing())
    if as_json:
        tally = None if found.tally is None else found.tally.model_dump(mode="json")
        print_json({**asdict(found), "tally": tally, "clean": found.clean, "passes": found.passes})
    else:
        out().print(Markdown(verification_shown(found)))
        for remark in found.remarks:
            out().print(Text.assemble(("remark  ", "bold"), f"{remark.where} {remark.what}"), soft_wrap=True)
    if not found.clean:
        raise typer.Exit(ExitCode.CONTRACT_BROKEN)
    raise typer.Exit(ExitCode.PASS if found.passes else ExitCode.FAIL)
