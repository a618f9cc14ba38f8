"""Measures TGAT: the cost of training and evaluation, where the time goes, the cost of the witness, and TGM beside it.

    python benchmarks/tgat.py [--json] [--quick] [--peer-env DIR | --no-peer]

Every measurement runs in its own process, so that it does not share peak memory, threads or heap. Ours and TGM's take
turns (A B A B) on the same 200-event batches of the shipped flights, at the same sizes, threads and heap settings. A
ratio is the median over turns of TGM's CPU seconds per training batch divided by ours, compiled. CPU seconds count
every thread, so they are valid also on a machine that does other work; wall times and events/s are not. Shares of time
are those of the eager step, in which every operator is visible; the machine's matmul rate is the best one of all turns.

TGM is installed from PyPI into its own environment, made once in --peer-env. `ratio_tgm_10_default_heap` leaves glibc's
heap as TGM's users have it. `ratio_tgm_10_node_width_1` gives TGM the node width 1, as its example does for data
without node features, against our learnt embeddings of 172. That is a far smaller model and shows the scale only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, final

from rich.console import Console
from rich.table import Table

from seedbed._before_torch import prepare_environment

HERE = Path(__file__).resolve().parent
NEIGHBOURS = (10, 20)
BARS = {"ratio_tgm_10": 3.0, "ratio_tgm_20": 6.0}
WITNESS_BAR = 0.02
SHOWN = {
    "cpu_seconds_per_batch": ("training, CPU s / batch", "{:.3f}"),
    "wall_seconds_per_batch": ("training, wall s / batch", "{:.3f}"),
    "events_per_second": ("training, events / s", "{:,.0f}"),
    "eval_ap_events_per_second": ("evaluation (AP, 1 negative), events / s", "{:,.0f}"),
    "eval_mrr_events_per_second": ("evaluation (MRR, 20 negatives), events / s", "{:,.0f}"),
    "peak_memory_bytes": ("peak memory, bytes", "{:,.0f}"),
}

Found = dict[str, Any]
progress = Console(stderr=True, highlight=False)


@final
@dataclass(frozen=True)
class Plan:
    """How much is measured: turns of ours and TGM's, batches in each, pairs of blocks for the witness."""

    turns: int
    batches: int
    warmup: int
    pairs: int
    extras: bool


FULL = Plan(turns=3, batches=10, warmup=4, pairs=12, extras=True)
QUICK = Plan(turns=1, batches=5, warmup=3, pairs=2, extras=False)


@final
class Bench:
    """Runs the measurements, each in its own process, and collects their results."""

    def __init__(self, plan: Plan, threads: int, peer: Path | None, folder: Path) -> None:
        self._plan, self._threads, self._peer = plan, threads, peer
        self._events = folder / "events.npz"
        self._heap: dict[str, str] = {}

    def run(self) -> Found:
        """Everything that the plan asks for, as one JSON object."""
        if self._peer:
            host = self._ours("export", to=self._events)["host"]
            self._heap = {f"MALLOC_{name[2:]}_": str(size) for name, size in host.items() if name.startswith("M_")}
        turns = {k: [self._turn(k, turn + 1) for turn in range(self._plan.turns)] for k in NEIGHBOURS}
        ours = [
            side for taken in turns.values() for turn in taken for side in (turn["ours_compiled"], turn["ours_eager"])
        ]
        best = {name: max(side["matmul_gflops"][name] for side in ours) for name in ours[0]["matmul_gflops"]}
        found: Found = {"threads": self._threads, "quick": self._plan is QUICK, "matmul_gflops": best}
        for k, taken in turns.items():
            found |= _summary(k, taken, best)
        if self._peer and self._plan.extras:
            found |= self._extras(found["k_10"]["ours_compiled"]["cpu_seconds_per_batch"])
        found["witness"] = self._ours("witness", pairs=self._plan.pairs)
        return found | {"bars": _bars(found)}

    def _turn(self, k: int, turn: int) -> Found:
        progress.print(f"k={k}: turn {turn} of {self._plan.turns}")
        taken = {"ours_compiled": self._cost(k), "ours_eager": self._cost(k, "--eager")}
        return taken | ({"tgm": self._tgm(k)} if self._peer else {})

    def _extras(self, ours: float) -> Found:
        default_heap, narrow = self._tgm(10, heap=False), self._tgm(10, node_width=1)
        return {
            "tgm_10_default_heap": default_heap,
            "tgm_10_node_width_1": narrow,
            "ratio_tgm_10_default_heap": default_heap["cpu_seconds_per_batch"] / ours,
            "ratio_tgm_10_node_width_1": narrow["cpu_seconds_per_batch"] / ours,
        }

    def _cost(self, k: int, *flags: str) -> Found:
        return self._ours("cost", *flags, k=k, batches=self._plan.batches, warmup=self._plan.warmup)

    def _ours(self, command: str, *flags: str, **options: object) -> Found:
        progress.print(f"  ours: {command} {' '.join(flags)} {options or ''}")
        arguments = [command, *flags, *_flags(options | {"threads": self._threads})]
        return _json_of([sys.executable, str(HERE / "measure_tgat.py"), *arguments], {})

    def _tgm(self, k: int, node_width: int = 172, *, heap: bool = True) -> Found:
        options = {"k": k, "node-width": node_width, "batches": self._plan.batches, "warmup": self._plan.warmup}
        progress.print(f"  TGM: {options}{'' if heap else ', heap as glibc has it'}")
        arguments = _flags(options | {"events": self._events, "threads": self._threads})
        command = [str(self._peer), str(HERE / "peers" / "tgm.py"), *arguments]
        found = _json_of(command, self._heap if heap else {})
        # It evaluates by the AP protocol only, which its names do not say.
        return {name.replace("eval_", "eval_ap_", 1): value for name, value in found.items()}


