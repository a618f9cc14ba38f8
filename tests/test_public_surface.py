"""The public surface is written down, and what the code must never do is searched for in the source."""

import ast
import re
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "seedbed"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PUBLIC_MODULES = {"__init__.py", "__main__.py", "errors.py"}

DURABLE = r"\bos\.(fsync|fdatasync|link|replace|rename|renames|truncate|ftruncate)\b|\.(rename|hardlink_to|truncate)\("
UNSAFE = r"\bpickle\b|\btorch\.load\(|\byaml\.(unsafe_|full_)?load\b|\bshell=True|\bos\.(system|popen)\("
LAZY = ["from seedbed._lazy import attach", "__getattr__, __dir__, __all__ = attach(__name__, __file__)"]
NAMES_FROM_OS = r"^\s*from os import"


SCRIPT = runpy.run_path(str(ROOT / "scripts" / "public_surface.py"))
HEADS = SCRIPT["heads"]()


@cache
def code_of(path: Path) -> str:
    """The source without comments and docstrings, which may speak of what the code must not do."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value = ast.Constant(value="")
    return ast.unparse(tree)


@pytest.mark.slow
def test_the_public_surface_is_the_one_written_down():
    written = (ROOT / "docs" / "public-surface.txt").read_text("utf-8").splitlines()
    found = SCRIPT["surface"]().splitlines()
    gone, new = sorted(set(written) - set(found)), sorted(set(found) - set(written))
    assert written == found, (
        "the public surface changed; if it was meant to, say so in CHANGELOG.md and run "
        f"`python scripts/public_surface.py`.\ngone: {gone}\nnew: {new}"
    )


def test_the_api_reference_has_a_current_page_for_every_room():
    api = ROOT / "docs" / "api"
    expected = {page.name: text for page, text in SCRIPT["pages"]().items() if page.parent == api}
    written = {page.name: page.read_text("utf-8") for page in api.glob("*.md")}
    assert {name: text for name, text in written.items() if name != "index.md"} == expected


def test_every_room_is_in_the_public_surface_and_every_name_of_it_once():
    rooms = {f"seedbed.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
    assert HEADS.keys() == rooms | {"seedbed.errors", "seedbed.testing.soak"}
    for room, names in HEADS.items():
        listed = [*names, *(name for under in names.values() for name in under)]
        assert sorted(listed) == SCRIPT["exported"](room), f"docs/api/heads.toml and {room}.__all__ differ"


def test_about_a_hundred_names_are_looked_up():
    assert sum(map(len, HEADS.values())) <= 120


@pytest.mark.slow
def test_no_class_name_is_in_two_rooms():
    homes: dict[str, set[str]] = {}
    for path in SOURCES:
        for name in names_of_types(ast.parse(path.read_text("utf-8"))):
            homes.setdefault(name, set()).add(path.relative_to(PACKAGE).parts[0])
    assert {name: sorted(rooms) for name, rooms in homes.items() if len(rooms) > 1} == {}


def names_of_types(module: ast.Module) -> Iterator[str]:
    """The classes and type aliases of a file, those behind an underscore aside."""
    for node in module.body:
        match node:
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                if not name.startswith("_"):
                    yield name
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript(value=ast.Name(id="Literal"))):
                yield name


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            "def judge(spec: int) -> int:",
            "def judge(spec: int, more: int=0) -> int:",
            "(spec: int, more: int=0) -> int",
        ),
        ("class judge(Protocol):", "class judge(Message):", "message"),
    ],
)
def test_a_changed_signature_changes_the_surface(tmp_path, before, after, expected):
    described = SCRIPT["_describe"]
    first, second = (list(described("judge", ast.parse(f"{head}\n    ...").body[0])) for head in (before, after))
    assert first != second
    assert expected in second[0]


@pytest.mark.slow
def test_only_one_file_makes_bytes_durable():
    found = {path.name for path in SOURCES if re.search(DURABLE, code_of(path))}
    assert found == {"_durable.py"}
    assert not [path for path in SOURCES if re.search(NAMES_FROM_OS, code_of(path), re.MULTILINE)]


def test_nothing_is_unpickled_or_passed_to_a_shell():
    assert not [path for path in SOURCES if re.search(UNSAFE, code_of(path))]


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (DURABLE, "os.replace(a, b)"),
        (DURABLE, "path.rename(b)"),
        (NAMES_FROM_OS, "from os import fsync"),
        (UNSAFE, "import pickle"),
        (UNSAFE, "torch.load(path)"),
        (UNSAFE, "yaml.load(text, yaml.Loader)"),
        (UNSAFE, "subprocess.run('ls', shell=True)"),
    ],
)
def test_what_is_forbidden_would_be_found(pattern, line):
    assert re.search(pattern, line)


def test_what_is_allowed_is_not():
    assert not re.search(
        f"{DURABLE}|{UNSAFE}", "yaml.safe_load(text); text.replace('a', 'b'); model.load_state_dict(s)"
    )


def test_implementation_files_are_private():
    public = [path for path in SOURCES if not path.name.startswith("_") and path.name not in PUBLIC_MODULES]
    assert public == []


def test_init_files_only_re_export():
    for path in PACKAGE.rglob("__init__.py*"):
        docstring, *body = ast.parse(path.read_text("utf-8")).body
        assert isinstance(docstring, ast.Expr), f"{path} says nothing about its room"
        if path.with_suffix(".pyi").exists() and path.suffix == ".py":
            assert [ast.unparse(node) for node in body if not ast.unparse(node).startswith("__version__ = ")] == LAZY
            continue
        if path.parent == PACKAGE:  # which also says the version
            body = [node for node in body if "__version__" not in ast.unparse(node)]
        names = {ast.unparse(target) for node in body if isinstance(node, ast.Assign) for target in node.targets}
        assert names <= {"__all__"}, path
        assert all(isinstance(node, ast.ImportFrom | ast.Assign) for node in body), path


def test_every_file_says_what_is_public_in_it():
    said = [path for path in SOURCES if path.name != "__main__.py" and not path.with_suffix(".pyi").exists()]
    silent = [path for path in said if "__all__ = [" not in path.read_text("utf-8")]
    assert silent == []
