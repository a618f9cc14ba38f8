"""The rules of the training plant."""

from seedbed.soak.training._settings import CLIP_NORM, LEARNING_RATE, WEIGHT_DECAY
from seedbed.soak.tuners._rules import Adjustment, KpiCondition, Rule

__all__ = ["training_rules"]


def training_rules() -> tuple[Rule, ...]:
    """Rules for the size of a step and for stalled validation. The first rule that names a key moves it.

    A step should move the weights by about a thousandth of their norm. By that, a learning rate that is wrong by orders
    of magnitude is corrected within the first epochs. After that the rate only falls, each time validation stalls. The
    thresholds were found on this plant's runs, on seeds that the benchmark does not use. They suit this model and these
    data, and may not suit others.
    """
    return (
        Rule(
            when=(KpiCondition(kpi="diverged_mean", above=0.5),),
            then=(Adjustment(key=LEARNING_RATE, scale=0.1, floor=1e-4),),
            reason="a step's loss was no number, and its iteration was undone",
        ),
        Rule(
            when=(KpiCondition(kpi="update_ratio_mean", above=3e-3),),
            then=(Adjustment(key=LEARNING_RATE, scale=0.35, floor=1e-3),),
            reason="a step moves the weights too far",
        ),
        Rule(
            when=(KpiCondition(kpi="update_ratio_mean", below=6e-4), KpiCondition(kpi="epochs_mean", below=2.5)),
            then=(Adjustment(key=LEARNING_RATE, scale=4.0, cap=6e-3),),
            reason="a step hardly moves the weights, and the run is young",
        ),
        Rule(
            when=(
                KpiCondition(kpi="iterations_since_best_mean", above=1.5),
                KpiCondition(kpi="epochs_mean", above=3.0),
            ),
            then=(Adjustment(key=LEARNING_RATE, scale=0.7, floor=3e-4),),
            reason="validation has not gained for two iterations",
        ),
        Rule(
            when=(
                KpiCondition(kpi="iterations_since_best_mean", above=1.5),
                KpiCondition(kpi="train_loss_mean", below=0.5),
            ),
            then=(Adjustment(key=WEIGHT_DECAY, add=1e-4, cap=1e-4),),
            reason="the loss is low, and validation has not gained for two iterations",
        ),
        Rule(
            when=(KpiCondition(kpi="gradient_norm_p95", above=300.0),),
            then=(Adjustment(key=CLIP_NORM, scale=0.25, floor=60.0),),
            reason="some gradients are far above the others",
        ),
    )
