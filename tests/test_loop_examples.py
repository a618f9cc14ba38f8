"""The examples of the door: how many lines and names a loop takes, and that they run as a user runs them."""

import ast
import difflib
import io
import os
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Any

import pytest

from seedbed.contracts import RunStatus
from seedbed.records import Commit, Store, fsck, run_events, verify

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("SEEDBED_")}
ONE_THREAD = {**CLEAN, "OMP_NUM_THREADS": "1"}  # so that tests beside this one leave it its time


def formatted(source: str) -> list[str]:
    """The lines of code as `ruff format` writes them, without indentation, blank lines and the docstring."""
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, timeout=60, check=True)
    first = ast.parse(done.stdout).body[0]
    assert isinstance(first, ast.Expr), "an example begins with a docstring"
    return [line.strip() for line in done.stdout.splitlines()[first.end_lineno :] if line.strip()]


def added_lines(before: str, after: str) -> list[str]:
    """The lines of `after` that `before` lacks, changed ones included."""
    old, new = formatted(before), formatted(after)
    edits = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [line for kind, _, _, start, end in edits if kind in {"insert", "replace"} for line in new[start:end]]


def names_of_ours(source: str) -> set[str]:
    """What is used of `seedbed` and of the run that it returns: each a dotted name; and the run's own name."""
    tree = ast.parse(source)
    starts = [node for node in ast.walk(tree) if isinstance(node, ast.withitem)]
    runs = {node.optional_vars.id for node in starts if isinstance(node.optional_vars, ast.Name)}
    used = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"seedbed", *runs}
    }
    imported = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("seedbed")
        for name in node.names
    }
    return used | imported | runs


def changes_of(commit: Commit) -> list[Any]:
    """The changes, as JSON."""
    document: Any = commit.snapshot.documents["changes"]
    return list(document["changes"])


def semicolons(source: str) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return sum(token.type == tokenize.OP and token.string == ";" for token in tokens)


def read(name: str) -> str:
    return (EXAMPLES / name).read_text(encoding="utf-8")


def child(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Run an example in `folder`, where another of the same name ran before, too."""
    command = [sys.executable, shutil.copy(EXAMPLES / name, folder)]
    return subprocess.run(command, cwd=folder, env=ONE_THREAD, capture_output=True, text=True, timeout=240, check=False)


def commits(folder: Path) -> list[Commit]:
    store = Store.open(folder / ".seedbed")
    assert fsck(store) == []
    views = list(store.runs())
    assert all(check.holds for view in views for check in verify(store, view))
    assert {view.status for view in views} == {RunStatus.FINISHED}
    return [view.commit for view in views if view.commit]


@pytest.mark.parametrize(("name", "most"), [("plain_loop", 5), ("resumed_loop", 8)])
def test_a_loop_becomes_a_run_by_few_added_lines(name, most):
    before, after = read(f"{name}_bare.py"), read(f"{name}.py")
    assert "seedbed" not in before.split('"""', 2)[2].lower()
    assert semicolons(after) == semicolons(before) == 0
    added = added_lines(before, after)
    assert len(added) <= most, added


def test_the_count_of_added_lines_sees_an_added_a_changed_and_no_indented_line():
    before = '"""One."""\nfor x in y:\n    f(x)\n    g(x)\n'
    after = '"""Two."""\nimport os\nwith a:\n    for x in z:\n        f(x)\n        g(x)\n\n        h( x )\n'
    assert added_lines(before, after) == ["import os", "with a:", "for x in z:", "h(x)"]


def test_five_names_are_all_that_the_plain_loop_knows():
    assert names_of_ours(read("plain_loop.py")) == {"seedbed.start", "run", "run.steps", "run.log", "run.result"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    return folder, child(folder, "plain_loop.py"), child(folder, "plain_loop_bare.py")


@pytest.mark.slow
def test_the_plain_loop_trains_exactly_as_it_does_without(plain):
    """Five losses of three decimals, and the accuracy, as the loop itself prints them."""
    _, run, bare = plain
    assert (run.returncode, run.stderr) == (bare.returncode, bare.stderr) == (0, "")
    assert run.stdout.splitlines()[:6] == bare.stdout.splitlines()
    assert len(bare.stdout.splitlines()) == 6


@pytest.mark.slow
def test_the_plain_loop_is_committed_and_judged(plain):
    folder, run, bare = plain
    (commit,) = commits(folder)
    accuracy: Any = commit.snapshot.metrics["accuracy"]
    assert f"accuracy {accuracy['value']:.3f}" == bare.stdout.splitlines()[-1]
    assert accuracy["n"] == 397
    assert "gate: PASS, exit code 0" in run.stdout
    store = Store.open(folder / ".seedbed")
    steps = [event.step for view in store.runs() for event in run_events(store, view) if "loss" in event.values]
    assert steps == list(range(1, 111))


STOPPED = """\
import torch.optim as optim
step, taken = optim.SGD.step, []


def stop_at_230(*args, **kwargs):
    taken.append(1)
    if len(taken) > 230:
        raise KeyboardInterrupt
    return step(*args, **kwargs)


optim.SGD.step = stop_at_230
"""


@pytest.mark.slow
def test_the_loop_that_resumes_ends_as_if_it_had_never_stopped(tmp_path):
    """It is interrupted in step 231, goes on from step 200, and the rate is halved once."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    assert child(whole, "resumed_loop.py").returncode == 0
    (stopped / "first.py").write_text(STOPPED + read("resumed_loop.py"), encoding="utf-8")
    first = subprocess.run(
        [sys.executable, "first.py"],
        cwd=stopped,
        env=ONE_THREAD,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "KeyboardInterrupt" in first.stderr
    assert child(stopped, "resumed_loop.py").returncode == 0
    (expected,), (found,) = commits(whole), commits(stopped)
    assert found.snapshot.attempt_id == 2
    assert found.snapshot.metrics == expected.snapshot.metrics
    (change,) = changes_of(found)
    assert change["outcome"] == "EFFECTIVE"
    assert "step 151 used" in change["story"][-1]
    assert changes_of(found) == changes_of(expected)


@pytest.mark.slow
def test_a_gan_is_a_run_of_two_models_whose_critic_alone_is_slowed(tmp_path):
    done = child(tmp_path, "gan.py")
    assert (done.returncode, done.stderr) == (0, "")
    (commit,) = commits(tmp_path)
    (change,) = changes_of(commit)
    assert (change["parameter"], change["outcome"]) == ("critic.lr", "EFFECTIVE")
    audit: Any = commit.snapshot.documents["audit_run"]
    assert audit["steps"] == 400
