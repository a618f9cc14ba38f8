"""The training run's own table of rules."""

from seedbed.soak.training._settings import CLIP_NORM, LEARNING_RATE, WEIGHT_DECAY
from seedbed.soak.tuners._rules import Adjustment, Condition, Rule

__all__ = ["training_rules"]


def training_rules() -> tuple[Rule, ...]:
    """How far a step may move the weights, and what to do when validation gains no more; the first to name a key wins.

    A step that moves the weights by a thousandth of their norm is neither lost time nor noise. So a rate that is wrong
    by orders of magnitude is put right within the first epochs, whatever it was; from then on it only falls, by a part
    each time validation stalls. The thresholds were found on this plant's own runs, on seeds that the benchmark does
    not use: the table knows its model and data, and says little of another.
    """
    return (
        Rule(
            when=(Condition(kpi="diverged_mean", above=0.5),),
            then=(Adjustment(key=LEARNING_RATE, scale=0.1, floor=1e-4),),
            reason="a step's loss was no number, and its iteration was undone",
        ),
        Rule(
            when=(Condition(kpi="update_ratio_mean", above=3e-3),),
            then=(Adjustment(key=LEARNING_RATE, scale=0.35, floor=1e-3),),
            reason="a step moves the weights too far",
        ),
        Rule(
            when=(Condition(kpi="update_ratio_mean", below=6e-4), Condition(kpi="epochs_mean", below=2.5)),
            then=(Adjustment(key=LEARNING_RATE, scale=4.0, cap=6e-3),),
            reason="a step hardly moves the weights, and the run is young",
        ),
        Rule(
            when=(Condition(kpi="iterations_since_best_mean", above=1.5), Condition(kpi="epochs_mean", above=3.0)),
            then=(Adjustment(key=LEARNING_RATE, scale=0.7, floor=3e-4),),
            reason="validation has not gained for two iterations",
        ),
        Rule(
            when=(Condition(kpi="iterations_since_best_mean", above=1.5), Condition(kpi="train_loss_mean", below=0.5)),
            then=(Adjustment(key=WEIGHT_DECAY, add=1e-4, cap=1e-4),),
            reason="the loss is low, and validation has not gained for two iterations",
        ),
        Rule(
            when=(Condition(kpi="gradient_norm_p95", above=300.0),),
            then=(Adjustment(key=CLIP_NORM, scale=0.25, floor=60.0),),
            reason="some gradients are far above the others",
        ),
    )
