"""Runs that are left open, as in cells of a notebook: the next start on the same objects ends them."""

import pytest
import torch

import seedbed

START, FACTOR, CELLS = 0.1, 0.9, 4


def rates_of_cells(folder, kind, *, ends):
    """The rate of each step by what it did to the weight, of cells that each lower the rate after their first step."""
    model = torch.nn.Linear(1, 1, bias=False)
    optimizer = kind(model.parameters(), lr=START)
    found = []
    for _ in range(CELLS):
        run = seedbed.start(model, optimizer, project="p", store=folder, quiet=True)
        run.propose_at(1, "lr", scale=FACTOR, why="the cell")
        for _ in range(3):
            with run.one_step():
                before = model.weight.item()
                optimizer.zero_grad()
                model(torch.ones(1, 1)).sum().backward()  # a gradient of 1
                optimizer.step()
                found.append(before - model.weight.item())
        if ends:
            run.abandon("the cell is over")
    if run.is_open:
        run.result(done=1)
        run.finish()
    return found, optimizer


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_a_rate_is_changed_once_in_each_cell_whether_or_not_its_run_is_ended(kind, ends, tmp_path):
    found, optimizer = rates_of_cells(tmp_path, kind, ends=ends)
    expected = [START * FACTOR ** (cell + (step > 0)) for cell in range(CELLS) for step in range(3)]
    assert found == pytest.approx(expected, rel=1e-3)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(START * FACTOR**CELLS)
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
