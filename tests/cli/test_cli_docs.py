"""The documentation pages are read by a command, and every page that a help text or a message names is there."""

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from seedbed.cli._app import app
from seedbed.cli.console._docs import find_page, pages
from seedbed.errors import NotFound

ROOT = Path(__file__).resolve().parents[2]
PAGES = [path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "api"]
NAMED = re.compile(r"\bdocs/([\w/-]+)\.md\b|\bseedbed docs ([a-z][\w/-]*)")
FOR_DEVELOPERS = re.compile(r"\bdocs/[\w/-]+\.md\b")


def named_pages(text: str) -> set[str]:
    return {by_path or by_command for by_path, by_command in NAMED.findall(text)}


def texts(source: str) -> Iterator[str]:
    """Every text in a source: docstrings, help and messages."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def helps(command: object) -> Iterator[str]:
    """The help of a command, of its options, and of every command below it."""
    yield getattr(command, "help", None) or ""
    yield getattr(command, "epilog", None) or ""
    for option in getattr(command, "params", []):
        yield getattr(option, "help", None) or ""
    for below in getattr(command, "commands", {}).values():
        yield from helps(below)


def test_every_page_is_listed_with_its_title(cli):
    listed = cli("docs").out
    for name in (path.relative_to(ROOT / "docs").with_suffix("") for path in PAGES):
        assert re.search(rf"^{name} +\S", listed, re.MULTILINE), f"{name} is not listed with a title"
    assert cli("docs", "--plain").out.split() == list(pages())


def test_a_page_is_shown_as_a_person_reads_it(cli):
    shown = cli("docs", "query")
    assert (shown.code, shown.err) == (0, "")
    assert "seedbed runs list --where" in shown.out
    assert "```" not in shown.out


@pytest.mark.parametrize("name", ["query", "docs/query.md", "Query", "design/gc"])
def test_a_plain_page_is_its_file(name, cli):
    file = ROOT / "docs" / f"{name.lower().removeprefix('docs/').removesuffix('.md')}.md"
    assert cli("docs", name, "--plain").out == file.read_text("utf-8")


def test_an_unknown_page_ends_with_2_and_the_nearest_name(cli):
    answer = cli("docs", "queri")
    assert (answer.code, answer.out) == (2, "")
    assert "'query'" in answer.err
    assert "seedbed docs" in answer.err


def test_the_help_has_an_example(cli):
    assert "seedbed docs query" in cli("docs", "--help").out


def test_an_installed_package_reads_its_own_pages(tmp_path: Path):
    package, checkout = tmp_path / "seedbed" / "docs", tmp_path / "docs"
    for folder in (package, checkout):
        folder.mkdir(parents=True)
        (folder / "page.md").write_text(f"# {folder}\n", "utf-8")
    assert pages([package, checkout]) == {"page": package / "page.md"}
    assert pages([tmp_path / "none", checkout]) == {"page": checkout / "page.md"}
    with pytest.raises(NotFound, match="no documentation pages"):
        pages([tmp_path / "none"])


@pytest.mark.slow
def test_every_page_that_the_source_names_is_there():
    found = pages()
    sources = (ROOT / "src").rglob("*.py")
    named = {name: path for path in sources for text in texts(path.read_text("utf-8")) for name in named_pages(text)}
    assert {"query", "maintenance", "design/gc"} <= named.keys()
    missing = {name: str(path.relative_to(ROOT)) for name, path in named.items() if name not in found}
    assert missing == {}
    for name in named:
        assert find_page(name, found)


def pages_in_help(text: str) -> set[str]:
    """Every page, and every path of a checkout, that a help text names."""
    paths = re.findall(r"\b(?:docs|examples|benchmarks|src)/[\w./-]*\w|\b[\w./-]+\.(?:md|txt)\b", text)
    return {*named_pages(text), *paths}


def in_the_wheel(name: str) -> str:
    """The file in a wheel that `seedbed docs NAME` shows. Raises NotFound."""
    return f"seedbed/docs/{find_page(name, pages()).relative_to(ROOT / 'docs').as_posix()}"


def test_every_page_that_a_help_text_names_is_shown_from_the_wheel():
    shipped = runpy.run_path(str(ROOT / "scripts" / "test_wheel.py"))["expected_files"](ROOT)
    named = {name for text in helps(typer.main.get_command(app)) for name in pages_in_help(text)}
    assert {"query", "maintenance", "design/gc"} <= named
    assert {in_the_wheel(name) for name in named} - shipped == set()
    for name in pages_in_help("see docs/design/none.md, examples/plain_loop.py and public-surface.txt"):
        with pytest.raises(NotFound):
            in_the_wheel(name)


def test_help_names_pages_by_the_command_that_shows_them():
    texts_of_help = list(helps(typer.main.get_command(app)))
    assert any("seedbed docs query" in text for text in texts_of_help)
    assert [text for text in texts_of_help if FOR_DEVELOPERS.search(text)] == []


def test_a_page_that_is_not_there_would_be_found():
    source = 'raise NotFound(f"{path}: see `seedbed docs nothing`, or docs/design/none.md")'
    assert {name for text in texts(source) for name in named_pages(text)} == {"nothing", "design/none"}
    assert FOR_DEVELOPERS.search("see docs/query.md")


def test_pages_that_only_the_site_can_fill_in_are_not_shown():
    assert not [name for name in pages() if name.startswith("api")]
