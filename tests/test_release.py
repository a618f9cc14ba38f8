"""A release is refused for every reason that it should be, and the wheel's files are compared with the source."""

import runpy
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RELEASE = runpy.run_path(str(ROOT / "scripts" / "release.py"))
WHEEL = runpy.run_path(str(ROOT / "scripts" / "test_wheel.py"))
problems = RELEASE["problems"]

DYNAMIC = {
    "project": {"name": "seedbed", "dynamic": ["version"]},
    "tool": {"hatch": {"version": {"path": "src/seedbed/__init__.py"}}},
}
READY = RELEASE["Checkout"](
    version="1.2.3",
    pyproject=DYNAMIC,
    changelog="# Changelog\n\nNewest first.\n\n## 1.2.3 - 2027-01-31\n\n- It is there.\n\n## 1.2.2\n",
    uncommitted=(),
    tags=frozenset({"v1.2.2"}),
    pages_not_current=(),
)


def changelog(heading: str) -> str:
    return READY.changelog.replace("## 1.2.3 - 2027-01-31", heading)


def pyproject(**project: object) -> dict:
    return {**DYNAMIC, "project": project}


def test_a_checkout_that_is_ready_is_released():
    assert list(problems(READY)) == []
    assert list(problems(replace(READY, pyproject=pyproject(version="1.2.3")))) == []
    rc = replace(READY, version="1.2.3rc1", changelog=changelog("## 1.2.3rc1 - 2027-01-31"))
    assert list(problems(rc)) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"version": "1.2"}, "__version__ is '1.2'"),
        ({"version": "1.2.3.dev1"}, "__version__ is '1.2.3.dev1'"),
        ({"pyproject": pyproject(version="1.2.2")}, "pyproject.toml: the version is 1.2.2, expected 1.2.3"),
        ({"pyproject": pyproject()}, "the version must be dynamic"),
        ({"pyproject": {**DYNAMIC, "tool": {"hatch": {}}}}, "tool.hatch.version.path"),
        ({"changelog": "# Changelog\n"}, "there is no entry"),
        ({"changelog": changelog("## Unreleased")}, "still 'Unreleased'"),
        ({"changelog": changelog("## 1.2.2 - 2027-01-31")}, "the top entry is of '1.2.2'"),
        ({"changelog": changelog("## 1.2.3")}, "has the date ''"),
        ({"changelog": changelog("## 1.2.3 - soon")}, "has the date 'soon'"),
        ({"changelog": changelog("## 1.2.3 - 2027-02-30")}, "has the date '2027-02-30'"),
        ({"uncommitted": ("README.md",)}, "uncommitted changes in README.md"),
        ({"tags": frozenset({"v1.2.3"})}, "the tag v1.2.3 exists already"),
        ({"pages_not_current": ("docs/api/errors.md",)}, "docs/api/errors.md: is not current; run `python scripts/"),
    ],
)
def test_every_reason_against_a_release_is_said_with_what_to_do(wrong, said):
    found = list(problems(replace(READY, **wrong)))
    assert any(said in problem for problem in found), found
    assert all("; " in problem or " must " in problem for problem in found), "a problem does not say what to do"


def test_all_problems_are_said_at_once():
    assert len(list(problems(replace(READY, version="1.2", uncommitted=("a",), pages_not_current=("b",))))) == 4


def test_the_version_is_read_without_running_the_source():
    assert RELEASE["version_of"]('"""Doc."""\nimport nothing\n__version__ = "4.5.6"\n') == "4.5.6"
    with pytest.raises(LookupError, match="__version__"):
        RELEASE["version_of"]("VERSION = 1\n")


def test_the_tag_is_printed_and_not_made():
    assert RELEASE["tag_commands"]("1.2.3") == [
        'git tag --annotate v1.2.3 --message "Seedbed 1.2.3"',
        "git push origin v1.2.3",
    ]


PAGES = """
from pathlib import Path
DOCS = Path(__file__).parents[1] / "docs"
def pages():
    return {DOCS / "public-surface.txt": "new", DOCS / "api/errors.md": "current\\n", DOCS / "api/gate.md": "new"}
"""


def test_what_is_checked_is_read_from_files_and_git(tmp_path):
    files = {
        "src/seedbed/__init__.py": '__version__ = "1.2.3"\n',
        "pyproject.toml": '[project]\nversion = "1.2.3"\n',
        "CHANGELOG.md": READY.changelog,
        "docs/public-surface.txt": "old\n",
        "docs/api/errors.md": "current\n",
        "scripts/public_surface.py": PAGES,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")

    def git(*words: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    git("tag", "v1.0.0")
    (tmp_path / "CHANGELOG.md").write_text(changelog("## Unreleased"), "utf-8")
    found = RELEASE["read"](tmp_path)
    assert (found.version, found.tags, found.uncommitted) == ("1.2.3", {"v1.0.0"}, ("CHANGELOG.md",))
    assert [problem.partition(":")[0] for problem in problems(found)] == [
        "CHANGELOG.md",
        "git",
        "docs/public-surface.txt",
        "docs/api/gate.md",
    ]


def test_the_version_of_this_checkout_is_in_one_place():
    version = RELEASE["version_of"]((ROOT / "src" / "seedbed" / "__init__.py").read_text("utf-8"))
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" not in pyproject["project"]
    assert list(RELEASE["_version_problems"](version, pyproject)) == []


def test_a_wheel_must_hold_exactly_the_files_of_the_source_tree(tmp_path):
    for name in ("src/seedbed/py.typed", "src/seedbed/a.py", "src/seedbed/__pycache__/a.pyc", "docs/design/gc.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "docs" / "picture.png").touch()
    expected = WHEEL["expected_files"](tmp_path)
    assert expected == {"seedbed/py.typed", "seedbed/a.py", "seedbed/docs/design/gc.md"}
    assert WHEEL["differences"]([*expected, "seedbed-1.dist-info/RECORD"], expected) == []
    assert WHEEL["differences"]([*(expected - {"seedbed/py.typed"}), "tests/conftest.py"], expected) == [
        "seedbed/py.typed is missing",
        "tests/conftest.py is not in the source tree",
    ]


def test_a_wheel_is_used_without_a_way_back_to_the_checkout():
    given = {"PATH": "/bin", "PYTHONPATH": "src", "SEEDBED_STORE": "s", "VIRTUAL_ENV": "v", "PIP_INDEX_URL": "kept"}
    assert WHEEL["clean_environment"](given) == {"PATH": "/bin", "PIP_INDEX_URL": "kept"}


@pytest.mark.parametrize(
    ("code", "says", "expected"), [(0, [], 3), (3, ["no such text"], 3), (3, ["it says this"], None)]
)
def test_a_step_fails_by_its_exit_code_and_by_what_it_does_not_say(code, says, expected, tmp_path):
    step = WHEEL["Step"]("a step", ["bash", "-c", "echo it says this; exit 3"], says, code)
    if expected is None:
        WHEEL["perform"](step, tmp_path)
        return
    with pytest.raises(WHEEL["StepFailed"], match="it says this"):
        WHEEL["perform"](step, tmp_path)
