"""Which values of a metric are the better ones, as far as its name says it."""

import pytest

from seedbed.dashboard._scores import better


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test.accuracy", "higher"),
        ("metrics.top5_accuracy", "higher"),
        ("recall_at_10", "higher"),
        ("f1_macro", "higher"),
        ("val_loss", "lower"),
        ("error_rate", "lower"),
        ("rmse", "lower"),
        ("error_free_rate", None),
        ("non_loss", None),
        ("neg_mse", None),
        ("auc_gap", None),
        ("loss_scale", None),
        ("duration", None),
        ("test", None),
    ],
)
def test_the_last_word_that_is_no_detail_says_which_values_are_better(name, expected):
    assert better(name) == expected
