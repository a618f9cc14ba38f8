"""How much of what the simulated market allows each tuner reaches, on markets that no tuner was made on.

    python soak_market.py [--seeds 20] [--iterations 96] [--tuners rules,model] [--json]

For each held-out seed there are three arms with the same random numbers: control (the initial settings, never moved),
the tuner (its deltas through the guards, under the limits of the live tuner settings; no files, no faults), and the
optimum of the present regime, which no tuner can know: it changes with the regime at once. The result is the share of
the gap between control and optimum that the tuner closed, by mean `edge_bps_per_hour` over all iterations and over the
last third, pooled over seeds, with a 95 % bootstrap interval over seeds. 0 is control, 1 the optimum.

The market is a toy; nothing here says anything about profit in a real one. The table of rules was made with knowledge
of this market's optima (on other seeds); the model knows only the names and ranges of its settings.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedbed.change import GUARDS, Decision, Move, ProposedChange, judge_proposal
from seedbed.soak import MarketPlant, Objective, Observation, RuleTuner, Tuner, kpis, market_registry, market_rules
from seedbed.soak.market import MARKET_INITIAL, MARKET_KPIS, REGIMES, TUNER_SUBSYSTEM, limited, optimum, regime_at
from seedbed.soak.tuners._model import ModelTuner

FIRST_SEED = 9001  # tuners were made on seeds 1001 to 1032
EDGE = "edge_bps_per_hour_mean"
NUM_RESAMPLES = 4000

Floats = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True)
class Arms:
    """Mean edge by iteration of the two arms that every tuner is compared with, and the KPIs of the first."""

    control: Floats
    best: Floats
    seen: Sequence[Mapping[str, float]]


def rules(seed: int) -> Tuner:  # noqa: ARG001  every tuner is made for a seed
    return RuleTuner(market_rules(), market_registry(), MARKET_KPIS)


def model(seed: int) -> Tuner:
    keys = [p.key for p in market_registry() if p.subsystem != TUNER_SUBSYSTEM]
    return ModelTuner(market_registry(), keys, Objective(), seed)


TUNERS: Mapping[str, Callable[[int], Tuner]] = {"rules": rules, "model": model}


def arms(seed: int, iterations: int, optima: Mapping[str, Mapping[str, float]]) -> Arms:
    control, follower, seen, best = MarketPlant(seed), MarketPlant(seed), [], []
    for iteration in range(1, iterations + 1):
        seen.append(kpis(control.measure(iteration)))
        follower.take(optima[regime_at(seed, iteration).name])
        best.append(kpis(follower.measure(iteration))[EDGE])
    return Arms(np.array([each[EDGE] for each in seen]), np.array(best), seen)


def tuned(tuner: Tuner, seed: int, beside: Arms) -> tuple[Floats, int]:
    """Mean edge by iteration, and how many changes took effect."""
    plant = MarketPlant(seed)
    values, history = dict(plant.initial), list[Observation]()
    earlier: dict[str, tuple[Move, ...]] = {}
    for iteration, control in enumerate(beside.seen, start=1):
        measured = plant.measure(iteration)
        history.append(Observation(iteration, measured.used, kpis(measured), control))
        limits, before = limited(plant.registry, values), dict(values)
        for delta in tuner.propose(history):
            key = delta.parameter
            move = Move(iteration, before[key], delta.resolve(before[key]))
            ruling = judge_proposal(GUARDS, ProposedChange(limits[key], move, earlier.get(key, ())))
            if ruling.decision is not Decision.DENY:
                values[key] = ruling.after
                earlier[key] = (*earlier.get(key, ()), Move(iteration, before[key], ruling.after))
        plant.take(values)
    return np.array([seen.kpis[EDGE] for seen in history]), sum(map(len, earlier.values()))


def share(of: Floats, beside: Sequence[Arms], part: slice) -> tuple[float, tuple[float, float]]:
    """The share of the gap closed, pooled over seeds, and its bootstrap interval; `of` has a row for each seed."""
    control = np.array([each.control[part].mean() for each in beside])
    gained, gap = of[:, part].mean(axis=1) - control, np.array([each.best[part].mean() for each in beside]) - control
    pick = np.random.default_rng(0).integers(len(gap), size=(NUM_RESAMPLES, len(gap)))
    resampled = gained[pick].sum(axis=1) / gap[pick].sum(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(gained.sum() / gap.sum()), (float(low), float(high))


def measure(name: str, seeds: Sequence[int], beside: Sequence[Arms]) -> Row:
    started, edges, changes = time.process_time(), [], []
    for seed, each in zip(seeds, beside, strict=True):
        edge, effective = tuned(TUNERS[name](seed), seed, each)
        edges.append(edge)
        changes.append(effective)
        print(f"{name}: seed {seed}", file=sys.stderr)
    of, third = np.array(edges), slice(2 * len(edges[0]) // 3, None)
    control = np.array([each.control for each in beside])
    (whole, whole_interval), (last, last_interval) = share(of, beside, slice(None)), share(of, beside, third)
    return {
        "tuner": name,
        "edge_bps_per_hour": float(of.mean()),
        "share_all": whole,
        "share_all_interval": whole_interval,
        "share_last_third": last,
        "share_last_third_interval": last_interval,
        "seeds_above_control": int((of.mean(axis=1) > control.mean(axis=1)).sum()),
        "changes_in_effect": float(np.mean(changes)),
        "cpu_seconds": time.process_time() - started,
    }


def table(rows: Sequence[Row], beside: Sequence[Arms]) -> str:
    control, best = (np.mean([getattr(each, arm) for each in beside]) for arm in ("control", "best"))
    lines = [
        f"{len(beside)} seeds, {len(beside[0].control)} iterations; edge {control:.2f} control, {best:.2f} optimum",
        f"{'tuner':8} {'edge':>7} {'gap closed, all':>24} {'last third':>24} {'above control':>14} {'changes':>8}",
    ]
    for row in rows:
        shares = [
            f"{row[part]:.2f} ({row[part + '_interval'][0]:.2f} .. {row[part + '_interval'][1]:.2f})"
            for part in ("share_all", "share_last_third")
        ]
        won = f"{row['seeds_above_control']}/{len(beside)}"
        edge, changes = row["edge_bps_per_hour"], row["changes_in_effect"]
        lines.append(f"{row['tuner']:8} {edge:7.2f} {shares[0]:>24} {shares[1]:>24} {won:>14} {changes:8.0f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=96)
    parser.add_argument("--tuners", default=",".join(TUNERS))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + asked.seeds)
    optima = {}
    for regime in REGIMES:
        print(f"optimum of {regime.name}", file=sys.stderr)
        optima[regime.name] = {**MARKET_INITIAL, **optimum(regime)}
    beside = [arms(seed, asked.iterations, optima) for seed in seeds]
    rows = [measure(name, seeds, beside) for name in asked.tuners.split(",")]
    print(json.dumps(rows, indent=2) if asked.json else table(rows, beside))


if __name__ == "__main__":
    main()
