"""Whether tuning a TGAT run while it trains beats leaving its rate alone, or torch's own way of cutting it.

    python soak_training.py [--seeds 5] [--iterations 30] [--starts 1e-4,5e-3,5e-2] [--json]

For each initial learning rate and each seed there are four arms, with the same number of steps, events and random
numbers. `fixed` keeps the rate. `plateau` is torch's ReduceLROnPlateau (factor 0.5, patience 2), which gets the same
validation AP after every iteration; `plateau soft` is the same with the factor and patience of the tuner's own rule
(0.7, 1). `tuned` is a whole soak without a control arm: table of rules, guards, journal, settings file, verification of
every change. The results are the final validation AP, the mean of the last third of iterations, and the differences
tuned - other with a 95 % interval (Student's t of the differences paired by seed). `best fixed` is the fixed rate that
was best over these same seeds, which nobody knows beforehand.

The tuner uses the validation events, so the AP on them shows how well a run was tuned, not how well its model will do
on later events.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student
from torch.optim.lr_scheduler import ReduceLROnPlateau

from seedbed.contracts import Outcome
from seedbed.soak import (
    Assembly,
    PlantKind,
    RuleTuner,
    Soak,
    SoakFolder,
    SoakPlan,
    SoakProgress,
    TunerKind,
    assemble,
    kpis,
)
from seedbed.soak.training._plant import TRAINING_KPIS, TrainingPlant
from seedbed.soak.training._rules import training_rules
from seedbed.soak.training._settings import LEARNING_RATE, training_config
from seedbed.stages import LinkDataset, prepare
from seedbed.temporal import load_flights

FIRST_SEED = 9001  # the rules were made on seeds 101 to 105
AP = "validation_ap_mean"

Floats = NDArray[np.float64]


@cache
def data() -> LinkDataset:
    config = training_config(0)
    return prepare(load_flights(config.data.limit), config.data, config.model)


def plant(seed: int, rate: float) -> TrainingPlant:
    return TrainingPlant(training_config(seed, rate), data)


def fixed(seed: int, rate: float, iterations: int) -> list[float]:
    each = plant(seed, rate)
    return [kpis(each.measure(iteration))[AP] for iteration in range(1, iterations + 1)]


def plateau(factor: float, patience: int) -> Callable[[int, float, int], list[float]]:
    def run(seed: int, rate: float, iterations: int) -> list[float]:
        each, found = plant(seed, rate), []
        stand_in = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
        scheduler = ReduceLROnPlateau(stand_in, "max", factor, patience, threshold=0.002, threshold_mode="abs")
        for iteration in range(1, iterations + 1):
            found.append(kpis(each.measure(iteration))[AP])
            scheduler.step(found[-1])
            each.take({**each.initial, LEARNING_RATE: float(stand_in.param_groups[0]["lr"])})
        return found

    return run


class Watcher:
    """Keeps the validation AP of every iteration."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def iterated(self, progress: SoakProgress) -> None:
        """Keep its AP."""
        self.found.append(progress.decided.decision.observation.kpis[AP])

    def noted(self, text: str) -> None:
        """Do nothing."""


def tuned(seed: int, rate: float, iterations: int) -> list[float]:
    def parts(plan: SoakPlan) -> Assembly:
        real = assemble(plan)
        tuner = RuleTuner(training_rules(), real.registry, TRAINING_KPIS)
        return Assembly(lambda: plant(seed, rate), real.registry, real.profile, real.limits, tuner)

    asked = SoakPlan(
        soak_id="bench",
        plant=PlantKind.TRAINING,
        seed=seed,
        iterations=iterations,
        tuner=TunerKind.RULES,
        control=False,
    )
    watcher = Watcher()
    with tempfile.TemporaryDirectory() as root:
        soak = Soak(SoakFolder.create(Path(root), asked), parts(asked), watcher)
        soak.run(lambda: False, lambda: False)
        outcomes = soak.engine.history.counts()
        soak.close()
    if outcomes[Outcome.FAILED] or outcomes[Outcome.UNKNOWN]:
        sys.exit(f"seed {seed}: changes failed or unknown: {outcomes}")
    return watcher.found


ARMS: Mapping[str, Callable[[int, float, int], list[float]]] = {
    "fixed": fixed,
    "plateau": plateau(0.5, 2),
    "plateau soft": plateau(0.7, 1),
    "tuned": tuned,
}


def paired(differences: Floats) -> tuple[float, float, float]:
    """Mean and 95 % interval of differences, one a seed."""
    n = len(differences)
    reach = float(student.ppf(0.975, n - 1) * differences.std(ddof=1) / n**0.5) if n > 1 else float("inf")
    mean = float(differences.mean())
    return mean, mean - reach, mean + reach


def measure(starts: Sequence[float], seeds: Sequence[int], iterations: int) -> dict[tuple[float, str], Floats]:
    """AP by seed and iteration, for each start and arm."""
    found: dict[tuple[float, str], Floats] = {}
    for rate in starts:
        for name, arm in ARMS.items():
            started = time.process_time()
            found[rate, name] = np.array([arm(seed, rate, iterations) for seed in seeds])
            ap = found[rate, name][:, -1].mean()
            spent = time.process_time() - started
            print(f"{name} from {rate:g}: final AP {ap:.4f}, {spent:.0f} CPU s", file=sys.stderr, flush=True)
    return found


def report(found: Mapping[tuple[float, str], Floats]) -> list[dict[str, object]]:
    """A row for each start and each arm that the tuned run is compared with."""
    third = slice(2 * next(iter(found.values())).shape[1] // 3, None)
    best = max((key for key in found if key[1] == "fixed"), key=lambda key: float(found[key][:, -1].mean()))
    rows: list[dict[str, object]] = []
    for rate in dict.fromkeys(start for start, _ in found):
        ours = found[rate, "tuned"]
        others = {name: found[rate, name] for name in ARMS if name != "tuned"}
        for name, other in {**others, f"best fixed, {best[0]:g}": found[best]}.items():
            rows.append(
                {
                    "start": rate,
                    "against": name,
                    "tuned_final": float(ours[:, -1].mean()),
                    "other_final": float(other[:, -1].mean()),
                    "final": paired(ours[:, -1] - other[:, -1]),
                    "last_third": paired(ours[:, third].mean(axis=1) - other[:, third].mean(axis=1)),
                    "seeds_won": int((ours[:, -1] > other[:, -1]).sum()),
                    "seeds": len(ours),
                }
            )
    return rows


def table(rows: Sequence[Mapping[str, object]]) -> str:
    lines = [f"{'start':>7} {'against':18} {'AP':>7} {'tuned':>7} {'final AP':>26} {'last third':>26} {'won':>5}"]
    for row in rows:
        final, third = (
            "{:+.4f} ({:+.4f} .. {:+.4f})".format(*row[part])  # type: ignore[misc]
            for part in ("final", "last_third")
        )
        won = f"{row['seeds_won']}/{row['seeds']}"
        ap, ours = row["other_final"], row["tuned_final"]
        lines.append(f"{row['start']:7g} {row['against']:18} {ap:7.4f} {ours:7.4f} {final:>26} {third:>26} {won:>5}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--starts", default="1e-4,5e-3,5e-2")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    starts = [float(each) for each in asked.starts.split(",")]
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    rows = report(measure(starts, seeds, asked.iterations))
    print(json.dumps(rows, indent=2) if asked.json else table(rows))


if __name__ == "__main__":
    main()
