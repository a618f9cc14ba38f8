"""`seedbed repro`: what it prints of a script that is run twice, and the codes that it ends with."""

import pytest

pytestmark = pytest.mark.slow
SCRIPT = """
import os, sys, torch, seedbed
torch.manual_seed(0)
torch.set_num_threads(1)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
runtime = {"sdpa": "off", "flash": "off", "amp": "off", "cdc": "off"}
with seedbed.start(model, optimizer, project="p", runtime=runtime, quiet=True) as run:
    for step, x in run.steps([torch.ones(2, 3)] * 4):
        factor = int.from_bytes(os.urandom(2), "big") if sys.argv[1:] == ["planted"] and step == 3 else 1
        loss = factor * model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log(loss=loss)
    run.result(loss=float(loss))
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path / "train.py"


def test_equal_runs_end_with_0_and_leave_nothing_behind(cli, script, tmp_path):
    answer = cli("repro", "repeat", "--", "python", script)
    assert (answer.code, answer.out) == (0, "4 steps, 5 tensors each: equal, bit by bit\n")
    assert answer.err.split() == ["first", "run", "second", "run"]
    assert [each.name for each in tmp_path.iterdir()] == ["train.py"]


def test_a_difference_ends_with_1_and_is_measured_and_kept_where_that_is_asked(cli, script, tmp_path):
    answer = cli("repro", "repeat", "--json", "--keep", tmp_path / "kept", "--", "python", script, "planted")
    found = answer.json
    assert (answer.code, found["exit_code"], found["equal"]) == (1, 1, False)
    assert [found["difference"][name] for name in ("step", "what", "where", "num")] == [3, "gradient", "bias", 4]
    assert found["distance"]["num_different"] == 1
    assert found["distance"]["first_norm"] != found["distance"]["second_norm"]
    assert found["kept"] == str(tmp_path / "kept")
    assert (tmp_path / "kept" / "second again" / "traces" / "0001.jsonl").exists()
    again = cli("repro", "repeat", "--keep", tmp_path / "kept", "--", "python", script)
    assert again.code == 2
    assert "it is there already" in again.err


def test_a_resume_says_with_which_step_it_went_on(cli, script):
    answer = cli("repro", "resume", "--", "python", script)
    assert (answer.code, answer.out) == (0, "2 steps, resumed with step 3, 5 tensors each: equal, bit by bit\n")


def test_a_replay_without_a_change_ends_with_3(cli, script):
    answer = cli("repro", "replay", "--", "python", script)
    assert (answer.code, answer.out) == (3, "nothing to replay: no change of the first run took effect\n")


def test_a_command_that_is_not_there_ends_with_2(cli):
    answer = cli("repro", "repeat", "--", "no-such-command")
    assert answer.code == 2
    assert "cannot start no-such-command" in answer.err
    assert cli("repro", "repeat").code == 2
