"""What is said wrongly is refused at that line, in words that say what was expected and what to do."""

from typing import Any

import pytest
import torch
from loop_world import Work
from torch import nn

import seedbed
from seedbed.errors import Conflict, InvalidInput, NotFound


@pytest.mark.parametrize("given", ["loss", 0.5, [("loss", 1.0)]])
def test_values_without_names_are_refused(given, tmp_path):
    with Work().start(tmp_path) as run:
        for take in (run.log, run.result):
            with pytest.raises(InvalidInput, match=r"expected values by name, such as loss=0\.5"):
                take(given)
        run.result(accuracy=1.0)


@pytest.mark.parametrize("why", ["", "  ", None])
def test_a_change_without_a_reason_is_refused(why, tmp_path):
    run = Work().start(tmp_path)
    for propose in (run.propose, lambda *given, **named: run.propose_at(3, *given, **named)):
        with pytest.raises(InvalidInput, match="expected a reason in words"):
            propose("lr", scale=0.5, why=why)
    run.abandon("the test is over")


@pytest.mark.parametrize("mirror", ["wandb", dict, [object()]])
def test_a_mirror_that_is_none_is_refused_and_no_run_is_left_open(mirror, tmp_path):
    with pytest.raises(InvalidInput, match="mirror: expected an object with begin, log and finish"):
        Work().start(tmp_path, mirror=mirror)
    with pytest.raises(NotFound, match=r"no run is open; call seedbed\.start first"):
        seedbed.current_run()


@pytest.mark.parametrize("argument", ["model", "optimizer", "scheduler"])
def test_objects_in_a_list_are_to_be_given_by_name(argument, tmp_path):
    work = Work()
    given: Any = {"model": work.model, "optimizer": work.optimizer, "scheduler": work.scheduler}
    with pytest.raises(
        InvalidInput, match=f"^{argument}: .*or a dictionary of them by name, found list; give several as"
    ):
        seedbed.start(**{**given, argument: [given[argument]]}, project="tests", store=tmp_path)


def test_a_checkpoint_of_another_model_says_which_part_does_not_fit(tmp_path):
    run = Work().start(tmp_path)
    run.checkpoint(tmp_path / "c")
    run.abandon("the machine is needed")
    other = Work()
    other.model = nn.Linear(4, 2)
    other.optimizer = torch.optim.Adam(other.model.parameters())
    other.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(other.optimizer, T_max=48)
    run = other.start(tmp_path)
    with pytest.raises(Conflict, match=r"(?s)c: its model does not fit the one that is bound; .*Missing key"):
        run.restore(tmp_path / "c")
    run.abandon("the test is over")


def test_a_checkpoint_of_another_project_says_which_project_it_wants(tmp_path):
    run = Work().start(tmp_path)
    run.checkpoint(tmp_path / "c")
    run.abandon("the machine is needed")
    run = Work().start(tmp_path, project="others")
    with pytest.raises(Conflict, match="start it with project='tests'"):
        run.restore(tmp_path / "c")
    run.abandon("the test is over")


@pytest.mark.parametrize("every", [0, -1])
def test_a_checkpoint_every_no_step_is_refused(every, tmp_path):
    run = Work().start(tmp_path)
    with pytest.raises(InvalidInput, match="expected a number of steps from 1 on"):
        run.checkpoint(tmp_path / "c", every=every)
    run.abandon("the test is over")


def test_a_gate_that_asks_for_what_the_record_lacks_is_told_so_and_the_run_stays_committed(tmp_path, capsys):
    with Work().start(tmp_path, gate="accuracy > 0.9", quiet=False) as run:
        run.result(accuracy=0.95)
    shown = capsys.readouterr()
    assert "accuracy: did you mean metrics.accuracy?" in shown.err
    assert "gate: not judged" in shown.out
    assert run.commit is not None
    assert (run.verdict, run.exit_code) == (None, 1)
