"""What is said of how new a test is."""

import pytest
from rich.console import Console

from seedbed.cli.training._standing import standing

SHARES = {"true": 0.0, "all_true": 0.0, "unmet": 0.0}


def said(sources_without_past):
    novelty = {
        **dict.fromkeys(("new_sources", "new_destinations", "new_pairs", "seen_events", "new_events"), 0),
        "sources_without_past": sources_without_past,
        "negatives": {"random": SHARES, "historical": SHARES},
    }
    console = Console(width=200)
    with console.capture() as shown:
        console.print(standing({"novelty": novelty}))
    return shown.get()


@pytest.mark.parametrize(("share", "is_said"), [(0.25, True), (0.0, False)])
def test_historical_negatives_that_are_random_ones_are_said_once(share, is_said):
    words = f"{100 * share:.1f} % of the historical negatives are random ones, since the source has no past"
    assert said(share).count(words) == is_said
    assert "negatives are" not in said(0.0)
