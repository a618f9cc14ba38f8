"""Plans the MLflow run for a commit: pure functions; `_mlflow_writing` writes it."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from posixpath import normpath

from seedbed.integrations._mlflow import DIGEST_TAG, SERIES_TAG
from seedbed.integrations._outside import last_values
from seedbed.integrations._spelling import flattened, to_text
from seedbed.records import Commit, Event, Json, Snapshot
from seedbed.records.canonical._numbers import read_number, spelled

__all__ = ["MLflowRun", "fits", "params_of", "planned"]

# Names that MLflow accepts: these characters, this length, and no path that is not normal.
_NAME = re.compile(r"[\w.\- :/]{1,250}", re.ASCII)
_LONGEST_PARAM, _LONGEST_TAG = 6000, 5000
_OWN = ("seedbed.", "mlflow.runName")


@dataclass(frozen=True)
class MLflowRun:
    """A run to be written: MLflow accepts all its texts and names. `points` are name, value and step."""

    name: str
    moment_ms: int
    params: Mapping[str, str]
    points: Sequence[tuple[str, float, int]]
    tags: Mapping[str, str]


def planned(commit: Commit, events: Sequence[Event]) -> MLflowRun:
    """The MLflow run for `commit`. Results are points at step 0; names that MLflow refuses are listed in a tag."""
    snapshot = commit.snapshot
    steps = [(event.step, event.values) for event in events]
    results = _numbers(snapshot)
    # MLflow has one last value for each metric, so a result that differs from its series gets another name.
    last = last_values(steps)
    series: dict[str, Json] = {name: _same(results.get(name), value) for name, value in sorted(last.items())}
    apart = {name: value for name, value in results.items() if not _same(last.get(name), value)}
    finals = {f"final.{name}" if name in last else name: value for name, value in apart.items()}
    points = [(name, value, 0) for name, value in finals.items()]
    points += [(name, value, step) for step, values in steps for name, value in values.items()]
    params, refused = params_of(snapshot.config)
    tags = _tags_of(snapshot)
    left_out = {
        "params": refused,
        "metrics": sorted({name for name, _, _ in points if not fits(name)} | _non_numbers(snapshot, results)),
        "tags": [name for name in tags if not fits(name, tags[name], _LONGEST_TAG)],
    }
    return MLflowRun(
        name=snapshot.run_id,
        moment_ms=int(snapshot.timestamp.timestamp() * 1000),
        params=params,
        points=[point for point in points if fits(point[0])],
        tags={**_without(tags, left_out["tags"]), **_own_tags(commit), **_list_tags(series, left_out)},
    )


def params_of(config: Mapping[str, Json]) -> tuple[dict[str, str], list[str]]:
    """The settings as MLflow's params, under dotted names, and the names of those that MLflow refuses."""
    texts = {name: to_text(value) for name, value in flattened(config).items()}
    refused = [name for name in texts if not fits(name, texts[name], _LONGEST_PARAM)]
    return _without(texts, refused), refused


def fits(name: str, text: str = "", longest: int = 0) -> bool:
    """Whether MLflow accepts the name, and a text of that length."""
    is_path = normpath(name) == name and not name.startswith(("/", ".."))
    return bool(_NAME.fullmatch(name)) and is_path and len(text) <= longest


def _same(one: float | None, other: float) -> bool:
    """Whether both are the same number; NaN is the same as NaN."""
    return one is not None and spelled(one) == spelled(other)


def _numbers(snapshot: Snapshot) -> dict[str, float]:
    leaves = flattened(snapshot.metrics).items()
    return {name: number for name, value in leaves if (number := read_number(value)) is not None}


def _non_numbers(snapshot: Snapshot, numbers: Collection[str]) -> set[str]:
    return flattened(snapshot.metrics).keys() - set(numbers)


def _tags_of(snapshot: Snapshot) -> dict[str, str]:
    tags = snapshot.documents.get("tags")
    kept = flattened(tags) if isinstance(tags, dict) else {}
    return {name: to_text(value) for name, value in kept.items() if not name.startswith(_OWN)}


def _own_tags(commit: Commit) -> dict[str, str]:
    snapshot, diff = commit.snapshot, commit.snapshot.diff_prev
    found: dict[str, Json] = {
        "seedbed.project": snapshot.project,
        "seedbed.run_id": snapshot.run_id,
        "seedbed.stage": snapshot.stage.value,
        "seedbed.attempt": snapshot.attempt_id,
        "seedbed.seq": commit.seq,
        DIGEST_TAG: commit.digest,
        "seedbed.comparable": diff.comparable,
        "seedbed.prev_run_id": diff.prev_run_id,
        "seedbed.severity": None if diff.severity is None else diff.severity.value,
    }
    return {name: value if isinstance(value, str) else to_text(value) for name, value in found.items()}


def _list_tags(series: Mapping[str, Json], left_out: Mapping[str, list[str]]) -> dict[str, str]:
    named: dict[str, Json] = {kind: [*names] for kind, names in left_out.items() if names}
    counted: dict[str, Json] = {kind: len(names) for kind, names in left_out.items() if names}
    left_out_text = to_text(named) if len(to_text(named)) <= _LONGEST_TAG else to_text(counted)
    return {SERIES_TAG: to_text(dict(series)), **({"seedbed.left_out": left_out_text} if named else {})}


def _without(texts: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if name not in names}
