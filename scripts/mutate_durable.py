"""Remove one durability promise of the store at a time, and show which test fails first.

Every `os.fsync` in `_durable.py` is removed in turn, and so is everything that makes publication create-only, on a file
system and in a bucket. A row without a failing test is a gap: then this exits with 1. Takes about ten minutes.

    python scripts/mutate_durable.py
    python scripts/mutate_durable.py --json
"""

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mutation import ROOT, copy_tree

STORAGE = "src/seedbed/records/storage"
# The fast ones first: the first failing test ends a row.
TESTS = ("durable", "files", "cloud", "log", "journal", "events", "store", "gc", "crash")
LINK = 'os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=directory, dst_dir_fd=directory)'
LINK_NAMED = "os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)"


@dataclass(frozen=True)
class Removal:
    """One removed promise: in `file` at `line` (from 1), the text `old` becomes `new`."""

    what: str
    file: str
    line: int
    old: str
    new: str


def main() -> int:
    """Run all removals; return 1 when no test notices one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    console = Console(stderr=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_tree(tree)
        for removal in [*syncs(), *create_only()]:
            found = first_failing(tree, removal)
            console.print(f"{removal.what}: {found or 'nothing noticed'}", style="dim" if found else "bold red")
            rows.append((removal, found))
    if options.json:
        print(json.dumps([{**asdict(removal), "first_failing": found} for removal, found in rows], indent=2))
    else:
        table = Table("removed", "where", "first test that fails")
        for removal, found in rows:
            table.add_row(removal.what, f"{Path(removal.file).name}:{removal.line}", found or "[red]none[/]")
        Console().print(table)
    return 0 if all(found for _, found in rows) else 1


def syncs() -> Iterator[Removal]:
    """The removal of every call of os.fsync, named by its function."""
    file = f"{STORAGE}/_durable.py"
    source = (ROOT / file).read_text()
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.fsync":
                call = ast.get_source_segment(source, node) or ""
                yield Removal(f"the sync in {function.name}", file, node.lineno, call, "pass")


def create_only() -> Iterator[Removal]:
    """The removals of everything that prevents a name from being used twice."""
    durable, cloud = f"{STORAGE}/_durable.py", f"{STORAGE}/_cloud.py"
    unlinks = 'os.path.exists(path := f"/proc/self/fd/{directory}/{name}") and os.unlink(path)'
    yield at(durable, "put-if-absent by an unnamed file", LINK, f"({unlinks}, {LINK})")
    yield at(durable, "put-if-absent by a named file", LINK_NAMED, LINK_NAMED.replace("os.link", "os.replace"))
    yield at(durable, "the new name of a temporary file", "os.O_CREAT | os.O_EXCL", "os.O_CREAT")
    yield at(cloud, "put-if-absent in a bucket", 'mode="create"', 'mode="overwrite"')


def at(file: str, what: str, old: str, new: str) -> Removal:
    """The removal at the first occurrence of `old` in `file`; raises ValueError when there is none."""
    source = (ROOT / file).read_text()
    return Removal(what, file, source.count("\n", 0, source.index(old)) + 1, old, new)


def first_failing(tree: Path, removal: Removal) -> str | None:
    """The first test that fails after `removal` in `tree`; restores `tree` afterwards."""
    path = tree / removal.file
    whole = path.read_text()
    lines = whole.splitlines(keepends=True)
    lines[removal.line - 1] = lines[removal.line - 1].replace(removal.old, removal.new)
    path.write_text("".join(lines))
    if path.read_text() == whole:
        raise ValueError(f"nothing changed: {removal}")
    tests = [f"tests/records/test_records_{name}.py" for name in TESTS]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    path.write_text(whole)
    named = re.search(r"^(?:FAILED|ERROR) \S+?test_records_(\S+)", done.stdout, re.MULTILINE)
    return named[1] if named else None if done.returncode == 0 else "pytest itself"


if __name__ == "__main__":
    sys.exit(main())
