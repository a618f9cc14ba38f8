"""Print constraints.txt with another torch: the oldest that pyproject.toml allows, or the newest there is.

Everything else keeps its pinned version, so that a failure is torch's. For `make test-oldest` and `make test-newest`.

    python scripts/torch_constraints.py oldest
"""

import argparse
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=["oldest", "newest"])
    which = parser.parse_args().which
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    print("\n".join(constraints(pinned, oldest(project["dependencies"]) if which == "oldest" else None)))


def oldest(dependencies: Iterable[str]) -> str:
    """The lower bound of torch among `dependencies`, such as `2.13`."""
    bounds = [bound[1] for each in dependencies if (bound := re.fullmatch(r"torch>=([\d.]+)", each))]
    if len(bounds) != 1:
        raise SystemExit("pyproject.toml: expected one dependency of the form 'torch>=VERSION'")
    return bounds[0]


def constraints(pinned: Iterable[str], torch: str | None) -> list[str]:
    """The lines of `pinned` with torch at the version `torch`, or with no word about it for None."""
    others = [line for line in pinned if not line.startswith("torch==")]
    return others if torch is None else [*others, f"torch=={torch}"]


if __name__ == "__main__":
    main()
