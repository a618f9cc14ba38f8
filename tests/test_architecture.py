"""The page and the picture of the house are compared with the tree, the glossary with itself and the other pages."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "src" / "seedbed"
PAGE = (DOCS / "architecture.md").read_text("utf-8")
PICTURE = (DOCS / "images" / "architecture.svg").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
SOURCES = [
    path for folder in ("src", "tests", "scripts", "benchmarks", "examples") for path in (ROOT / folder).rglob("*")
]
KNOWN = {path.relative_to(ROOT).as_posix() for path in SOURCES} | {path.name for path in ROOT.iterdir()}

_ROW = re.compile(r"^\| `([a-z_/]+)` \| \S", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?<![\w/.*])[\w./-]*\w\.pyi?\b")
_WORD = re.compile(r"^- \*\*(.+?)\*\*: ", re.MULTILINE)
_HEADING = re.compile(r"^#+ .*glossary", re.IGNORECASE | re.MULTILINE)
_SVG = "{http://www.w3.org/2000/svg}"


def rooms() -> list[str]:
    return sorted([path.parent.name for path in PACKAGE.glob("*/__init__.py")] + ["errors"])


def sub_rooms() -> list[str]:
    return sorted(path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("*/*/__init__.py"))


def orders() -> Iterator[tuple[str, list[list[str]]]]:
    """Each room whose order is proven, "" for the whole house, and the names in each of its layers, highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    for contract in contracts:
        if contract["type"] == "layers":
            layers = [[each.strip() for each in layer.split("|")] for layer in contract["layers"]]
            yield contract["containers"][0].removeprefix("seedbed").removeprefix("."), layers


def drawn(picture: str) -> dict[str, tuple[float, float]]:
    """Every room and sub-room of the picture, with where its name is written: x to the right, y downwards."""
    found = {}
    for room in ElementTree.fromstring(picture).iter(f"{_SVG}g"):
        for text in room.iter(f"{_SVG}text"):
            place = float(text.attrib["x"]), float(text.attrib["y"])
            if text.attrib["class"] == "room":
                assert text.text == room.attrib["id"]
                found[room.attrib["id"]] = place
            elif text.attrib["class"] == "sub":
                found[f"{room.attrib['id']}/{text.text}"] = place
    return found


def unknown_files(page: str, known: set[str]) -> list[str]:
    """Python files that a page names outside of its code, and that are not the end of a known path."""
    named = _FILE.findall(_FENCED.sub("", page))
    paths = [name.removeprefix("../").removeprefix("../") for name in named if not name.endswith("_*.py")]
    return [path for path in paths if not any(each == path or each.endswith(f"/{path}") for each in known)]


def defined_twice(glossary: str) -> list[str]:
    return [word for word, times in Counter(word.lower() for word in _WORD.findall(glossary)).items() if times > 1]


def pages_of(menu: object) -> Iterator[str]:
    """The pages of a menu, which is a page, a list of menus, or titles with a menu each."""
    if isinstance(menu, str):
        yield menu
    else:
        assert isinstance(menu, list | dict)
        for each in menu.values() if isinstance(menu, dict) else menu:
            yield from pages_of(each)


def test_the_page_names_every_room_and_sub_room_and_no_other():
    assert sorted(_ROW.findall(PAGE)) == sorted([*rooms(), *sub_rooms()])


def test_the_picture_shows_every_room_and_sub_room_and_no_other():
    assert sorted(drawn(PICTURE)) == sorted([*rooms(), *sub_rooms()])


def test_a_room_that_nobody_drew_is_found():
    without = PICTURE.replace(">canonical<", ">canon<")
    assert set(drawn(PICTURE)) - set(drawn(without)) == {"records/canonical"}


@pytest.mark.parametrize(("room", "layers"), list(orders()), ids=lambda value: value if isinstance(value, str) else "")
def test_the_picture_has_the_order_that_is_proven(room, layers):
    """Rooms from top to bottom, sub-rooms from left to right; those in one layer side by side."""
    places = drawn(PICTURE)
    for upper, lower in pairwise([[each for each in layer if not each.startswith("_")] for layer in layers]):
        for above in upper:
            for below in lower:
                if room:
                    assert places[f"{room}/{above}"][0] < places[f"{room}/{below}"][0]
                else:
                    assert places[above][1] < places[below][1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page):
    assert unknown_files(page.read_text("utf-8"), KNOWN) == []


def test_a_file_that_does_not_exist_is_found():
    page = "See `change/_engine.py`, `_engine.py:12`, `_motor.py` and [it](../src/seedbed/change/_moved.py).\n"
    assert unknown_files(page, KNOWN) == ["_motor.py", "src/seedbed/change/_moved.py"]


def test_the_glossary_is_sorted_and_defines_each_word_once():
    words = _WORD.findall((DOCS / "glossary.md").read_text("utf-8"))
    assert len(words) > 100
    assert defined_twice((DOCS / "glossary.md").read_text("utf-8")) == []
    assert words == sorted(words, key=lambda word: re.sub("[-_]", " ", word.lower()))


def test_a_word_that_is_defined_twice_is_found():
    assert defined_twice("- **run**: one.\n- **stage**: two.\n- **Run**: three.\n") == ["run"]


def test_no_other_page_has_a_glossary():
    pages = [page for page in PAGES if page.name != "glossary.md"]
    assert [page for page in pages if _HEADING.search(page.read_text("utf-8"))] == []


def test_every_page_is_in_the_menu_of_the_site_and_every_room_has_a_page_of_its_names():
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    assert sorted(pages_of(menu)) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
    named = {page.stem for page in (DOCS / "api").glob("*.md")} - {"index"}
    assert sorted(name for name in named if "." not in name) == rooms()


def test_every_word_that_a_record_or_a_gate_prints_is_in_the_glossary():
    from seedbed.contracts import Feature, Outcome, RuntimeMode, Verdict

    words = {re.sub(r" \(.*", "", word).lower() for word in _WORD.findall((DOCS / "glossary.md").read_text("utf-8"))}
    printed = [*RuntimeMode, *Outcome, Feature.SDPA, Feature.FLASH, Feature.CDC, Verdict.INCONCLUSIVE]
    assert {str(word.value).lower() for word in printed} <= words
