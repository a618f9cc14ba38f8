"""What runs elsewhere is held to rules here: workflows, issue forms, hooks, and the versions that they try."""

import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TORCH = runpy.run_path(str(ROOT / "scripts" / "torch_constraints.py"))

PINNED = re.compile(r"[\w./-]+@(v\d+(\.\d+)*|[0-9a-f]{40})")
TARGET = re.compile(r"make ([\w${}. -]+?)( [A-Z_]+=\S+)*")
SCRIPT = re.compile(r"(?:bash|python) (\S+)")


def load(path: Path) -> dict[Any, Any]:
    loaded = yaml.safe_load(path.read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def broken_rules(text: str) -> Iterator[str]:
    """The rules that a workflow breaks."""
    workflow = yaml.safe_load(text)
    events = workflow[True]  # YAML reads the key `on` as true
    if "workflow_dispatch" not in events:
        yield "it cannot be started by hand"
    if workflow.get("permissions") != {"contents": "read"}:
        yield "it may do more than read"
    if "group" not in workflow.get("concurrency", {}):
        yield "it has no concurrency group"
    if "://" in text:
        yield "it names a host"
    for job in workflow["jobs"].values():
        if not 0 < job.get("timeout-minutes", 0) <= 120:
            yield "a job has no timeout"
        for step in job["steps"]:
            yield from broken_rules_of_step(step, job)


def broken_rules_of_step(step: dict[str, Any], job: dict[str, Any]) -> Iterator[str]:
    action, command = step.get("uses", ""), step.get("run", "")
    if action and not PINNED.fullmatch(action):
        yield f"{action} is not pinned"
    if action.startswith("actions/setup-python@") and step["with"].get("cache") != "pip":
        yield "pip's downloads are not kept"
    if action.startswith("actions/checkout@") and step.get("with", {}).get("persist-credentials") is not False:
        yield "the checkout keeps its credentials"
    if command and not all(is_of_this_repository(line) for line in expanded(command, job)):
        yield f"`{command}` is no target and no script of this repository"


def expanded(command: str, job: dict[str, Any]) -> list[str]:
    """The command for every value of the matrix that it names."""
    named = re.search(r"\$\{\{ matrix\.(\w+) \}\}", command)
    if not named:
        return [command]
    matrix = job["strategy"]["matrix"]
    values = {*matrix[named[1]], *(row[named[1]] for row in matrix.get("include", ()))}
    return [command.replace(named[0], value) for value in sorted(values)]


def is_of_this_repository(command: str) -> bool:
    target, script = TARGET.fullmatch(command), SCRIPT.match(command)
    if target:
        return all(re.search(rf"^[\w -]*\b{name}\b[\w -]*:(?!=)", MAKEFILE, re.MULTILINE) for name in target[1].split())
    return script is not None and (ROOT / script[1]).is_file()


def test_there_is_a_workflow_for_changes_for_every_night_and_for_the_wheel():
    assert {"ci.yml", "nightly.yml", "wheel.yml"} <= {path.name for path in WORKFLOWS}
    assert "run: bash .ci/run" in (GITHUB / "workflows" / "ci.yml").read_text("utf-8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_keeps_the_rules(path):
    assert list(broken_rules(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("  workflow_dispatch:\n", "", "it cannot be started by hand"),
        ("contents: read", "contents: write", "it may do more than read"),
        ("concurrency:\n  group:", "env:\n  group:", "it has no concurrency group"),
        ("timeout-minutes", "max-parallel", "a job has no timeout"),
        ("actions/checkout@v5", "actions/checkout@main", "actions/checkout@main is not pinned"),
        ("cache: pip", "check-latest: true", "pip's downloads are not kept"),
        ("persist-credentials: false", "fetch-depth: 1", "the checkout keeps its credentials"),
        ("bash .ci/run", "pip install --index-url https://example.org torch", "it names a host"),
        ("bash .ci/run", "make everything", "`make everything` is no target and no script of this repository"),
        ("bash .ci/run", "bash .ci/none", "`bash .ci/none` is no target and no script of this repository"),
        ("bash .ci/run", "pytest", "`pytest` is no target and no script of this repository"),
    ],
)
def test_a_rule_that_is_broken_is_found(before, after, rule):
    text = (GITHUB / "workflows" / "ci.yml").read_text("utf-8")
    assert before in text
    assert rule in list(broken_rules(text.replace(before, after)))


def test_the_nightly_tries_every_supported_python_and_the_oldest_torch():
    nightly = load(GITHUB / "workflows" / "nightly.yml")
    matrix = nightly["jobs"]["suite"]["strategy"]["matrix"]
    label = "Programming Language :: Python :: "
    supported = [each.removeprefix(label) for each in PROJECT["classifiers"] if each.startswith(label)]
    assert matrix["python"] == supported
    assert PROJECT["requires-python"] == f">={supported[0]}"
    assert matrix["torch"] == ["newest"]
    assert matrix["include"] == [{"python": supported[0], "torch": "oldest"}]


def test_the_oldest_torch_is_the_lower_bound_and_the_newest_is_free():
    oldest, constraints = TORCH["oldest"], TORCH["constraints"]
    assert oldest(["numpy>=2.0", "torch>=9.8", "torchdata>=0.1"]) == "9.8"
    assert constraints(["numpy==2.1", "torch==9.9.1"], "9.8") == ["numpy==2.1", "torch==9.8"]
    assert constraints(["numpy==2.1", "torch==9.9.1"], None) == ["numpy==2.1"]
    assert re.fullmatch(r"[\d.]+", oldest(PROJECT["dependencies"]))
    for unclear in ([], ["torch==2.13"], ["torch>=2.13", "torch>=2.14"]):
        with pytest.raises(SystemExit, match="torch>=VERSION"):
            oldest(unclear)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_asks_for_something(path):
    form = load(path)
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    identifiers = [field["id"] for field in fields]
    assert len(identifiers) == len(set(identifiers))
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_a_report_of_a_bug_asks_for_the_version_the_machine_and_both_sides():
    text = (GITHUB / "ISSUE_TEMPLATE" / "bug.yml").read_text("utf-8")
    for asked in ("seedbed --version", "seedbed doctor --json", "What happened", "What you expected", "SECURITY.md"):
        assert asked in text
    assert {path.stem for path in FORMS} == {"bug", "feature", "wrong-answer"}


def test_hooks_fetch_nothing_and_use_the_tools_of_the_environment():
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    entries = [hook["entry"].split()[0] for hook in repository["hooks"]]
    assert entries == [".venv/bin/ruff", ".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/lint-imports"]
