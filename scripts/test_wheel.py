"""Build the sdist and the wheel, install the wheel in a fresh environment, and use it there as a user does.

The wheel is built from the unpacked sdist, so that both are complete. Its files are compared with the source tree. Then
it is installed under constraints.txt into a temporary environment, and every command runs in a temporary folder where
the source tree cannot be imported. Exits with 1 and says which step failed.

    python scripts/test_wheel.py
    python scripts/test_wheel.py --without-source
    python scripts/test_wheel.py --build-only

With --without-source, `src` and `docs` are moved away while the wheel is tested. That is meant for CI's own checkout.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ("src", "docs")
NOT_SHIPPED = "__pycache__"

# What a user would never have: the checkout's own modules. Prints where seedbed was imported from.
NOTHING_FROM_THE_SOURCE = """
import sys
from importlib.util import find_spec
from pathlib import Path
import seedbed
root = Path(sys.argv[1])
found = [name for name in ("benchmarks", "conftest", "public_surface", "scripts", "tests") if find_spec(name)]
inside = [path for path in [*sys.path, seedbed.__file__] if Path(path).resolve().is_relative_to(root)]
sys.exit(f"importable from the source tree: {found + inside}" if found + inside else 0)
"""

FLIGHTS = "from seedbed.temporal import load_flights; assert len(load_flights()) > 100_000"


class StepFailed(Exception):
    """A step of the test failed; the text says which, and what was expected."""


@dataclass(frozen=True)
class Step:
    """One command of the test: what it shows, its words, texts that its output must hold, and its exit code."""

    title: str
    command: Sequence[str]
    says: Sequence[str] = ()
    code: int = 0


def main() -> int:
    """Build, install, test; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="the folder for the sdist and the wheel")
    parser.add_argument("--build-only", action="store_true", help="build and compare the files; install nothing")
    parser.add_argument("--without-source", action="store_true", help="move src and docs away during the test")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="seedbed-wheel-") as folder:
            wheel = built(options.dist.resolve(), Path(folder))
            if not options.build_only:
                test(wheel, Path(folder), without_source=options.without_source)
    except StepFailed as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1
    done = "has the files that it must" if options.build_only else "works on its own"
    print(f"{wheel.name} {done}; {time.monotonic() - began:.0f} s")
    return 0


def built(dist: Path, folder: Path) -> Path:
    """The wheel, new in `dist`, with exactly the files of the source tree. Raises StepFailed otherwise."""
    with timed("build the sdist, and the wheel from it"):
        wheel = build(dist, folder)
    with zipfile.ZipFile(wheel) as archive:
        problems = differences(archive.namelist(), expected_files(ROOT))
    if problems:
        raise StepFailed(f"{wheel.name} does not hold what it must: {'; '.join(problems)}")
    return wheel


def test(wheel: Path, folder: Path, *, without_source: bool) -> None:
    """Install `wheel` in `folder` and perform every step. Raises StepFailed at the first that fails."""
    pages = sorted(path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in shipped_pages(ROOT / "docs"))
    work = folder / "work"
    work.mkdir()
    for example in ("plain_loop.py", "by_hand.py"):
        shutil.copy(ROOT / "examples" / example, work)
    with timed("install the wheel under constraints.txt"):
        python = install(folder / "venv", f"{wheel}[stages]")
    version = wheel.name.split("-")[1]
    with source_moved_away(folder) if without_source else nullcontext():
        for step in steps(python, version, pages):
            with timed(step.title):
                perform(step, work)


def steps(python: Path, version: str, pages: Iterable[str]) -> list[Step]:
    """What a user does after the installation, in order. Nothing tunes that short soak, so its gate must fail."""
    seedbed = str(python.with_name("seedbed"))
    return [
        Step("nothing of the source tree is importable", [str(python), "-c", NOTHING_FROM_THE_SOURCE, str(ROOT)]),
        Step("seedbed --version", [seedbed, "--version"], [f"seedbed {version}"]),
        Step("python -m seedbed --help", [str(python), "-m", "seedbed", "--help"], ["seedbed demo"]),
        Step("seedbed docs", [seedbed, "docs", "--plain"], list(pages)),
        Step("seedbed docs query", [seedbed, "docs", "query"], ["seedbed runs list --where"]),
        Step("seedbed init", [seedbed, "init"]),
        Step("seedbed soak run", [seedbed, "soak", "run", "--mock", "--iterations", "4"], ["gate: NO_DATA"], code=3),
        Step("seedbed soak verify", [seedbed, "soak", "verify", "--strict"]),
        Step("examples/plain_loop.py", [str(python), "plain_loop.py"], ["gate: PASS"]),
        Step("examples/by_hand.py", [str(python), "by_hand.py"], ["gate: PASS"]),
        Step("seedbed runs list", [seedbed, "runs", "list"]),
        Step("seedbed runs verify", [seedbed, "runs", "verify", "latest"]),
        Step("seedbed runs fsck", [seedbed, "runs", "fsck"]),
        Step("seedbed runs stats", [seedbed, "runs", "stats"]),
        Step("seedbed gate", [seedbed, "gate", "latest"], ["PASS"]),
        Step("seedbed report", [seedbed, "report", "latest"]),
        Step("the flights are read", [str(python), "-c", FLIGHTS]),
    ]


