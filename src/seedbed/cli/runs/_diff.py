"""`seedbed runs diff`: what differs between two runs, and whether they may be compared."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seedbed.cli.console._command_line import command
from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, OtherArgument, RunArgument, StoreOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.errors import ExitCode, InvalidInput, NotFound, StoreCorrupt
from seedbed.render.text._layout import plain_table
from seedbed.render.text._values import difference, figure

if TYPE_CHECKING:
    from seedbed.records import Commit, Comparison, Diff, MetricDelta, Snapshot, Store

__all__ = ["diff"]

_SHOWN_KEYS = 20


def diff(
    run: RunArgument,
    other: OtherArgument = None,
    policy: Annotated[
        Literal["exact", "replicate", "ablation"] | None,
        typer.Option(
            help="What may differ; by default the strictest policy under which they are comparable.",
            case_sensitive=False,
        ),
    ] = None,
    factor: Annotated[
        list[str] | None, typer.Option(help="A setting, factor or change that may differ, by an ablation. Repeatable.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show what differs between RUN and OTHER, and whether the two may fairly be compared.

    Without --policy it says what each policy finds, and exits with 0 whatever
    they find: ask for one when a script relies on the answer. Exits with 1
    when the two are not comparable under the policy of --policy.

    z is the distance of RUN from the mean of the replicates of OTHER, in units
    of the spread of one more replicate, so the order of the two matters. It
    exceeds noise beyond 3.18 for 4 replicates, 2.57 for 6 and 2.20 for 12, so
    that 5 of 100 more replicates do.
    Without OTHER and --policy the noise is what was recorded when RUN was
    committed, else that of all runs there are now.

    \b
    Examples:
      seedbed runs diff latest
      seedbed runs diff latest 20260102 --policy replicate
      seedbed runs diff latest 20260102 --factor learning_rate
    """
    from seedbed.cli.runs._policies import noise_words, policies_json, strictest, swapped
    from seedbed.cli.runs._select import find_finished
    from seedbed.records import EXACT, REPLICATE, Store, ablation, compare_under_each

    policy = policy or ("ablation" if factor else None)
    if bool(factor) != (policy == "ablation"):
        raise InvalidInput("--policy ablation and --factor go together: name each factor that may differ with --factor")
    wanted = {"exact": EXACT, "replicate": REPLICATE, "ablation": ablation(*factor or ())}[policy] if policy else None
    _, commit = find_finished(store, run)
    snapshot = commit.snapshot
    opened, before = Store.open(store), find_finished(store, other)[1] if other else None
    found = snapshot.diff_prev
    if before is None and found.prev_snapshot_seq is not None:
        log = opened.log(snapshot.project)  # without a policy, what was recorded is shown where that commit is lost
        before = (log.readable if wanted is None else log.read)(found.prev_snapshot_seq)
    policies = compare_under_each(before.snapshot, snapshot) if before and wanted is None else ()
    is_recorded = not (before and (other or wanted or _is_outdated(found, policies)))
    if before and not is_recorded:
        found = opened.log(before.snapshot.project).diff(before, commit, wanted)
    found = _whole(opened, commit, found)
    if as_json:
        asked = {"policies": policies_json(policies)} if wanted is None else {}
        noise = {"noise_of": "COMMIT" if is_recorded else "NOW"}
        print_json({"run_id": snapshot.run_id, **found.model_dump(mode="json"), **noise, **asked})
    else:
        origin = "as recorded: the other commit is lost" if before is None else "as asked for"
        said = strictest(policies) if policies else [f"policy: {found.policy}, {origin}"]
        said += [] if other or wanted else _replicate(opened, store, commit, found)
        said += [noise_words(is_recorded=is_recorded)] if found.metric_deltas else []
        said += swapped(opened, store, before, commit, found) if before else []
        said += _idle(before, snapshot, factor or ()) if before else []
        out().print(_difference(snapshot.run_id, found, said))
    raise typer.Exit(ExitCode.FAIL if wanted is not None and found.comparable is False else ExitCode.PASS)


def _whole(store: "Store", commit: "Commit", found: "Diff") -> "Diff":
    """The recorded difference of `commit` with its full lists, which stand in a blob where they are long."""
    from seedbed.cli.runs._payloads import expiry_of
    from seedbed.records.compare import whole

    if found.details is None:
        return found
    try:
        return whole(found, store.blobs.get(found.details))
    except (NotFound, StoreCorrupt) as problem:
        expiry = expiry_of(store, commit) if isinstance(problem, NotFound) else None
        why = f"the others {expiry}" if expiry else str(problem)
        errors().print(f"only the first {len(found.changed_keys)} keys are shown: {why}", soft_wrap=True)
        return found


