"""A script ends with the same exit codes as the command line."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import seedbed
from seedbed.contracts import RunStatus
from seedbed.errors import EXIT_CODES, ContractBroken, ExitCode, InvalidInput, StoreUnavailable, exit_codes
from seedbed.records import Store


@pytest.mark.parametrize(("error", "code"), [(InvalidInput, 2), (ContractBroken, 4), (StoreUnavailable, 70)])
def test_an_expected_error_is_one_line_and_its_own_code(error, code, capsys):
    with pytest.raises(SystemExit) as end, exit_codes():
        raise error("the sky fell; carry an umbrella")
    assert end.value.code == code
    assert capsys.readouterr().err == "error: the sky fell; carry an umbrella\n"


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_script_as_it_ends_a_command(kind, tmp_path):
    script = f"""
import os, signal
from seedbed import errors
from seedbed.records import Store
signal.signal(signal.SIGTERM, signal.default_int_handler)  # as docs/judge.md says
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background is started to ignore
with errors.exit_codes(), Store.open({str(tmp_path / "store")!r}, create=True).start("p", "r") as run:
    os.kill(os.getpid(), {int(kind)})
    raise SystemExit("it went on")
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (130, "interrupted\n")
    assert Store.open(tmp_path / "store").find("r").status is RunStatus.INTERRUPTED


def test_an_unexpected_error_keeps_its_traceback_and_is_no_failed_gate(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from seedbed.errors import exit_codes\nwith exit_codes():\n    1 / 0\n")
    found = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (70, "")
    assert found.stderr.startswith("Traceback (most recent call last):")
    assert found.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert f'File "{script}", line 3' in found.stderr
    assert found.stderr.count("Traceback") == 1


def test_an_end_that_the_script_chose_is_left_as_it_is():
    with pytest.raises(SystemExit) as end, exit_codes():
        sys.exit(5)
    assert end.value.code == 5


def test_without_an_error_the_script_goes_on():
    with exit_codes():
        pass


def test_the_readme_has_the_table_of_exit_codes():
    table = "".join(f"| {code:d} | {meaning} |\n" for code, meaning in EXIT_CODES.items())
    assert table in (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
    assert EXIT_CODES.keys() == set(ExitCode)


def test_no_other_file_has_exit_codes_of_its_own():
    package = Path(seedbed.__file__).parent
    own = re.compile(
        r"exit_code = \d|Exit\(\d|sys\.exit\([1-9]|SystemExit\(\d|return (70|130)\b|= (70|130)$", re.MULTILINE
    )
    files = [path for path in package.rglob("*.py") if path.name != "errors.py"]
    assert not [path for path in files if own.search(path.read_text("utf-8"))]
    assert own.search("raise typer.Exit(1)")
