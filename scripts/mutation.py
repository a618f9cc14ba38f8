"""Mutation tests of the core of records: cosmic-ray makes every small change that it knows; lists what no test notices.

Each mutant changes one operator, number, condition or exception of one module, in a copy of the tree, and the tests of
that module run against it. A survivor is either explained in `scripts/mutation.yaml` (why it makes no difference) or a
gap in the tests: then this exits with 1.

    python scripts/mutation.py                                     about an hour on one core
    python scripts/mutation.py _comparison --json                  one module
"""

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

ROOT = Path(__file__).parents[1]
EXPLAINED = Path(__file__).with_suffix(".yaml")
# The fast ones first: they kill most mutants, so the others need not run.
TESTS = {
    "_comparison": ["comparison.py", "why.py", "log.py"],
    "_log": ["log.py", "checkpoint.py", "store.py", "baseline.py", "comparison.py", "turns.py", "fsck.py"],
    "_durable": [
        "durable.py",
        "files.py",
        "journal.py",
        "crash.py::test_every_durable_call_may_fail_and_the_next_writer_goes_on",
        "gc.py",
    ],
}
FOLDERS = {"_comparison": "compare", "_log": "log", "_durable": "storage"}
# Left out: `|` joins only flags and types here, where + and ^ mean the same and others are errors; `*` and `**`
# only mark and unpack arguments.
LEFT_OUT = ["core/ReplaceBinaryOperator_BitOr_(?!BitAnd)", "core/ReplaceBinaryOperator_(Mul|Pow)_"]


@dataclass(frozen=True)
class Survivor:
    """A mutant that no test noticed: the source line, and how cosmic-ray changed it."""

    module: str
    function: str
    line: str
    change: str
    why: str | None


def main() -> int:
    """Run the chosen modules; return 1 when a survivor is not explained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(TESTS)}; the default is all")
    parser.add_argument(
        "--cosmic-ray", default=shutil.which("cosmic-ray"), help="the command, if it is not on the path"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    if unknown := set(options.modules) - TESTS.keys():
        parser.error(f"no such module: {', '.join(sorted(unknown))}")
    console, known = Console(stderr=options.json), yaml.safe_load(EXPLAINED.read_text())
    found = {module: mutate(module, known, options.cosmic_ray, console) for module in options.modules or TESTS}
    survivors = [survivor for _, listed in found.values() for survivor in listed]
    if options.json:
        counts = {module: {"mutants": total, "survived": len(listed)} for module, (total, listed) in found.items()}
        print(json.dumps({"modules": counts, "survivors": [asdict(item) for item in survivors]}, indent=2))
    else:
        show(found, console)
    return 1 if any(survivor.why is None for survivor in survivors) else 0


def source_file(module: str) -> str:
    """The source file of `module`."""
    return f"src/seedbed/records/{FOLDERS[module]}/{module}.py"


def mutate(module: str, known: list[dict], command: str, console: Console) -> tuple[int, list[Survivor]]:
    """Test every mutant of `module`; return their number and the survivors."""
    with tempfile.TemporaryDirectory() as folder:
        tree, session = Path(folder) / "tree", Path(folder) / "session.sqlite"
        copy_tree(tree)
        tests = " ".join(f"tests/records/test_records_{name}" for name in TESTS[module])
        config = Path(folder) / "config.toml"
        config.write_text(
            "[cosmic-ray]\n"
            f'module-path = "{source_file(module)}"\n'
            "timeout = 120.0\nexcluded-modules = []\n"
            f'test-command = "{sys.executable} -m pytest -x -q -p no:cacheprovider {tests}"\n'
            'distributor.name = "local"\n'
            f"filters.operators-filter.exclude-operators = {json.dumps(LEFT_OUT)}\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
        subprocess.run([command, "init", config, session], cwd=tree, env=environment, check=True)
        subprocess.run([Path(command).with_name("cr-filter-operators"), session, config], env=environment, check=True)
        run = subprocess.Popen([command, "exec", config, session], cwd=tree, env=environment)
        watch(run, module, session, console)
        dumped = subprocess.run([command, "dump", session], capture_output=True, text=True, check=True).stdout
        results = [item for item in map(json.loads, dumped.splitlines()) if item[1]["worker_outcome"] != "skipped"]
        source = (tree / source_file(module)).read_text().splitlines()
        return len(results), list(survivors_of(results, module, known, source))


def copy_tree(target: Path) -> None:
    """Copy the files that git tracks, with their present content, to `target`."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def watch(run: subprocess.Popen[bytes], module: str, session: Path, console: Console) -> None:
    """Show the progress of `run` until it ends; raises CalledProcessError when it failed."""
    with Progress(console=console) as progress:
        task = progress.add_task(module, total=None)
        while run.poll() is None:
            with closing(sqlite3.connect(f"file:{session}?mode=ro", uri=True)) as database:
                done = database.execute("SELECT count(*) FROM work_results").fetchone()[0]
                total = database.execute("SELECT count(*) FROM work_items").fetchone()[0]
            progress.update(task, completed=done, total=total)
            try:
                run.wait(timeout=2)
            except subprocess.TimeoutExpired:
                continue
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, run.args)


def survivors_of(results: list[list[dict]], module: str, known: list[dict], source: list[str]) -> Iterator[Survivor]:
    """The mutants in `results` that no test killed, with their explanations in `known`."""
    ours = [item for item in known if item["module"] == module]
    for work, result in results:
        if result["test_outcome"] != "survived":
            continue
        mutation = work["mutations"][0]
        line = source[mutation["start_pos"][0] - 1].strip()
        change = mutation["operator_name"].removeprefix("core/")
        why = next((item["why"] for item in ours if item["line"] == line and change in item["changes"]), None)
        yield Survivor(module, mutation["definition_name"] or "", line, change, why)


def show(found: dict[str, tuple[int, list[Survivor]]], console: Console) -> None:
    """The counts, and every survivor with its explanation."""
    counts = Table("module", "mutants", "killed", "survived", "of them not explained")
    for module, (total, listed) in found.items():
        unexplained = sum(item.why is None for item in listed)
        counts.add_row(module, *map(str, (total, total - len(listed), len(listed), unexplained)))
    console.print(counts)
    survivors = Table("survivor", "line", "change", "why it makes no difference")
    for _, listed in found.values():
        for item in listed:
            survivors.add_row(f"{item.module}.{item.function}", item.line, item.change, item.why or "[red]a gap[/]")
    console.print(survivors)


if __name__ == "__main__":
    sys.exit(main())
