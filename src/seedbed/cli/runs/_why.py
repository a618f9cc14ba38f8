"""`seedbed runs why`: why two runs may not be compared, and what may have moved a metric."""

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, OtherArgument, RunArgument, StoreOption
from seedbed.cli.console._progress_bar import progress_bar
from seedbed.cli.console._render import out, print_json
from seedbed.errors import InvalidInput
from seedbed.render.text._layout import plain_table

if TYPE_CHECKING:
    from seedbed.records import CommitLog, Diff

__all__ = ["why"]

_NAMED = 6


def why(
    run: RunArgument,
    other: OtherArgument = None,
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Such as metrics.test.ap; by default the one that moved most."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Explain why two runs differ: what makes them incomparable, and what may have moved a metric.

    It says for each policy of `runs diff` whether it allows the comparison,
    and if not, why. The most likely cause comes first. The project's own
    history says how likely: in how many of the earlier runs that changed the
    same setting did the metric move by more than noise? Replicates are counted
    as there are now, also those that finished after RUN. Between two of them
    there is only chance, and the seed alone.

    \b
    Examples:
      seedbed runs why latest
      seedbed runs why latest 20260102 --metric metrics.test.random.ap
    """
    from dataclasses import asdict

    from seedbed.cli.runs._policies import each_policy, noise_words, policies_json, swapped
    from seedbed.cli.runs._select import find_finished
    from seedbed.records import Store
    from seedbed.records import why as explain
    from seedbed.records.compare import json_pair

    _, commit = find_finished(store, run)
    earlier = other or commit.snapshot.diff_prev.prev_run_id
    if earlier is None:
        raise InvalidInput(
            f"run {commit.snapshot.run_id} has no predecessor: nothing earlier shares its group; "
            "name the run to compare it with"
        )
    _, before = find_finished(store, earlier)
    opened = Store.open(store)
    log = opened.log(commit.snapshot.project)
    since = opened.log(before.snapshot.project).diff(before, commit)
    pointer = None if metric is None else _pointer(metric, since)
    found = explain(before.snapshot, commit.snapshot, since, _history(log, commit.seq), pointer)
    if as_json:
        names = {"run_id": commit.snapshot.run_id, "other": before.snapshot.run_id}
        print_json({**names, **_json(asdict(found)), "policies": policies_json(found.policies)})
        return
    out().print(f"{commit.snapshot.run_id} since {before.snapshot.run_id}: {found.summary}", soft_wrap=True)
    if found.delta is not None:
        notes = [noise_words(is_recorded=False), *swapped(opened, store, before, commit, since)]
        out().print("\n".join(f"  {note}" for note in notes), soft_wrap=True)
    for line in (*(f"not comparable: {reason}" for reason in found.disqualifying), *each_policy(found.policies)):
        out().print(f"  {line}", soft_wrap=True)
    if not found.causes:
        out().print("no recorded setting, fingerprint, change or kernel differs")
        return
    out().print(_named([cause.words for cause in found.causes]), soft_wrap=True)
    table = plain_table("possible cause", "before", "after", "likelihood", "because", numeric=("likelihood",))
    for cause in found.causes:
        before_after = json_pair(cause.previous, cause.current, cause.op)
        table.add_row(cause.name, *before_after, f"{cause.likelihood:.2f}", cause.evidence)
    out().print(table)


def _named(causes: list[str]) -> str:
    more = f" and {len(causes) - _NAMED} more" if len(causes) > _NAMED else ""
    return f"what differs, the likeliest to matter first: {'; '.join(causes[:_NAMED])}{more}"


def _pointer(metric: str, since: "Diff") -> str:
    """The number that both runs have and `metric` spells; the name of an interval means its value."""
    from seedbed.records.compare import beside_numbers, is_part_of_interval
    from seedbed.records.query import metric_name, require_metric

    deltas = since.metric_deltas
    names = {metric_name(pointer): pointer for pointer in deltas if not is_part_of_interval(pointer, deltas)}
    parts = {metric_name(pointer) for pointer in deltas if is_part_of_interval(pointer, deltas)}
    if (name := metric_name(metric)) in parts:
        interval = name.rpartition(".")[0].removeprefix("metrics.")
        raise InvalidInput(
            f"{metric} is a part of an interval, which is compared by its value: give --metric {interval}"
        )
    names = {name.removesuffix(".value"): pointer for name, pointer in names.items()} | names
    if metric_name(metric) in map(metric_name, beside_numbers(since)):
        raise InvalidInput(f"{metric} is no number in both runs, so it is not compared; of a list, record its mean too")
    return names[require_metric(metric, names, "the pair of runs")]


def _history(log: "CommitLog", seq: int) -> "Iterator[Diff]":
    """What each commit before `seq` changed."""
    with progress_bar("reading the history") as progress:
        for item in takewhile(lambda item: item.seq < seq, log.commits()):
            yield item.snapshot.diff_prev
            progress(item.seq, seq - 1)


def _json(found: dict[str, object]) -> dict[str, object]:
    delta = found["delta"]
    return {**found, "delta": None if delta is None else delta.model_dump(mode="json")}  # type: ignore[attr-defined]
