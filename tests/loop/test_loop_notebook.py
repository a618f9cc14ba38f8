"""A run in a notebook: cells without a `with` block, the run as a page at any time, and a new start in its place."""

import re
from typing import Any

import pytest
from loop_world import Work, committed

import seedbed
from seedbed.contracts import RunStatus, Verdict
from seedbed.render import commit_html, verdict_html


@pytest.fixture
def shell():
    """A real IPython, as a notebook's kernel has it."""
    from IPython.core.interactiveshell import InteractiveShell

    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def page(shell: Any, value: object) -> str:
    data, _ = shell.display_formatter.format(value, include={"text/html"})
    return str(data["text/html"])


def words(html: str) -> str:
    """The text of a page, without its style."""
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)).split())


def test_a_run_is_a_page_before_its_first_step_while_it_goes_on_and_at_its_end(shell, tmp_path):
    work = Work()
    run = work.start(tmp_path)
    assert "a run of tests it begins with its first step" in words(page(shell, run))
    assert list(run.store.runs()) == []  # to look at it records nothing
    for _, (x, y) in run.steps(work.loader):
        loss = work.step(x, y)
        run.log(loss=loss)
    proposed = run.propose("lr", scale=0.5, why="the loss <is> noisy")
    assert str(proposed).startswith("UNKNOWN optimizer.lr 0.")
    assert "the loss &lt;is&gt; noisy" in page(shell, proposed)
    shown = page(shell, run)
    assert "step 12" in words(shown)
    assert f"{loss.item():.4g}"[:5] in words(shown)
    assert "<svg" in shown
    assert "the loss &lt;is&gt; noisy" in shown
    assert "Gate" not in words(shown)
    run.result(accuracy=0.5)
    run.finish()
    assert run.verdict is Verdict.PASS
    shown = page(shell, run)
    assert "Gate pass exit code 0" in words(shown)
    assert "accuracy" in words(shown)


def test_starting_a_run_teaches_the_notebook_how_commits_and_verdicts_look(shell, tmp_path):
    run = Work().start(tmp_path)
    run.result(accuracy=0.5)
    run.finish()
    assert page(shell, committed(run)) == commit_html(committed(run))
    assert run.report is not None
    assert page(shell, run.report) == verdict_html(run.report)


def test_a_new_start_in_the_same_kernel_ends_the_open_run_and_says_so(shell, tmp_path, capsys):
    for name in ("store", "Work"):
        shell.user_ns[name] = {"store": tmp_path, "Work": Work}[name]
    cell = "work = Work()\nrun = work.start(store, quiet=False)\nrun.log(loss=1.0)"
    for _ in range(2):
        shell.run_cell(cell).raise_error()
    said = capsys.readouterr().err
    first, second = seedbed.current_run().store.runs()
    assert {first.status, second.status} == {RunStatus.INTERRUPTED, RunStatus.RUNNING}
    assert said.count("ended as INTERRUPTED: another run was started in its place") == 1
    seedbed.current_run().abandon("the test is over")


def test_a_run_has_a_text_of_one_line(tmp_path):
    run = Work().start(tmp_path)
    assert repr(run) == "<seedbed.Run not begun of tests: open, step 0>"
    run.result(accuracy=0.5)
    run.finish()
    assert repr(run) == f"<seedbed.Run {run.run_id} of tests: PASS, step 0>"


def test_what_is_printed_at_the_end_into_a_pipe_has_no_trailing_spaces_and_quiet_prints_nothing(tmp_path, capsys):
    for quiet in (False, True):
        with Work().start(tmp_path, quiet=quiet) as run:
            run.result(accuracy=[0.5, 0.75, 0.25, 1.0, 0.125, 0.5, 0.25, 0.75, 0.5])
        shown = capsys.readouterr()
        if quiet:
            assert shown == ("", "")
        else:
            assert f"run {run.run_id}" in shown.out
            assert all(line == line.rstrip() and len(line) <= 120 for line in shown.out.splitlines())
            assert shown.err == ""
