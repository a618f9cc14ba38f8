"""`seedbed runs`: what was recorded, what differs, and whether the bytes are still those that were written."""

from typing import Annotated, Literal

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ProjectOption, RunArgument, StoreOption
from seedbed.cli.console._progress_bar import working
from seedbed.cli.console._render import errors, out, print_json
from seedbed.cli.runs._baselines import baselines, demote, promote
from seedbed.cli.runs._disk import gc, index, stats
from seedbed.cli.runs._export import export_runs
from seedbed.cli.runs._import import import_runs
from seedbed.cli.runs._steps import steps
from seedbed.cli.runs._trend import trend
from seedbed.cli.runs._why import why
from seedbed.errors import ExitCode, InvalidInput, StoreCorrupt

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look at what was recorded, compare it, and check its bytes.")


@app.command("list")
def list_runs(
    project: ProjectOption = None,
    where: Annotated[
        str | None, typer.Option(metavar="QUERY", help="Only finished runs that fulfil this, see `seedbed docs query`.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only finished runs, the highest of this number first.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Show this of each run, such as params.lr. Repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show so many finished runs at most, the newest.")] = 20,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List runs: the newest finished ones by their place in the log, then the others with how they ended.

    \b
    Examples:
      seedbed runs list
      seedbed runs list --where "stage=TRAINING and params.lr<1e-3 and metrics.ap>0.9"
      seedbed runs list --sort metrics.test.random.ap --column params.seed --limit 5 --json
    """
    from seedbed.cli.runs._listing import listed, runs_table
    from seedbed.cli.runs._search import search
    from seedbed.records import Store

    found = search(Store.open(store), project, where, sort, limit)
    if as_json:
        print_json({"runs": [listed(view, column or ()) for view in found.views], "more": found.more})
    else:
        none = "no run yet; `seedbed demo` makes one" if where is None else "no finished run fulfils this"
        out().print(runs_table(found.views, column) if found.views else none)
        if found.more:
            errors().print(f"and {found.more:,} more finished; --limit shows them")


@app.command()
def show(run: RunArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show one run: its metrics, its changes, what the witness saw, and what it may be compared with.

    \b
    Examples:
      seedbed runs show latest
      seedbed runs show 20260102 --json
    """
    from seedbed.cli.runs._listing import listed, whereabouts
    from seedbed.cli.runs._record import record
    from seedbed.cli.runs._select import find_run

    view = find_run(store, run)
    if as_json:
        snapshot = {} if view.commit is None else {"snapshot": view.commit.snapshot.model_dump(mode="json")}
        print_json({**listed(view), **snapshot})
    elif view.commit is None:
        out().print(whereabouts(view), soft_wrap=True)
    else:
        out().print(record(view.commit))


@app.command()
def diff(
    run: RunArgument,
    other: Annotated[
        str | None, typer.Argument(metavar="[OTHER]", help="The earlier run; by default the comparable predecessor.")
    ] = None,
    policy: Annotated[
        Literal["exact", "replicate", "ablation"] | None,
        typer.Option(help="What may differ; by default the strictest policy that holds.", case_sensitive=False),
    ] = None,
    factor: Annotated[
        list[str] | None, typer.Option(help="With --policy ablation: a setting or factor that may differ. Repeatable.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Say what RUN changed since OTHER, and whether the two may fairly be compared.

    Exits with 1 when the policy that was asked for does not hold.

    \b
    Examples:
      seedbed runs diff latest
      seedbed runs diff latest 20260102 --policy replicate
      seedbed runs diff latest 20260102 --policy ablation --factor learning_rate
    """
    from seedbed.cli.runs._comparison import difference
    from seedbed.cli.runs._select import find_run, require_commit
    from seedbed.records import EXACT, REPLICATE, Store, ablation

    if bool(factor) != (policy == "ablation"):
        raise InvalidInput("--policy ablation and --factor go together: name each factor that may differ by --factor")
    wanted = {"exact": EXACT, "replicate": REPLICATE, "ablation": ablation(*factor or ())}[policy] if policy else None
    commit = require_commit(find_run(store, run))
    snapshot = commit.snapshot
    found = snapshot.diff_prev
    earlier = other or (found.prev_run_id if wanted else None)
    if earlier is not None:
        before = require_commit(find_run(store, earlier))
        found = Store.open(store).log(before.snapshot.project).set_against(before, commit, wanted)
    if as_json:
        print_json({"run_id": snapshot.run_id, **found.model_dump(mode="json")})
    else:
        out().print(difference(snapshot.run_id, found))
    raise typer.Exit(ExitCode.FAIL if wanted is not None and found.comparable is False else ExitCode.PASS)


@app.command()
def verify(run: RunArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Recompute every digest that one run's commit vouches for. Exits with 1 when one does not hold.

    \b
    Examples:
      seedbed runs verify latest
    """
    from seedbed.cli.runs._integrity import digests_json, digests_table
    from seedbed.cli.runs._select import find_run
    from seedbed.records import Store
    from seedbed.records import verify as recompute

    try:
        view = find_run(store, run)
        checks = recompute(Store.open(store), view)
    except StoreCorrupt as damage:  # the log itself cannot be read, which answers the question
        if as_json:
            print_json({"run": run, "holds": False, "problem": str(damage), "checks": []})
        errors().print(f"{damage}; `seedbed runs fsck` lists all damage", soft_wrap=True)
        raise typer.Exit(ExitCode.FAIL) from None
    holds = all(check.holds for check in checks)
    if as_json:
        print_json({"run": view.run_id, "holds": holds, "checks": digests_json(checks)})
    else:
        out().print(digests_table(checks))
    raise typer.Exit(ExitCode.PASS if holds else ExitCode.FAIL)


@app.command()
def fsck(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what is derived or left over; no commit is ever touched.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Check every byte of the store that something vouches for.

    Exits with 1 when acknowledged bytes are damaged. What a killed process
    leaves behind is listed, and is no damage.

    \b
    Examples:
      seedbed runs fsck
      seedbed runs fsck --repair
    """
    from seedbed.cli.runs._integrity import findings_json, findings_text
    from seedbed.records import Store
    from seedbed.records import fsck as check
    from seedbed.records import repair as mend

    opened = Store.open(store)
    with working() as progress:
        mended = mend(opened, progress=progress) if repair else []
        findings = check(opened, progress=progress)
    damaged = any(finding.kind.is_damage for finding in findings)
    if as_json:
        print_json({"damaged": damaged, "mended": findings_json(mended), "findings": findings_json(findings)})
    else:
        out().print(findings_text(mended, findings), soft_wrap=True)
    raise typer.Exit(ExitCode.FAIL if damaged else ExitCode.PASS)


for _command in (steps, why, trend, promote, demote, baselines, stats, gc, index):
    app.command()(_command)
app.command("import")(import_runs)
app.command("export")(export_runs)
