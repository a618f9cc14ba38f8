"""README and docs are run: code, commands and links, so that a wrong page fails here first."""

import contextlib
import io
import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from seedbed.cli import main
from seedbed.cli._app import app
from seedbed.errors import Conflict, ExitCode

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_MADE_NAME = re.compile(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{4}")
_DECIMAL = re.compile(r"[-+]?\d+\.\d+")
_MINUTES_LONG = ("demo",)
_NEEDS_NO_RUN = ("--help", "--version", "doctor", "init", "soak", "train")


@dataclass(frozen=True)
class Block:
    """One fenced block: what it is written in, its text, and the line of the page that it begins at."""

    language: str
    text: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    for match in _FENCE.finditer(page):
        yield Block(match[1], match[2], page.count("\n", 0, match.start()) + 2)


def commands(block: Block) -> list[list[str]]:
    """The commands of a console block, without their output and comments."""
    lines = block.text.splitlines() if block.language == "console" else []
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]


def parse(arguments: list[str]) -> None:
    """Let the application's own parser read a command without running it; raises for one that does not exist."""
    command = typer.main.get_command(app)
    while isinstance(command, TyperGroup) and arguments and not arguments[0].startswith("-"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    with contextlib.suppress(typer.Exit):  # --help and --version are done once they are read
        command.make_context("seedbed", list(arguments))


def may_run(arguments: list[str]) -> bool:
    if arguments[0] in _MINUTES_LONG or any(word.isupper() for word in arguments):
        return False
    return arguments[0] in _NEEDS_NO_RUN or Path(".seedbed/log").exists()


def run_block(block: Block, name: str, names: dict[str, object], codes: tuple[int, ...] = (0,)) -> str:
    """Run a block: YAML goes into the file that it names; Python and the quick commands are run. Returns the output.

    A command must end with one of `codes`.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, name, "exec"), names)
        elif block.language == "yaml":
            Path(block.text.partition("\n")[0].removeprefix("# ")).write_text(block.text, encoding="utf-8")
        for command in commands(block):
            if command[0] == "seedbed" and may_run(command[1:]):
                with pytest.raises(SystemExit) as end:
                    main(command[1:])
                assert end.value.code in codes, f"{name}: {shlex.join(command)} ended with {end.value.code}"
    return printed.getvalue()


def run_page(page: str, name: str) -> None:
    """Run everything on a page, from top to bottom. A block `text` must be what the block before it printed."""
    names: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(page):
        if block.language == "text":
            assert is_alike(block.text, printed), f"{name}:{block.line} shows\n{block.text}\nand not\n{printed}"
        else:
            printed = run_block(block, name, names)


def run_again(page: str, name: str) -> None:
    """Run everything on a page where it has run before. Its outputs may differ, since more is recorded."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page):
        keeps = any(command[:2] == ["seedbed", "init"] for command in commands(block))  # what may have been edited
        run_block(block, f"{name}, the second time", names, (0, int(ExitCode.USAGE)) if keeps else (0,))


def is_alike(shown: str, printed: str) -> bool:
    """Whether two outputs have the same words, whatever the times and names of runs, and decimals that are near."""
    texts = [_MADE_NAME.sub("(run)", _MOMENT.sub("(moment)", text)) for text in (shown, printed)]
    words = [" ".join(_DECIMAL.sub("(decimal)", text).split()) for text in texts]
    decimals = [[float(found) for found in _DECIMAL.findall(text)] for text in texts]
    return words[0] == words[1] and all(map(_is_near, *decimals))


def _is_near(shown: float, printed: float) -> bool:
    """Training rounds otherwise on another processor, and ends near."""
    return math.isclose(shown, printed, rel_tol=0.5, abs_tol=0.5)


def broken_links(page: Path, text: str) -> list[str]:
    targets = [target.partition("#")[0] for target in _LINK.findall(text) if "://" not in target]
    return [target for target in targets if target and not (page.parent / target).exists()]


def unknown_targets(block: Block) -> list[str]:
    """Make targets that the Makefile lacks, and scripts that are not there."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    asked = [word for command in commands(block) if command[0] == "make" for word in command[1:]]
    scripts = [command[1] for command in commands(block) if command[0].endswith("python")]
    missing = [script for script in scripts if not (script.startswith("-") or (ROOT / script).exists())]
    return [word for word in asked if f"\n{word}:" not in makefile] + missing


@pytest.fixture
def _somewhere(tmp_path, monkeypatch):
    for name in ("SEEDBED_STORE", "SEEDBED_RUNTIME_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("_somewhere")
@pytest.mark.parametrize("name", NAMES)
def test_everything_on_a_page_runs_and_runs_again_in_the_same_folder(name):
    page = (ROOT / name).read_text("utf-8")
    run_page(page, name)
    run_again(page, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_command_exists_with_these_options(name):
    for block in blocks((ROOT / name).read_text("utf-8")):
        for command in commands(block):
            if command[0] == "seedbed":
                parse(command[1:])
        assert unknown_targets(block) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_link_and_picture_is_there(name):
    assert broken_links(ROOT / name, (ROOT / name).read_text("utf-8")) == []


def test_every_page_of_docs_is_reached_from_the_readme():
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = _LINK.findall(page.read_text("utf-8"))
        todo += [(page.parent / link.partition("#")[0]).resolve() for link in links if "://" not in link]
    assert set(PAGES) <= seen


def test_the_readme_says_at_once_what_for_whom_and_how():
    text = (ROOT / "README.md").read_text("utf-8")
    first = "\n".join(text.splitlines()[:10])
    assert "PyTorch models that change while they train" in first
    assert "engineers and researchers" in first
    assert {"$ make demo", "$ make test"} <= set(text.splitlines())


def test_pictures_are_real_and_small():
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.read_bytes().startswith({".png": b"\x89PNG", ".svg": b"<svg "}[picture.suffix])
        assert picture.stat().st_size < 400_000


@pytest.mark.usefixtures("_somewhere")
@pytest.mark.parametrize(
    ("page", "error"),
    [
        ("```python\nassert 1 == 2\n```\n", AssertionError),
        ("```python\nfrom seedbed.records import nothing\n```\n", ImportError),
        ("```console\n$ seedbed train missing.parquet\n```\n", AssertionError),
        ("```python\nprint(2)\n```\n\n```text\n4\n```\n", AssertionError),
    ],
)
def test_a_page_that_is_wrong_fails(page, error):
    with pytest.raises(error):
        run_page(page, "page")


@pytest.mark.usefixtures("_somewhere")
def test_a_page_that_works_only_once_fails():
    page = """```python
from seedbed.records import Store

run = Store.open("store", create=True).start("mine", "first")
```
"""
    run_page(page, "page")
    with pytest.raises(Conflict):
        run_again(page, "page")
    run_page(page.replace(', "first"', ""), "page")
    run_again(page.replace(', "first"', ""), "page")


def test_decimals_of_an_output_may_be_near_and_words_and_counts_may_not_differ():
    assert is_alike("loss 0.12  at 2026-01-02 03:04:05\n", "loss 0.123 at 2027-02-03 04:05:06  \n")
    assert not is_alike("loss 0.12\n", "loss 0.9\n")
    assert not is_alike("step 61 used it\n", "step 62 used it\n")
    assert not is_alike("verdict PASS\n", "verdict FAIL\n")


@pytest.mark.parametrize(
    "command", ["runs delete latest", "demo --inject gremlins", "gate", "runs list --colour", "runs show a b"]
)
def test_a_command_that_does_not_exist_is_found(command):
    with pytest.raises((KeyError, TyperException)):
        parse(command.split())


def test_a_target_or_script_or_link_that_is_not_there_is_found(tmp_path):
    block = Block("console", "$ make everything\n$ python examples/none.py\n$ make test\n", 1)
    assert unknown_targets(block) == ["everything", "examples/none.py"]
    assert broken_links(tmp_path / "page.md", "[a](none.md) ![b](x.png) [c](https://example.org)") == [
        "none.md",
        "x.png",
    ]
