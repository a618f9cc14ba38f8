"""How TGAT and the baselines do on streams of real events, each answering the same questions.

    python scripts/make_streams.py packages --out streams
    python benchmarks/streams.py streams [--seeds 3] [--only hospital] [--json]

Each stream is trained with the defaults of `seedbed train`, once for each seed; contacts are declared undirected. A
cell is the average precision and the mean reciprocal rank against random negatives, as means over the seeds; the
model's average precision also stands with its standard deviation between seeds, and split into events whose two ends
were met before and others. The runs are kept in the folder's store, so that the command goes on where it was stopped.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from seedbed.errors import NotFound
from seedbed.records import Store

CONTACTS = ("primary_school", "high_school", "hospital")
progress = Console(stderr=True, highlight=False)

Metrics = dict[str, Any]


def main() -> None:
    """Train on every stream in the folder and print one table."""
    parser = argparse.ArgumentParser(description="Train TGAT on streams of real events, beside the baselines.")
    parser.add_argument("folder", type=Path, help="the folder that scripts/make_streams.py wrote")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="a word in the names of the streams")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.folder.glob("*.csv") if arguments.only in path.stem)
    if not paths:
        raise SystemExit(f"{arguments.folder}: no such stream in it; scripts/make_streams.py makes them")
    found: dict[str, list[Metrics]] = {path.stem: [] for path in paths}
    for seed in range(arguments.seeds):
        for path in paths:
            found[path.stem].append(trained(path, seed, arguments.threads))
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)


def trained(path: Path, seed: int, threads: int) -> Metrics:
    """The metrics of the run on this stream with this seed, which is trained unless it is in the store already."""
    store = path.parent / ".seedbed"
    name = f"{path.stem}-{seed}"
    if name not in _finished(store):
        progress.print(f"training on {path.stem}, seed {seed}")
        config = path.with_name(f"{name}.yaml")
        columns = {"undirected": True} if path.stem in CONTACTS else {"bipartite": True}
        config.write_text(yaml.safe_dump({"project": name, "data": {"columns": columns}}), encoding="utf-8")
        command = [sys.executable, "-m", "seedbed", "train", str(path), "--config", str(config), "--mode", "compat"]
        options = ["--seed", str(seed), "--threads", str(threads), "--store", str(store), "--json", "--no-open"]
        subprocess.run([*command, *options], stdout=subprocess.DEVNULL, check=False)  # a failed gate is no failure here
    return _finished(store)[name]


def _finished(store: Path) -> dict[str, Metrics]:
    """The metrics of every finished run, by its project, which is the stream and the seed."""
    try:
        opened = Store.open(str(store))
    except NotFound:
        return {}
    views = [view for view in opened.runs() if view.commit is not None]
    return {view.commit.snapshot.project: dict(view.commit.snapshot.metrics) for view in views if view.commit}


def show(found: dict[str, list[Metrics]]) -> None:
    """Print the table, and below it of how many streams the model is above a baseline with every seed."""
    names = list(dict.fromkeys(name for runs in found.values() for run in runs for name in run["baselines"]))
    table = Table("stream", "model", "+-", "seen", "new", *(name.replace("_", " ") for name in names))
    for stream, runs in found.items():
        split = (_mean([run["by_novelty"][part]["model"]["random"]["ap"] for run in runs]) for part in ("seen", "new"))
        others = (
            _cell([run["baselines"][name]["random"] for run in runs if name in run["baselines"]]) for name in names
        )
        scores = [run["test"]["random"] for run in runs]
        spread = f"{stdev(_value(each['ap']) for each in scores):.3f}" if len(scores) > 1 else ""
        table.add_row(stream, _cell(scores), spread, *split, *others)
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    console.print(table)
    for name in ("pair_counter", "pair_recency", "boosting"):
        above = [stream for stream, runs in found.items() if all(_is_above(run, name) for run in runs)]
        console.print(
            f"above {name.replace('_', ' ')} with every seed on {len(above)} of {len(found)}: {', '.join(above)}"
        )


def _is_above(run: Metrics, name: str) -> bool:
    other = run["baselines"].get(name)
    return other is not None and _value(run["test"]["random"]["ap"]) > other["random"]["ap"]


def _cell(scores: list[Metrics]) -> str:
    return f"{_mean([each['ap'] for each in scores])}/{_mean([each['mrr'] for each in scores])}"


def _mean(found: list[Any]) -> str:
    values = [_value(each) for each in found if each is not None]
    return f"{fmean(values):.3f}" if values else "-"


def _value(found: Any) -> float:
    """A metric's value, with or without an interval around it."""
    return float(found["value"] if isinstance(found, dict) else found)


if __name__ == "__main__":
    main()