def build(dist: Path, folder: Path) -> Path:
    """The wheel in `dist`, beside the sdist that it was built from. Older builds there are deleted."""
    python = environment(folder / "builder")
    pip(python, "hatchling")
    for older in [*dist.glob("seedbed-*.whl"), *dist.glob("seedbed-*.tar.gz")]:
        older.unlink()
    run([str(python), "-m", "hatchling", "build", "-t", "sdist", "-d", str(dist)], ROOT)
    (sdist,) = dist.glob("seedbed-*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "sdist", filter="data")
    (unpacked,) = (folder / "sdist").iterdir()
    run([str(python), "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)], unpacked)
    shutil.rmtree(folder / "sdist")
    (wheel,) = dist.glob("seedbed-*.whl")
    return wheel


def expected_files(root: Path) -> set[str]:
    """The wheel's files as the source tree has them: the package, and the pages of docs below `seedbed/docs`."""
    package, docs = root / "src" / "seedbed", root / "docs"
    sources = (path for path in package.rglob("*") if path.is_file() and NOT_SHIPPED not in path.parts)
    return {f"seedbed/{path.relative_to(package).as_posix()}" for path in sources} | {
        f"seedbed/docs/{path.relative_to(docs).as_posix()}" for path in shipped_pages(docs)
    }


def shipped_pages(docs: Path) -> list[Path]:
    """The pages that `seedbed docs` shows; those of the API reference only the site can fill in."""
    return [path for path in docs.rglob("*.md") if path.parent != docs / "api"]


def differences(held: Iterable[str], expected: Iterable[str]) -> list[str]:
    """What a wheel with these files lacks and what it should not have, one sentence each; metadata is left out."""
    have = {name for name in held if ".dist-info/" not in name}
    missing, unexpected = sorted(set(expected) - have), sorted(have - set(expected))
    return [f"{name} is missing" for name in missing] + [f"{name} is not in the source tree" for name in unexpected]


def install(folder: Path, what: str) -> Path:
    """The interpreter of a fresh environment in `folder`, with `what` installed under constraints.txt."""
    python = environment(folder)
    pip(python, what)
    return python


def environment(folder: Path) -> Path:
    """The interpreter of a fresh virtual environment in `folder`."""
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


def pip(python: Path, what: str) -> None:
    """Install `what` under constraints.txt."""
    quiet = ["--quiet", "--disable-pip-version-check"]
    run([str(python), "-m", "pip", "install", *quiet, "--constraint", str(ROOT / "constraints.txt"), what], ROOT)


def perform(step: Step, folder: Path) -> None:
    """Run a step's command in `folder`. Raises StepFailed when it fails or does not say what it must."""
    output = run(step.command, folder, code=step.code)
    missing = [text for text in step.says if text not in output]
    if missing:
        raise StepFailed(f"{step.title}: the output lacks {missing}:\n{output}")


def run(command: Sequence[str], folder: Path, *, code: int = 0) -> str:
    """What a command prints. Raises StepFailed with all of it when the command does not end with `code`."""
    clean = clean_environment(os.environ)
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    if done.returncode != code:
        said = f"{done.stdout}{done.stderr}"
        raise StepFailed(f"{' '.join(command)} ended with {done.returncode}, expected {code}:\n{said}")
    return done.stdout


def clean_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would lead Python or Seedbed back to this checkout."""
    return {name: value for name, value in given.items() if not name.startswith(("PYTHON", "SEEDBED_", "VIRTUAL_ENV"))}


@contextmanager
def source_moved_away(folder: Path) -> Iterator[None]:
    """Move the source out of the checkout, and back at the end."""
    print("src and docs are moved away")
    moved = [(ROOT / name, folder / f"moved-{name}") for name in SOURCE]
    for here, there in moved:
        shutil.move(here, there)
    try:
        yield
    finally:
        for here, there in moved:
            shutil.move(there, here)


@contextmanager
def timed(title: str) -> Iterator[None]:
    """Print how long a step took."""
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:6.1f} s  {title}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
