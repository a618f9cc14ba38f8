"""`seedbed runs recover`: lost commits, brought back from the copies in the folders of their runs."""

import typer
from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, StoreOption
from seedbed.cli.console._progress_bar import labelled_progress_bar
from seedbed.cli.console._render import out, print_json
from seedbed.errors import ExitCode

__all__ = ["recover"]


def recover(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Bring lost commits back, byte for byte, from the copies that the folders of their runs hold.

    `seedbed runs fsck` names such a copy as COMMIT_LOST. Bytes that stand in
    the commit's place are kept under quarantine/. Where another commit has its
    number, it comes back under a new one, and keeps the old one and its bytes
    as its origin. Exits with 1 where a copy cannot come back; that copy stays.

    \b
    Examples:
      seedbed runs recover
      seedbed runs recover --store backup/runs --json
    """
    from dataclasses import asdict

    from seedbed.cli.runs.upkeep._refresh import refresh_catalog
    from seedbed.records import Store
    from seedbed.records import recover as recover_store

    opened = Store.open(store)
    with labelled_progress_bar() as progress:
        found = recover_store(opened, progress=progress)
    refresh_catalog(opened)
    if as_json:
        print_json({"commits": [asdict(item) for item in found]})
    else:
        for item in found:
            what = f"commit {item.seq} of {item.project}, run {item.run_id}"
            place = "" if item.new_seq in (None, item.seq) else f", as number {item.new_seq}"
            done = f"not brought back: {what}: {item.problem}" if item.problem else f"brought back {what}{place}"
            out().print(Text(done), soft_wrap=True)
        if not found:
            out().print("no run's folder holds a commit that its log lacks")
    raise typer.Exit(ExitCode.FAIL if any(item.problem for item in found) else ExitCode.PASS)
