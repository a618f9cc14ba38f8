"""What a validation found is told in plain words, and once."""

import pytest

from seedbed.errors import InvalidInput
from seedbed.stages import load_config


@pytest.mark.parametrize("check", [">= 0.9 @ 0.95", ">= 96%"])
def test_a_wrong_check_is_one_fault_in_plain_words(check, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(f"gate: ['metrics.test.random.ap {check}x']\n")
    with pytest.raises(InvalidInput) as refused:
        load_config(path)
    told = str(refused.value)
    assert told.startswith(f"{path}: gate.0: ")
    assert "Value error" not in told
    assert "at least 1 item" not in told


def test_an_empty_list_is_still_a_fault_of_its_own(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("gate: []\ntraining: {epochs: 0}\n")
    with pytest.raises(InvalidInput, match=r"training\.epochs: .*gate: .*at least 1 item"):
        load_config(path)
