"""What a proposal says of the column that it takes for the time, and which it prefers."""

from collections.abc import Callable, Iterator, Sequence

import polars as pl

from seedbed.temporal.files._clock_times import joined_example
from seedbed.temporal.files._column_guess import ColumnGuess

__all__ = ["finest", "why_join", "why_unit"]


def finest(
    chosen: ColumnGuess, others: Sequence[ColumnGuess], is_same_day: Callable[[ColumnGuess], bool]
) -> ColumnGuess:
    """The time that was chosen, or if it has whole days only, the first other one that has a time of day as often.

    `is_same_day` says of another column whether it lies on the days of the chosen one: when a table was written is no
    finer time of its events.
    """
    if not chosen.is_daily:
        return chosen
    finer = (guess for guess in others if guess.unit is not None and not guess.is_daily)
    return next((guess for guess in finer if guess.num_filled >= chosen.num_filled and is_same_day(guess)), chosen)


def why_join(cells: pl.DataFrame) -> str:
    """What to do with a date and the time of day in another column."""
    date, clock = cells.columns
    both = cells.drop_nulls()
    example = joined_example(*both.row(0)) if len(both) else "2024-01-31 08:15"
    return (
        f"t {date}, but check it: it has whole days only, so that events of one day do not see each other, and "
        f"{clock} holds the time of day: write both into one column, such as {example}, and name that one as t"
    )


def why_unit(chosen: ColumnGuess) -> Iterator[str]:
    """The reasons for the time unit and the time format."""
    if chosen.unit is None and chosen.whole_in is not None:
        yield (
            f"time_unit {chosen.whole_in}, but check it: the times have fractions and are no dates between 1990 and "
            "2100; they are taken for seconds, which are whole in it"
        )
    elif chosen.unit is None:
        yield "time_unit other: the times are no dates between 1990 and 2100; set the unit if you know it"
    elif chosen.kind == "whole":
        yield f"time_unit {chosen.unit}: in it the times lie between 1990 and 2100"
    elif chosen.unit != "seconds":
        yield f"time_unit {chosen.unit}: the times have fractions of a second, which are whole in it"
    if chosen.time_format is not None:
        others = "".join(f", and so does {pattern}: check which is meant" for pattern in chosen.other_formats)
        yield f"time_format {chosen.time_format}: it reads every time that was looked at{others}"
