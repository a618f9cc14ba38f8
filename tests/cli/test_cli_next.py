"""What a command says after its answer: only what makes sense for this run, and what its gate did not ask."""

from pathlib import Path

import pytest
from cli_world import finished

from seedbed.cli.training._job import _next
from seedbed.cli.training._request import Request

STORE = Path(".seedbed")
NO_CHANGES = {
    **dict.fromkeys(("requested", "effective", "clamped", "blocked", "no_op", "failed", "unknown", "superseded"), 0),
    "changes": [],
}
REQUEST = Request(("demo",), None, None, None, None, None, None, None, None, str(STORE), False)


def proposed(commit) -> str:
    return _next(REQUEST, commit, Path("report.html")).plain


def test_a_first_run_without_changes_is_not_sent_to_commands_that_have_nothing_to_say(cli):
    text = proposed(finished(STORE, "alone", documents={"changes": NO_CHANGES}))
    assert "runs verify alone" in text
    assert "runs diff" not in text
    assert "changes show" not in text


def test_a_run_with_a_predecessor_and_a_change_is_sent_to_both(cli):
    finished(STORE, "before")
    text = proposed(finished(STORE, "after", seed=1))
    assert "runs diff after" in text
    assert "changes show after" in text


def test_why_names_the_run_that_has_no_predecessor(cli):
    finished(STORE, "alone")
    answer = cli("runs", "why", "latest")
    assert answer.code == 2
    assert "run alone has no predecessor" in answer.err


@pytest.mark.parametrize(
    ("ap", "verdict", "is_told"), [(0.82, "PASS", True), (0.9, "PASS", False), (0.7, "FAIL", False)]
)
def test_a_gate_that_passes_a_model_below_the_strongest_baseline_says_so(cli, ap, verdict, is_told):
    """The best baseline has 0.85, and the gate asks for 0.8 only."""
    finished(STORE, "judged", ap=ap)
    shown = " ".join(cli("gate", "judged").out.split())
    assert f"gate: {verdict}" in shown
    told = "the gate passes, but the model is below the strongest baseline: AP, random negatives"
    assert (told in shown) == is_told
