"""How a run ends: by the end of its block, by what is raised in it, by `finish`."""

import os
import sys

import pytest
import torch
from loop_world import Work, committed

from seedbed.contracts import RunStatus, Verdict
from seedbed.errors import ContractBroken, InvalidInput
from seedbed.loop._ending import ending_of


def ended(work, run):
    assert work.hooks() == 0
    view = run.store.find(run.run_id)
    return view.status, view.reason


def test_leaving_the_block_commits_compares_and_judges(tmp_path, capsys):
    for rate in (1.0, 0.5):
        work = Work()
        with work.start(tmp_path, quiet=False, config={"rate": rate}, gate=["metrics.loss < 10"]) as run:
            for _, (x, y) in run.steps(work.loader):
                loss = work.step(x, y)
            run.result(loss=loss)
    assert committed(run).seq == 2
    assert committed(run).snapshot.diff_prev is not None
    assert (run.verdict, run.exit_code) == (Verdict.PASS, 0)
    assert "PASS" in capsys.readouterr().out


@pytest.mark.parametrize("leave", ["return", "break", "exit"])
def test_return_break_and_exit_with_0_finish_it(tmp_path, leave):
    work, runs = Work(), []

    def train():
        with work.start(tmp_path) as run:
            runs.append(run)
            run.result(x=1)
            for _, (x, y) in run.steps(work.loader):
                work.step(x, y)
                if run.step == 3:
                    if leave == "return":
                        return
                    if leave == "exit":
                        sys.exit(0)
                    break

    if leave == "exit":
        with pytest.raises(SystemExit):
            train()
    else:
        train()
    assert ended(work, runs[0]) == (RunStatus.FINISHED, "")


@pytest.mark.parametrize(
    ("problem", "status", "reason"),
    [
        (SystemExit(3), RunStatus.INTERRUPTED, "SystemExit: 3"),
        (KeyboardInterrupt(), RunStatus.INTERRUPTED, "KeyboardInterrupt"),
        (ValueError("bad batch"), RunStatus.FAILED, "ValueError: bad batch"),
    ],
)
def test_what_is_raised_says_how_it_ended(tmp_path, problem, status, reason):
    work = Work()
    run = work.start(tmp_path)

    def train():
        with run:
            run.result(x=1)
            for _, (x, y) in run.steps(work.loader):
                work.step(x, y)
                if run.step == 4:
                    raise problem

    with pytest.raises(type(problem)):
        train()
    assert ended(work, run) == (status, reason)
    assert run.commit is None


def test_leaving_without_a_result_fails_with_the_line_that_would_help(tmp_path, capsys):
    work = Work()
    with work.start(tmp_path, quiet=False) as run:
        run.log(x=1.0)
    assert ended(work, run)[0] is RunStatus.FAILED
    assert "run.result(" in capsys.readouterr().err
    assert (run.verdict, run.exit_code) == (None, 1)


def test_a_failing_gate_raises_nothing_unless_it_is_asked_to(tmp_path):
    with Work().start(tmp_path, gate="metrics.loss < 0") as run:
        run.result(loss=1.0)
    assert (run.verdict, run.exit_code) == (Verdict.FAIL, 1)
    with pytest.raises(SystemExit) as left, Work().start(tmp_path, gate="metrics.loss < 0", exit=True) as run:
        run.result(loss=1.0)
    assert left.value.code == 1
    assert committed(run).seq == 2


def test_finish_is_equal_to_a_block(tmp_path):
    work = Work()
    run = work.start(tmp_path)
    for _, (x, y) in run.steps(work.loader):
        work.step(x, y)
    run.result(x=1)
    commit = run.finish()
    assert run.finish() is commit
    assert ended(work, run) == (RunStatus.FINISHED, "")


def test_a_result_that_cannot_be_recorded_is_refused_and_the_run_goes_on(tmp_path):
    work = Work()
    run = work.start(tmp_path)
    with pytest.raises(InvalidInput, match="x"):
        run.result({"x/y": 1, "x": 2})
    run.result(x=1)
    run.finish()
    assert ended(work, run) == (RunStatus.FINISHED, "")


def test_a_forked_child_does_not_end_the_run_of_its_parent(tmp_path):
    work = Work()
    with work.start(tmp_path) as run:
        run.log(x=1.0)
        pid = os.fork()
        if pid == 0:
            try:
                run.__exit__(None, None, None)
                run.abandon("a child")
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        run.log(x=2.0)
        run.result(x=1)
    assert ended(work, run) == (RunStatus.FINISHED, "")


def test_a_contract_that_breaks_as_the_loop_is_left_is_not_lost(tmp_path):
    attention = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)  # dropout: math attention
    work = Work()
    work.model, work.optimizer, work.scheduler = attention, torch.optim.SGD(attention.parameters(), lr=0.1), None
    strict = {"mode": "STRICT", "cdc": "off", "amp": "off"}
    run = work.start(tmp_path, runtime=strict)
    for _ in run.steps([1]):
        attention(torch.randn(2, 3, 8)).mean().backward()
        work.optimizer.step()
        break
    run.result(x=1)
    with pytest.raises(ContractBroken, match="FLASH"):
        run.finish()
    assert ended(work, run)[0] is RunStatus.FAILED


def test_the_ending_of_each_kind():
    assert ending_of(None) is None
    assert ending_of(SystemExit()) is None
    assert ending_of(SystemExit("a word")) == (RunStatus.INTERRUPTED, "SystemExit: a word")
    assert ending_of(GeneratorExit()) == (RunStatus.INTERRUPTED, "GeneratorExit")
