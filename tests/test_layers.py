"""import-linter proves the order of the rooms and of the sub-rooms in them; a wrong import breaks each contract."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]

# For each contract: a file, and an import in it that breaks the contract. Where torch is forbidden, one in each part.
PLANTED = {
    "Rooms are layered one way, and every room has its place": [("errors.py", "seedbed.contracts")],
    "Contracts, records and the gate never import torch": [
        ("contracts/_skip.py", "torch"),
        ("records/_status.py", "torch"),
        ("gate/_record.py", "torch"),
    ],
    "Inside records": [("records/canonical/_names.py", "seedbed.records.storage._clock")],
    "Inside change": [("change/parameters/_grid.py", "seedbed.change.guards._bounds")],
    "Inside loop": [("loop/_attempt.py", "seedbed.loop.live._requests")],
    "Inside render": [("render/facts/_words.py", "seedbed.render.svg._axis")],
    "Inside soak": [("soak/_regime.py", "seedbed.soak._kpis")],
    "Inside cli": [("cli/console/_where.py", "seedbed.cli.runs._select")],
    "Who asks a run for something from outside never imports torch": [("loop/steering/_request.py", "torch")],
    "Guards, parameters, proposers and comparison are pure: they never import torch": [
        ("change/guards/_pacing.py", "torch"),
        ("change/parameters/_delta.py", "torch"),
        ("change/proposers/_stall.py", "torch"),
        ("records/compare/_noise.py", "torch"),
    ],
}
# Files that have no place in the order.
STRAYS = {"Inside records": "records/_stray.py", "Inside change": "change/_stray.py"} | {
    "Inside loop": "loop/_stray.py",
    "Inside render": "render/_stray.py",
    "Inside soak": "soak/_stray.py",
    "Inside cli": "cli/_stray.py",
    "Rooms are layered one way, and every room has its place": "stray/__init__.py",
}
PURE = [
    *("seedbed.change", "seedbed.change.guards", "seedbed.change.parameters", "seedbed.change.proposers"),
    *("seedbed.records.compare", "seedbed.gate", "seedbed.render", "seedbed.dashboard", "seedbed.loop.steering"),
]
MOST_FILES = {"records": 13, "change": 12, "soak": 25, "cli": 9}
MOST_ELSEWHERE = 30


def broken(tree: Path) -> tuple[set[str], str]:
    """The contracts that import-linter finds broken in a copy of the source, and its report. It must name every one."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    environment = {"PYTHONPATH": str(tree / "src"), "COLUMNS": "400"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    kept = {each["name"] for each in CONTRACTS if f"{each['name']} KEPT" in done.stdout}
    lost = {each["name"] for each in CONTRACTS if f"{each['name']} BROKEN" in done.stdout}
    assert kept | lost == {each["name"] for each in CONTRACTS}, done.stdout + done.stderr
    return lost, done.stdout


@pytest.fixture
def tree(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_every_contract_breaks_on_an_import_against_it(tree):
    assert {each["name"] for each in CONTRACTS} == PLANTED.keys()
    planted = [plant for plants in PLANTED.values() for plant in plants]
    for file, module in planted:
        path = tree / "src/seedbed" / file
        path.write_text(f"{path.read_text('utf-8')}\nimport {module}\n", "utf-8")
    lost, report = broken(tree)
    assert lost == PLANTED.keys()
    for file, module in planted:
        assert f"seedbed.{file.removesuffix('.py').replace('/', '.')} -> {module}" in report


@pytest.mark.slow
def test_a_file_without_a_place_in_the_order_is_found(tree):
    for file in STRAYS.values():
        path = tree / "src/seedbed" / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("", "utf-8")
    assert broken(tree)[0] == STRAYS.keys()


def own_facades(package: Path) -> list[str]:
    """Where a file imports the room or sub-room that it is in, other than a file of it, which hides what it needs."""
    found = []
    for path in package.rglob("*.py"):
        if path.name == "__init__.py":
            continue
        around = {
            ".".join(("seedbed", *folder.relative_to(package).parts)): folder
            for folder in path.parents[:-1]
            if folder != package and folder.is_relative_to(package)
        }
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):
                folder = around.get(node.module or "")
                wrong = folder is not None and any(not (folder / f"{name}.py").exists() for name in names)
            else:
                wrong = any(name in around for name in names)
            found += [f"{path.relative_to(package)}: {ast.unparse(node)}"] if wrong else []
    return found


def test_no_file_imports_the_room_that_it_is_in(tree):
    """import-linter does not see through the lazy `seedbed.change`, so its files must name what they import."""
    package = tree / "src/seedbed"
    assert own_facades(package) == []
    for file, line in (
        ("change/guards/_pacing.py", "from seedbed.change import LearningRate"),
        ("change/parameters/_grid.py", "def late():\n    import seedbed.change"),
        ("records/canonical/_names.py", "from seedbed.records import Store"),
    ):
        path = package / file
        path.write_text(f"{path.read_text('utf-8')}\n{line}\n", "utf-8")
    assert len(own_facades(package)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("module", PURE)
def test_what_is_pure_loads_no_torch_not_even_through_its_room(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "EAGER_IMPORT"}  # lazy_loader reads it
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_a_name_of_a_lazy_room_is_there_when_it_is_used():
    import seedbed.change

    for name in seedbed.change.__all__:
        assert getattr(seedbed.change, name) is not None
    assert {*seedbed.change.__all__} <= {*dir(seedbed.change)}
    with pytest.raises(AttributeError):
        _ = seedbed.change.nothing  # type: ignore[attr-defined]


def test_no_folder_holds_too_many_files():
    folders = {path.parent for path in (ROOT / "src/seedbed").rglob("*.py")}
    for folder in folders:
        here = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
        most = MOST_FILES.get(str(folder.relative_to(ROOT / "src/seedbed")), MOST_ELSEWHERE)
        assert len(here) <= most, f"{folder} holds {len(here)} files and folders; at most {most}: make a sub-room"
