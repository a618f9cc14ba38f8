"""What happened in a run, in the words of the report and of `runs show`."""

import pytest

from seedbed.render.facts._course import ValueUse

ORIGIN = "changed by a proposal: an input of this run"


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (ValueUse("lr", 151, 0.00075, ORIGIN, certain=True), "from step 151: 0.00075"),
        (ValueUse("lr", 7, 0.05, ORIGIN, certain=False), "from step 7: 0.05, perhaps: nobody saw whether it was used"),
        (
            ValueUse("lr", 151, 0.000805863, ORIGIN, certain=False, lost_at=152, found=0.00799912),
            "step 151: 0.000805863; from step 152: 0.00799912, which overwrote it",
        ),
        (
            ValueUse("lr", 20, 0.05, ORIGIN, certain=False, lost_at=25, found="inf"),
            "steps 20 to 24: 0.05; from step 25: inf, which overwrote it",
        ),
        (
            ValueUse("lr", 11, 0.05, ORIGIN, certain=False, lost_at=11, found=0.1),
            "from step 11: 0.1, which overwrote 0.05",
        ),
    ],
)
def test_a_value_is_told_with_its_steps_and_what_overwrote_it(use: ValueUse, words: str) -> None:
    assert use.words == words