def _flags(options: Mapping[str, object]) -> list[str]:
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


def _json_of(command: list[str], environment: Mapping[str, str]) -> Found:
    """The JSON that a measurement printed; if it failed, ends the benchmark with the end of its error output."""
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def _summary(k: int, turns: list[Found], best: Mapping[str, float]) -> Found:
    """Medians over the turns, the ratios of TGM to ours, and the share of the machine's best matmul rate."""
    kept = _medians(turns)
    compiled, eager = kept["ours_compiled"], kept["ours_eager"]
    gflops = eager["matmul_flops_per_batch"] * 1e-9
    within = gflops / eager["matmul_seconds_per_batch"]
    kept["share_of_matmul_rate"] = {
        "whole_step": gflops / compiled["wall_seconds_per_batch"] / best["square"],
        "within_products": within / best["square"],
        "within_products_of_tall_thin": within / best["tall_thin"],
    }
    found: Found = {f"k_{k}": kept}
    if "tgm" in kept:
        for key, side in ((f"ratio_tgm_{k}", "ours_compiled"), (f"ratio_tgm_{k}_eager", "ours_eager")):
            each = [turn["tgm"]["cpu_seconds_per_batch"] / turn[side]["cpu_seconds_per_batch"] for turn in turns]
            found |= {key: median(each), f"{key}_turns": each}
    return found


def _medians(turns: list[Found]) -> Found:
    """The median of every number that all turns have, also within objects; other values are those of the first turn."""
    result: Found = {}
    for name, first in turns[0].items():
        values = [turn[name] for turn in turns if name in turn]
        if len(values) < len(turns):
            continue  # a kernel that was among the slowest in some turns only
        if isinstance(first, dict):
            result[name] = _medians(values)
        else:
            result[name] = median(values) if type(first) in (int, float) else first
    return result


def _bars(found: Found) -> Found:
    """Each bar that was measured: its value, the bar, and whether it is met; None if the interval contains the bar."""
    bars: Found = {
        name: {"value": found[name], "at_least": bar, "met": found[name] >= bar}
        for name, bar in BARS.items()
        if name in found
    }
    (low, high), share = found["witness"]["cpu_interval_95"], found["witness"]["cpu_share"]
    met = None if low < WITNESS_BAR <= high else high < WITNESS_BAR
    bars["witness_cpu_share"] = {"value": share, "below": WITNESS_BAR, "met": met}
    return bars


def peer_python(folder: Path) -> Path:
    """The interpreter of TGM's environment, made in `folder` if missing; ends the benchmark if that fails."""
    python = folder / "bin" / "python"
    if (
        python.exists()
        and not subprocess.run([python, "-c", "import tgm"], capture_output=True, check=False).returncode
    ):
        return python
    progress.print(f"TGM: making its environment in {folder} (once)")
    venv.create(folder, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "-r", str(HERE / "peers" / "requirements-tgm.txt")]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"TGM cannot be installed into {folder}: see pip's message above, or pass --no-peer")
    return python


def show(found: Found) -> None:
    """Print the results as tables."""
    console = Console()
    for k in NEIGHBOURS:
        kept = found[f"k_{k}"]
        sides = {name: kept[name] for name in ("ours_compiled", "ours_eager", "tgm") if name in kept}
        table = Table("", *(name.replace("_", ", ") for name in sides), title=f"[{k}, {k}] neighbours")
        for key, (label, form) in SHOWN.items():
            cells = [form.format(side[key]) if key in side else "" for side in sides.values()]
            table.add_row(label, *cells)
        for part, share in kept["ours_eager"]["share_of_time"].items():
            table.add_row(f"share of time: {part}", "", f"{share:.1%}", *([""] if "tgm" in sides else []))
        console.print(table)
        for name, share in kept["share_of_matmul_rate"].items():
            console.print(f"share of the measured matmul rate, {name.replace('_', ' ')}: {share:.0%}")
    rates, witness = found["matmul_gflops"], found["witness"]
    console.print(f"float32 matmul: {rates['square']:.0f} GFLOP/s square, {rates['tall_thin']:.0f} tall and thin")
    low, high = witness["cpu_interval_95"]
    console.print(
        f"witness: {witness['cpu_share']:+.2%} of CPU time (95 % interval {low:+.2%} to {high:+.2%}), "
        f"{witness['wall_share']:+.2%} of wall time; {witness['pairs']} pairs of {witness['steps_per_block']} steps, "
        f"{witness['steps_sampled']} steps sampled"
    )
    for name, value in found.items():
        if name.startswith("ratio_") and not name.endswith("_turns"):
            bar = f" (bar {BARS[name]:g})" if name in BARS else ""
            console.print(f"{name}: {value:.2f}{bar}")
    for name, bar in found["bars"].items():
        if not bar["met"]:
            verdict = "missed" if bar["met"] is False else "inconclusive"
            console.print(f"[bold]{verdict}:[/bold] {name} {bar}")


def main() -> None:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser = argparse.ArgumentParser(description="Measure TGAT, and TGM beside it.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--quick", action="store_true", help="one turn, few batches, no extra ratios")
    parser.add_argument("--threads", type=int, default=2)
    peer = parser.add_mutually_exclusive_group()
    peer.add_argument("--peer-env", type=Path, default=cache / "seedbed" / "tgm", help="TGM's environment")
    peer.add_argument("--no-peer", action="store_true", help="leave TGM out")
    options = parser.parse_args()
    prepare_environment()  # inherited by every measurement
    python = None if options.no_peer else peer_python(options.peer_env)
    with tempfile.TemporaryDirectory() as folder:
        found = Bench(QUICK if options.quick else FULL, options.threads, python, Path(folder)).run()
    if options.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
