"""In a notebook our values show themselves, though their rooms know nothing of pages; elsewhere nothing is loaded."""

import subprocess
import sys

import pytest
import torch
from render_sample import change, commit, judged, summary_of

from seedbed.change import ChangeEngine, Delta, LearningRate, Parameter, Scale, summary
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal
from seedbed.render import changes_html, commit_html, diff_html, show_in_notebook, verdict_html

ELSEWHERE = """
import sys
from seedbed.render import show_in_notebook
assert not show_in_notebook()
sys.exit(bool({"IPython", "jinja2", "torch", "seedbed.records"} & set(sys.modules)))
"""


@pytest.fixture
def shell():
    """A real IPython, as a notebook's kernel has it."""
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    yield interactive.InteractiveShell.instance()
    interactive.InteractiveShell.clear_instance()


def page(shell, value):
    data, _ = shell.display_formatter.format(value, include={"text/html"})
    return data.get("text/html")


@pytest.mark.slow
def test_elsewhere_nothing_is_loaded():
    assert subprocess.run([sys.executable, "-c", ELSEWHERE], check=False).returncode == 0


def test_every_value_shows_itself_in_a_notebook(shell, tmp_path):
    now, changes, report = commit(tmp_path, "a", {"loss": 0.5}), summary_of(change(1, 5, Outcome.EFFECTIVE)), judged()
    assert page(shell, now) is None
    assert show_in_notebook()
    assert show_in_notebook()
    assert page(shell, now) == commit_html(now)
    assert page(shell, now.snapshot.diff_prev) == diff_html(now.snapshot.diff_prev)
    assert page(shell, changes) == changes_html(changes)
    assert page(shell, report) == verdict_html(report)
    assert "the loss is noisy" in page(shell, changes.changes[0])


def test_what_a_proposal_gives_back_shows_itself_and_so_do_all_changes_of_an_engine(shell):
    show_in_notebook()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1)
    parameter = Parameter("optimizer.lr", unit="1", low=1e-5, high=1.0)
    engine = ChangeEngine(MemoryJournal(), {parameter.key: LearningRate(optimizer)}, [parameter])
    record = engine.propose(Delta(parameter.key, Scale(0.5), "the loss <is> noisy", "me"), 7)
    assert "me: the loss &lt;is&gt; noisy" in page(shell, record)
    assert "0.1 -&gt; 0.05" in page(shell, record)
    assert page(shell, engine.history) == changes_html(summary(engine.history))
    engine.close()