def _is_outdated(found: "Diff", policies: "Sequence[Comparison]") -> bool:
    """Whether a former version, which compared less, found another policy than this one does."""
    return (found.policy if found.comparable else None) != next(
        (each.policy for each in policies if each.comparable), None
    )


def _replicate(opened: "Store", store: str, commit: "Commit", found: "Diff") -> list[str]:
    """The replicate to compare with, if the newest run of the group is none."""
    if found.prev_run_id is None or found.policy != "ABLATION":
        return []
    replicate = opened.log(commit.snapshot.project).replicate_of(commit)
    if replicate is None:
        return []
    name = replicate.snapshot.run_id
    return [f"run {name} is a replicate of it: {command(store, 'runs', 'diff', commit.snapshot.run_id, name)}"]


def _idle(before: "Commit", current: "Snapshot", factors: Sequence[str]) -> Iterator[str]:
    """The factors of the command line that allow nothing, each with what may have been meant."""
    from seedbed.records.compare import idle_factors

    for factor, near in idle_factors(before.snapshot, current, factors).items():
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        yield f"--factor {factor}: no input of that name differs{hint}"


def _difference(run_id: str, found: "Diff", notes: Sequence[str]) -> RenderableType:
    """The difference as text: may the runs be compared, by which policy, what may differ, and which metrics moved."""
    from seedbed.records.compare import allowed_pairs

    if found.prev_run_id is None:
        return Text(f"{run_id}: {found.summary}")
    head = Text.assemble((run_id, "bold"), " since ", (found.prev_run_id, "bold"), f": {found.summary}")
    said = [*(f"because {reason}" for reason in found.reasons), *notes]
    said += [f"may differ: {name} {before} -> {after}" for name, before, after in allowed_pairs(found)]
    if found.comparable and found.severity:
        said.append(f"severity {found.severity.value}: {found.severity_reason}")
    lines = [Text(f"  {line}") for line in said]
    return Group(head, *lines, Text(), *_metrics(found), Text(), _keys(found))


def _metrics(found: "Diff") -> Iterator[Table | Text]:
    """The numbers that moved; and what differs among the metrics besides, which is compared as no number is.

    What the record holds of baselines comes after what it holds of the model.
    """
    from seedbed.records.compare import beside_numbers

    yield _numbers(found.metric_deltas)
    if others := sorted(beside_numbers(found), key=_is_of_baseline):
        more = f" and {len(others) - _SHOWN_KEYS} more" if len(others) > _SHOWN_KEYS else ""
        yield Text(f"not compared, since no single number in both runs: {', '.join(others[:_SHOWN_KEYS])}{more}")


def _numbers(deltas: "Mapping[str, MetricDelta]") -> Table | Text:
    from seedbed.records.compare import is_part_of_interval

    shown = {name: delta for name, delta in deltas.items() if not is_part_of_interval(name, deltas)}
    moved = {name: delta for name, delta in shown.items() if delta.absolute != 0}
    if not moved:
        return Text(f"none of {len(shown)} numbers differs" if shown else "no metric is a number in both runs")
    numeric = ("before", "after", "change", "%")
    table = plain_table("metric", *numeric, "against the replicates", numeric=numeric)
    for name, delta in sorted(moved.items(), key=lambda item: _is_of_baseline(item[0])):
        change = "" if delta.absolute is None else f"{delta.absolute:+.3g}"
        percent = "" if delta.percent is None else difference(delta.percent, 2)
        noise = delta.noise if delta.z is None else f"{delta.noise}, z = {difference(delta.z, 1)}"
        table.add_row(name, figure(delta.previous), figure(delta.current), change, percent, noise)
    return table


def _is_of_baseline(metric: str) -> bool:
    return metric.startswith("/baselines/")


def _keys(found: "Diff") -> Text:
    if not found.num_changes:
        return Text("no key differs")
    num_more = found.num_changes - _SHOWN_KEYS
    more = f" and {num_more:,} more (--json lists all)" if num_more > 0 else ""
    count = "1 key differs" if found.num_changes == 1 else f"{found.num_changes:,} keys differ"
    return Text(f"{count}: {', '.join(found.changed_keys[:_SHOWN_KEYS])}{more}")
