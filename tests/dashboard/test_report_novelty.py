"""What is said of events whose source has no past."""

import pytest
from report_sample import make_snapshot

from seedbed.render.facts._novelty import novelty_of

SHARES = {"true": 0.0, "all_true": 0.0, "unmet": 0.0}


def said(sources_without_past):
    novelty = {
        **dict.fromkeys(("new_sources", "new_destinations", "new_pairs", "seen_events", "new_events"), 0),
        "sources_without_past": sources_without_past,
        "negatives": {"random": SHARES, "historical": SHARES},
    }
    table = novelty_of(make_snapshot(metrics={"novelty": novelty}))
    assert table is not None
    return [remark for remark in table.remarks if "negatives" in remark.words]


@pytest.mark.parametrize(("share", "warns"), [(0.25, [True]), (0.01, [False]), (0.0, [])])
def test_historical_negatives_that_are_random_ones_are_said_once(share, warns):
    assert [remark.warns for remark in said(share)] == warns
    for remark in said(share):
        assert remark.words.startswith(f"{100 * share:.1f} % of the events are of a source without a past")
