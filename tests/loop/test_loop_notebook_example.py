"""The notebook among the examples: its cells are executed by IPython, one after the other."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "notebook.ipynb"

PROGRAM = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        done = shell.run_cell("".join(cell["source"]), store_history=True)
        done.raise_error()
        data, _ = shell.display_formatter.format(done.result, include={"text/html", "text/plain"})
        print("CELL", json.dumps(data), file=sys.stderr)
"""


@pytest.mark.slow
def test_the_notebook_shows_the_run_its_changes_and_its_verdict(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(NOTEBOOK)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [json.loads(line[5:]) for line in done.stderr.splitlines() if line.startswith("CELL ")]
    _, settings, so_far, proposed, changes, end = cells
    assert "optimizer.lr" in settings["text/plain"]
    texts = [re.sub(r"<[^>]+>", " ", cell.get("text/html", "")) for cell in (so_far, proposed, changes, end)]
    assert "step 22" in texts[0]
    assert "the loss is noisy" in texts[1]
    assert "step 23 used 0.05" in texts[2]
    assert re.search(r"Gate\s+pass", texts[3])
    assert "gate: PASS, exit code 0" in done.stdout
