"""A loop without files for tests: a tuner's deltas through the guards to a plant, beside a frozen control."""

import numpy as np

from seedbed.change import GUARDS, Decision, Move, ProposedChange, judge_proposal
from seedbed.soak import Observation, kpis
from seedbed.soak.market import limited


def drive(tuner, plant, control, iterations):
    """The observations, oldest first. The plant then holds the values after the last proposal."""
    values, history = dict(plant.initial), []
    earlier: dict[str, tuple[Move, ...]] = {}
    for iteration in range(1, iterations + 1):
        measured = plant.measure(iteration)
        history.append(Observation(iteration, measured.used, kpis(measured), kpis(control.measure(iteration))))
        limits, before = limited(plant.registry, values), dict(values)
        for delta in tuner.propose(history):
            move = Move(iteration, before[delta.parameter], delta.resolve(before[delta.parameter]))
            past = earlier.get(delta.parameter, ())
            result = judge_proposal(GUARDS, ProposedChange(limits[delta.parameter], move, past))
            if result.decision is not Decision.DENY:
                values[delta.parameter] = result.after
                earlier[delta.parameter] = (*past, Move(iteration, move.before, result.after))
        plant.take(values)
    return history


def edges(history):
    """Mean edge of the tuned arm and of control, by iteration."""
    name = "edge_bps_per_hour_mean"
    return np.array([seen.kpis[name] for seen in history]), np.array([seen.control[name] for seen in history])
