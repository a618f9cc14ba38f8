"""`seedbed changes show`: what was changed while a run ran, and how each change ended."""

from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import out, print_json
from seedbed.render.text._layout import section

__all__ = ["show"]


def show(run: RunArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show the story of every change: proposed, checked by guards, applied, read back, used by the next step.

    For a run that is not finished, the story is read from its journal.

    \b
    Examples:
      seedbed changes show latest
      seedbed changes show latest --json
    """
    from seedbed.cli.runs._select import find_run
    from seedbed.records.compare import one_line
    from seedbed.render.facts._changes_so_far import changes_so_far
    from seedbed.render.text._change_text import change_text, counts_words, outcome_text

    view = find_run(store, run)
    summary = changes_so_far(view)
    if as_json:
        print_json({"run_id": view.run_id, **summary.model_dump(mode="json")})
        return
    console = out()
    for change in summary.changes:
        title = Text.assemble(outcome_text(change), "  ", change_text(change))
        console.print(section(title, [(one_line(line),) for line in change.story]))
    console.print(Text(counts_words(summary)))
