"""Check that a release can be made of this checkout, build it, test it, and print the commands that tag it.

Checked: the version in src/seedbed/__init__.py is the one that pyproject.toml uses and that the newest entry of
CHANGELOG.md names; that entry has a date; the version has no tag yet; nothing is uncommitted; docs/public-surface.txt
and docs/api are current. Then the sdist and the wheel are built and tested by scripts/test_wheel.py. Nothing is
tagged or uploaded. Exits with 1, and says what to do, when something is wrong.

    python scripts/release.py --check-only
    python scripts/release.py
"""

import argparse
import ast
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VERSION_FILE = "src/seedbed/__init__.py"
_VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
_ENTRY = re.compile(r"^## (?P<title>.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Checkout:
    """What the checks look at.

    `uncommitted` are the lines of `git status --porcelain`, `pages_not_current` those pages of the public surface and
    of the API reference that scripts/public_surface.py would write otherwise.
    """

    version: str
    pyproject: Mapping[str, Any]
    changelog: str
    uncommitted: tuple[str, ...]
    tags: frozenset[str]
    pages_not_current: tuple[str, ...]


def main() -> int:
    """Check, build, test, print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check-only", action="store_true", help="stop after the checks, before anything is built")
    options = parser.parse_args()
    checkout = read(ROOT)
    found = list(problems(checkout))
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    if found:
        return 1
    print(f"version {checkout.version} can be released")
    if options.check_only:
        return 0
    if subprocess.run([sys.executable, ROOT / "scripts" / "test_wheel.py"], check=False).returncode:
        print("error: the wheel failed its test; fix what is named above and start again", file=sys.stderr)
        return 1
    print("Tag it, and upload what is in dist/:", *tag_commands(checkout.version), sep="\n  ")
    return 0


def problems(checkout: Checkout) -> Iterator[str]:
    """What keeps a checkout from being released, one sentence each, with what to do about it."""
    yield from _version_problems(checkout.version, checkout.pyproject)
    yield from _changelog_problems(checkout.version, checkout.changelog)
    if tag_of(checkout.version) in checkout.tags:
        yield f"git: the tag {tag_of(checkout.version)} exists already; give {VERSION_FILE} the next version"
    if checkout.uncommitted:
        yield f"git: uncommitted changes in {', '.join(checkout.uncommitted)}; commit them or take them back"
    for page in checkout.pages_not_current:
        yield f"{page}: is not current; run `python scripts/public_surface.py` and commit the file"


def _version_problems(version: str, pyproject: Mapping[str, Any]) -> Iterator[str]:
    if not _VERSION.fullmatch(version):
        yield f"{VERSION_FILE}: __version__ is {version!r}, expected a form such as 1.2.3 or 1.2.3rc1; correct it"
    project = pyproject["project"]
    stated = project.get("version")
    if stated is not None and stated != version:
        yield f"pyproject.toml: the version is {stated}, expected {version} as in {VERSION_FILE}; remove it there"
    if stated is None:
        path = pyproject["tool"]["hatch"].get("version", {}).get("path")
        if "version" not in project.get("dynamic", ()) or path != VERSION_FILE:
            yield f"pyproject.toml: the version must be dynamic, and tool.hatch.version.path be {VERSION_FILE!r}"


def _changelog_problems(version: str, changelog: str) -> Iterator[str]:
    entry = _ENTRY.search(changelog)
    title = entry["title"] if entry else ""
    named, _, dated = title.partition(" - ")
    expected = f"expected '## {version} - YYYY-MM-DD'"
    if not entry:
        yield f"CHANGELOG.md: there is no entry, {expected}; write one"
    elif named == "Unreleased":
        yield f"CHANGELOG.md: the top entry is still 'Unreleased', {expected}; rename it"
    elif named != version:
        yield f"CHANGELOG.md: the top entry is of {named!r}, {expected}; name the same version in both"
    elif not _is_date(dated):
        yield f"CHANGELOG.md: the top entry has the date {dated!r}, {expected}; give it the day of the release"


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def tag_of(version: str) -> str:
    """The name of a version's tag."""
    return f"v{version}"


def tag_commands(version: str) -> list[str]:
    """The commands that tag a version and publish the tag."""
    tag = tag_of(version)
    return [f'git tag --annotate {tag} --message "Seedbed {version}"', f"git push origin {tag}"]


def version_of(source: str) -> str:
    """The `__version__` that a Python source assigns; the source is not run. Raises LookupError without one."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise LookupError(f"{VERSION_FILE} assigns no __version__")


def read(root: Path) -> Checkout:
    """What the checks look at, from the files and from git."""
    pages = runpy.run_path(str(root / "scripts" / "public_surface.py"))["pages"]()
    return Checkout(
        version=version_of((root / VERSION_FILE).read_text("utf-8")),
        pyproject=tomllib.loads((root / "pyproject.toml").read_text("utf-8")),
        changelog=(root / "CHANGELOG.md").read_text("utf-8"),
        uncommitted=tuple(line[3:] for line in _git(root, "status", "--porcelain")),
        tags=frozenset(_git(root, "tag", "--list")),
        pages_not_current=tuple(str(page.relative_to(root)) for page, text in pages.items() if not _holds(page, text)),
    )


def _holds(page: Path, text: str) -> bool:
    return page.is_file() and page.read_text("utf-8") == text


def _git(root: Path, *arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
