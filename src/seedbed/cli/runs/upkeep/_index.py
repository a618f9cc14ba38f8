"""`seedbed runs index`: one file that lists all runs, for other tools."""

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, StoreOption
from seedbed.cli.console._progress_bar import labelled_progress_bar
from seedbed.cli.console._render import out, print_json
from seedbed.render.text._values import counted

__all__ = ["index"]


def index(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Write snapshot_index.json into the store, for other tools: the newest commit of each run_id:STAGE.

    \b
    Examples:
      seedbed runs index
    """
    from seedbed.records import Store, export_index

    opened = Store.open(store)
    with labelled_progress_bar() as progress:
        entries = export_index(opened, progress=progress)
    if as_json:
        print_json({"entries": len(entries), "path": "snapshot_index.json"})
    else:
        out().print(f"{counted(len(entries), 'run')} listed in snapshot_index.json of {store}", soft_wrap=True)
