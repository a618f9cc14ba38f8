"""A proposal of what each column of a file of events means, with the reason for each guess."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import polars as pl

from seedbed.errors import InvalidInput
from seedbed.temporal._schema import StreamSchema
from seedbed.temporal._ties import heavy_ties
from seedbed.temporal._time_unit import TimeUnit, units_per_day
from seedbed.temporal.files._cells import emptied
from seedbed.temporal.files._clock_times import HOURS, are_clock_numbers
from seedbed.temporal.files._column_guess import ColumnGuess, guess_column
from seedbed.temporal.files._column_names import ACTORS, ONE_KIND, THINGS, TIMES, plain_name, tells_an_outcome
from seedbed.temporal.files._contacts import why_directed
from seedbed.temporal.files._container import Container
from seedbed.temporal.files._decimals import Decimal, plain_decimals, why_no_numbers
from seedbed.temporal.files._event_file import MAX_CATEGORIES, EventFile
from seedbed.temporal.files._file_format import FileFormat
from seedbed.temporal.files._form_guess import with_form
from seedbed.temporal.files._time_advice import advice_on_time, why_days
from seedbed.temporal.files._time_choice import finest, why_join, why_unit

__all__ = ["FileProposal", "propose"]

_ROWS = 10_000
_MOST_CATEGORIES = 20
_FEWEST_TO_TELL = 100  # rows: among fewer, a node may well not have come again yet
_NEARLY_ALL = 0.98  # of the values are different
_DEGREES = r"[+-]?[0-9]+[.,][0-9]+\s*°?\s*[nsew]?"
_PLACE = rf"(?i)^(?:point\s*)?[(\[]?\s*{_DEGREES}\s*[,;/ ]\s*{_DEGREES}\s*[)\]]?$"


@final
@dataclass(frozen=True)
class FileProposal:
    """What a file seems to be: columns, format and time unit, and one sentence for each guess.

    `is_sorted` says whether the rows that were looked at are in the order of their times. `num_events` is known where
    all rows were looked at.
    """

    columns: StreamSchema
    file: FileFormat
    time_unit: TimeUnit
    reasons: tuple[str, ...]
    is_sorted: bool
    num_events: int | None


def propose(path: Path) -> FileProposal:
    """Look at the first 10,000 rows of a file of events, and propose how to read it.

    Raises NotFound without the file, InvalidInput when it cannot be read, or when no source, destination or time is to
    be seen in it.
    """
    container, reasons = with_form(Container.of(path, FileFormat()), _ROWS)
    frame = container.read(None, rows=_ROWS)
    if frame.is_empty():
        raise InvalidInput(f"{path}: expected at least 1 event, found none; check what wrote the file")
    container.refuse_repeated(frame.columns)
    if nameless := container.nameless(frame.columns):
        frame = frame.drop(nameless)
        num = "1 column" if len(nameless) == 1 else f"{len(nameless)} columns"
        reasons.append(f"{num} without a name left out: name them in the header to use them")
    guesses = [guess_column(column) for column in frame.get_columns()]
    return _Columns(container, frame, guesses, reasons).proposal()


@final
class _Columns:
    """The columns of one file, each of which gets one meaning."""

    def __init__(
        self, container: Container, frame: pl.DataFrame, guesses: list[ColumnGuess], reasons: list[str]
    ) -> None:
        self._container, self._frame, self._reasons = container, frame, reasons
        self._left = {guess.name: guess for guess in guesses}
        self._clocks = [guess.name for guess in guesses if self._is_clock(guess)]
        self._no_nodes = set(self._clocks)
        self._unclear: dict[str, str] = {}
        self._times: list[str] = []
        self._words = {guess.name: guess.null for guess in guesses if guess.kind == "text"}

    def proposal(self) -> FileProposal:
        decimal = self._choose_decimal()
        time = self._take_time()
        src, dst, bipartite = self._take_ends()
        event_id = self._take_event_id()
        label = self._take_label()
        if decimal == ",":
            self._leave_out_points()
        features, categorical, used = self._take_features()
        null = tuple(sorted({word for guess in (time, *used) for word in guess.null}))
        if null:
            self._reasons.append(f"null {', '.join(null)}: these stand in columns of numbers or times")
        if decimal == ",":
            self._reasons.append(
                "decimal comma: every number of some column is written with one, or without a fraction; "
                "a point between thousands, as in 1.450,31, is left out"
            )
            self._ask_of_thousands(used)
        found = {"null": null, "decimal": decimal, "time_format": time.time_format}
        form = FileFormat.model_validate({**self._container.form.model_dump(), **found})
        columns = StreamSchema(
            src=src,
            dst=dst,
            t=time.name,
            features=features,
            categorical=categorical,
            label=label,
            event_id=event_id,
            bipartite=bipartite,
        )
        unit = time.unit or time.whole_in or "other"
        num_events = len(self._frame) if self._is_whole_file else None
        file = EventFile.of(self._container.written_as(form), self._frame)
        self._ask_of_empty_words((src, dst), categorical, null)
        for name, where in ((name, file.where_empty(name)) for name in (src, dst, time.name)):
            if where is not None:
                self._reasons.append(
                    f"{name} is empty {where}: training refuses that, so fill the cells or drop the rows"
                )
        t = _times(file, time.name, unit).drop_nulls().to_numpy()
        if tied := heavy_ties(t):
            self._reasons.append(f"t {time.name}, but check it: {tied}")
        is_sorted = bool((t[1:] >= t[:-1]).all())
        return FileProposal(columns, form, unit, tuple(self._reasons), is_sorted, num_events)

    def _is_clock(self, guess: ColumnGuess) -> bool:
        """Whether it holds times of day; numbers do so only by their name, beside dates, and if they begin again."""
        if guess.kind != "whole" or plain_name(guess.name) not in HOURS or guess.unit is not None:
            return guess.kind == "clock time"
        numbers = self._frame[guess.name].cast(pl.Float64, strict=False).drop_nulls().cast(pl.Int64, strict=False)
        begins_again = are_clock_numbers(numbers) and not numbers.is_sorted()
        return begins_again and any(other.is_daily for other in self._left.values())

    def _choose_decimal(self) -> Decimal:
        """The sign that some column shows; without one that does, columns that may have either are left out."""
        commas = [guess for guess in self._left.values() if guess.decimal == ","]
        if any(not guess.is_ambiguous for guess in commas):
            return ","
        for guess in commas:
            cell, as_decimal, plain = self._readings(guess.name)
            self._unclear[guess.name] = (
                f"{cell} may mean {as_decimal}, with a decimal comma, or {plain}, with a comma between thousands, and "
                "no column shows which"
            )
            self._reasons.append(
                f'{guess.name} is left out: {self._unclear[guess.name]}: set data.file.decimal to "," and add '
                f"{guess.name} to features, or write it without the comma"
            )
            del self._left[guess.name]
        return "."

    def _readings(self, name: str) -> tuple[str, str, str]:
        """The first cell with a comma, as it is, with a point in place of the comma, and without it."""
        cells = self._frame[name].cast(pl.String)
        cell = str(cells.filter(cells.str.contains(",", literal=True))[0])
        return cell, cell.replace(",", "."), cell.replace(",", "")

    def _take_time(self) -> ColumnGuess:
        kinds = ("time", "whole", "fraction")
        named = [guess for name in TIMES for guess in self._left.values() if plain_name(guess.name) == name]
        dated = [guess for guess in self._left.values() if guess.unit is not None]
        rising = [guess for guess in self._left.values() if guess.kind == "whole" and self._rises(guess.name)]
        found = [guess for guess in (*named, *dated, *rising) if guess.name not in self._clocks and guess.kind in kinds]
        chosen = found[0] if found else None
        unclear = next((name for name in self._unclear if plain_name(name) in TIMES), None)
        if unclear is not None and chosen not in named:
            raise InvalidInput(
                f"{self._container.path}: column {unclear!r}: expected times, as its name says, but "
                f"{self._unclear[unclear]}; write them without the comma"
            )
        if chosen is None and named:
            cells = self._frame[named[0].name].drop_nulls().cast(pl.String)
            shown = repr(cells[0]) if len(cells) else "empty cells"
            raise InvalidInput(
                f"{self._container.path}: column {named[0].name!r}: expected times, as its name says, found {shown}; "
                f"{advice_on_time(cells.head(1))}"
            )
        if chosen is None:
            raise self._missing("a time: whole numbers, dates, or a column named t, time or timestamp")
        coarse = chosen
        chosen = finest(coarse, [guess for guess in found if guess in named], lambda it: self._is_same_day(coarse, it))
        why = (
            "its name" if chosen in named else "its values, which are dates" if chosen in dated else "its rising values"
        )
        if chosen is not coarse:
            why += f"; {coarse.name} has whole days only, so check that both tell the same moment"
        self._refuse_days(chosen)
        self._reasons += [f"t {chosen.name}: from {why}", *why_unit(chosen)]
        if chosen.is_daily and self._clocks:
            self._reasons.append(why_join(self._frame.select(chosen.name, self._clocks[0])))
        self._times.append(chosen.name)
        return self._left.pop(chosen.name)

    def _refuse_days(self, time: ColumnGuess) -> None:
        """Numbers with fractions are read as seconds, which days are not."""
        if time.kind != "fraction" or time.unit is not None:
            return
        cells = self._frame[time.name]
        filled = cells.filter(~cells.is_in(["", *time.null])) if cells.dtype == pl.String else cells
        numbers = plain_decimals(filled, time.decimal) if cells.dtype == pl.String else cells
        if why := why_days(numbers.cast(pl.Float64, strict=False).drop_nulls()):
            raise InvalidInput(f"{self._container.path}: column {time.name!r}: numbers with fractions, {why}")

    def _is_same_day(self, date: ColumnGuess, time: ColumnGuess) -> bool:
        """Whether, in nearly every row that has both, the time lies on the day of the date."""
        same = self._days(date) == self._days(time)
        return bool(same.any()) and int(same.sum()) >= _NEARLY_ALL * (len(same) - same.null_count())

    def _days(self, guess: ColumnGuess) -> pl.Series:
        """The UTC day of each row of a column that surely holds times; null where it is empty."""
        unit = guess.unit or "seconds"
        found = {"null": guess.null, "decimal": guess.decimal, "time_format": guess.time_format}
        form = FileFormat.model_validate({**self._container.form.model_dump(), **found})
        file = EventFile.of(self._container.written_as(form), self._frame)
        return _times(file, guess.name, unit) // (units_per_day(unit) or 1)

    def _take_ends(self) -> tuple[str, str, bool]:
        """The source and the destination; a column that only its numbers keep from being one of them is named."""
        while True:
            src, dst, why, bipartite = self._likely_ends()
            refused = {src, dst} - {name for name in (src, dst) if self._left[name].no_id is None}
            if not refused:
                return self._ends(src, dst, why, bipartite=bipartite)
            for name in sorted(refused):
                self._reasons.append(
                    f"{name} is no node: it {self._left[name].no_id}, and ids are whole numbers in 0 .. 2**63 - 1, or "
                    "texts; write such ones if it names nodes"
                )
            self._no_nodes |= refused

    def _likely_ends(self) -> tuple[str, str, str, bool]:
        by_name = {
            plain_name(guess.name): guess.name for guess in reversed(self._left.values()) if self._may_be_id(guess)
        }
        for one, other in ONE_KIND:
            if one in by_name and other in by_name:
                return by_name[one], by_name[other], "from their names, which are of one kind", False
        by_name = {name: column for name, column in by_name.items() if not self._is_document(self._left[column])}
        actor = next((by_name[name] for name in ACTORS if name in by_name), None)
        thing = next((by_name[name] for name in THINGS if name in by_name), None)
        if actor and thing:
            return actor, thing, "from their names, which are of two kinds", True
        ids = [
            name
            for name, guess in self._left.items()
            if self._may_be_id(guess) and not self._is_counter(name) and not self._is_document(guess)
        ]
        first = actor or next((name for name in ids if name != thing), None)
        second = thing or next((name for name in ids if name != first), None)
        if first is None or second is None:
            raise self._missing("a source and a destination: two columns of whole numbers or texts that come again")
        met = set(self._texts(first)) & set(self._texts(second))
        why = "the first columns left that can hold ids; " + ("some ids are in both" if met else "no id is in both")
        return first, second, why, not met

    def _ends(self, src: str, dst: str, why: str, *, bipartite: bool) -> tuple[str, str, bool]:
        kinds = "two kinds of node (bipartite)" if bipartite else "nodes of one kind"
        self._reasons.append(f"src {src}, dst {dst}: {why}; taken for {kinds}")
        for guess in (self._left[src], self._left[dst]):
            if guess.num_filled > 1 and guess.num_distinct >= _NEARLY_ALL * guess.num_filled:
                self._reasons.append(
                    f"{guess.name}, but check it: {_different(guess)} so far; if it is a document number, it is no "
                    "node, so name another column"
                )
        if not bipartite:
            self._reasons.append(why_directed(self._frame[src], self._frame[dst]))
        del self._left[src], self._left[dst]
        return src, dst, bipartite

    def _ask_of_thousands(self, used: list[ColumnGuess]) -> None:
        for guess in used:
            if guess.is_ambiguous:
                cell, as_decimal, plain = self._readings(guess.name)
                self._reasons.append(
                    f"{guess.name}: {cell} is read as {as_decimal}; if it means {plain}, write it without the comma"
                )

    def _ask_of_empty_words(self, ends: Sequence[str], categories: Sequence[str], null: Sequence[str]) -> None:
        """Name the words such as NA that stand among names; those of `null` are empty cells."""
        for name in (*ends, *categories):
            if words := ", ".join(word for word in self._words.get(name, ()) if word not in null):
                drop = ", and drop its rows, since training refuses an empty id" if name in ends else ""
                self._reasons.append(
                    f"{name} holds {words}, read as a name: if that means an empty cell, add it to data.file.null{drop}"
                )

    def _leave_out_points(self) -> None:
        """Leave out the columns of numbers that cannot be read with the decimal comma that other columns have."""
        for guess in [guess for guess in self._left.values() if guess.kind in ("whole", "fraction")]:
            cells = self._frame[guess.name]
            if cells.dtype != pl.String or not cells.str.contains(r"[0-9]\.[0-9]").any():
                continue
            filled = cells.filter(~cells.is_in(["", *guess.null]))
            if plain_decimals(filled, ",").null_count():
                self._reasons.append(f"{guess.name} is left out: its numbers have a decimal point, others a comma")
                del self._left[guess.name]

    def _take_event_id(self) -> str | None:
        """The first document number of which every row has its own, in a file of which every row was looked at."""
        for guess in self._left.values():
            if not (self._is_whole_file and self._names_rows(guess) and guess.num_distinct == len(self._frame)):
                continue
            if not self._has_blanks(guess):
                self._reasons.append(
                    f"event_id {guess.name}: {_different(guess)}: it may be a document number, no node"
                )
                del self._left[guess.name]
                return guess.name
        return None

    def _take_label(self) -> str | None:
        name = next((name for name in self._left if plain_name(name) in ("label", "state_label", "y")), None)
        if name is None or self._left[name].kind not in ("whole", "fraction", "truth"):
            return None
        self._reasons.append(f"label {name}: from its name")
        del self._left[name]
        return name

    def _take_features(self) -> tuple[tuple[str, ...], tuple[str, ...], list[ColumnGuess]]:
        numbers, categories = [], []
        for guess in self._left.values():
            reason = self._why_no_feature(guess)
            if reason is not None:
                self._reasons.append(f"{guess.name} is left out: {reason}")
            elif guess.kind == "text":
                categories.append(guess)
                self._reasons.append(f"{guess.name} is a category: text of {guess.num_distinct} values")
            else:
                numbers.append(guess)
        names = [guess.name for guess in self._left.values() if guess in numbers or guess in categories]
        self._ask_of_later(names)
        return tuple(names), tuple(guess.name for guess in categories), numbers

    def _ask_of_later(self, names: list[str]) -> None:
        if names:
            self._reasons.append(
                f"features {', '.join(names)}: taken as known when the event happens; "
                "move what is known only later to late_features"
            )
        times = [plain_name(guess.name) for guess in self._left.values() if guess.unit is not None]
        later = [name for name in names if tells_an_outcome(plain_name(name), times)]
        if later:
            self._reasons.append(
                f"{', '.join(later)}: by the name, known only after the event; then move it to late_features, and name "
                "in known_at the column of the time from which it is known, or leave it out"
            )

    def _why_no_feature(self, guess: ColumnGuess) -> str | None:
        if guess.kind == "nested":
            return "it is nested, of records or lists; write what is in them as columns of their own to use it"
        if guess.kind == "unread":
            return f"values of its type, {self._frame[guess.name].dtype}, are not read; write them as numbers or texts"
        if guess.kind == "clock time":
            return "it holds times of day, which are neither nodes nor categories; as a number, it may be a feature"
        if guess.kind == "empty" or guess.num_distinct < 2:
            return "it holds one value or none"
        if guess.unit is not None or guess.kind == "time":
            return "it holds another time; if it says when something became known, it may be known_at"
        if self._is_counter(guess.name):
            return "it counts the rows"
        if self._names_rows(guess):
            if self._has_blanks(guess):
                return f"{_different(guess)}: it is text that hardly ever repeats, so it is no category"
            may_be = "" if self._is_whole_file else "; if that holds for the whole file, it may be event_id"
            return f"{_different(guess)}: it may be a document number, no node{may_be}"
        if guess.kind == "text" and guess.num_distinct > _MOST_CATEGORIES:
            if odd := self._odd_number(guess):
                return odd
            if self._are_places(guess.name):
                kind = f"text of {guess.num_distinct} values, which look like coordinates"
                return f"{kind}; write each number into a column of its own to use them"
            if guess.num_distinct > MAX_CATEGORIES:
                return f"text of {guess.num_distinct:,} values, more than the {MAX_CATEGORIES} that a category may have"
            return f"text of {guess.num_distinct} values; to use it, add it to features and categorical"
        return None

    @property
    def _is_whole_file(self) -> bool:
        """Whether every row was looked at."""
        return len(self._frame) < _ROWS

    def _is_document(self, guess: ColumnGuess) -> bool:
        """Whether its values (nearly) never repeat, so that it names rows and no node, by rows enough to tell.

        The first rows of a long file may hold nodes that come again only later, so there all values must be different.
        """
        fewest = _NEARLY_ALL * guess.num_filled if self._is_whole_file else guess.num_filled
        return guess.num_filled >= _FEWEST_TO_TELL and guess.num_distinct >= fewest

    def _names_rows(self, guess: ColumnGuess) -> bool:
        """Whether it is a document number; other numbers that are all different may be measured values."""
        is_named = guess.kind == "text" or (guess.kind == "whole" and self._rises(guess.name))
        is_document = is_named and self._may_be_id(guess) and self._is_document(guess)
        return is_document and not self._are_places(guess.name) and not self._odd_number(guess)

    def _has_blanks(self, guess: ColumnGuess) -> bool:
        """Whether some of its cells are texts of several words, which no document number is."""
        return bool(self._frame[guess.name].cast(pl.String).str.contains(r"\s").any())

    def _is_counter(self, name: str) -> bool:
        if self._left[name].kind != "whole" or self._left[name].num_filled < len(self._frame):
            return False
        steps = self._frame[name].cast(pl.Int64, strict=False).diff().drop_nulls()
        return len(steps) > 0 and bool((steps == 1).all())

    def _rises(self, name: str) -> bool:
        values = self._frame[name].cast(pl.Int64, strict=False)
        return not values.null_count() and values.is_sorted() and not self._is_counter(name)

    def _are_places(self, name: str) -> bool:
        """Whether its texts are pairs of numbers with fractions, as coordinates are."""
        cells = self._frame[name].cast(pl.String).drop_nulls()
        return bool(cells.filter(cells != "").str.contains(_PLACE).all())

    def _odd_number(self, guess: ColumnGuess) -> str | None:
        """What is wrong with the first of its texts that is no number, if most are numbers and such words as NA."""
        if guess.kind != "text":
            return None
        cells = self._frame[guess.name].cast(pl.String)
        return why_no_numbers(emptied(cells, ("", *guess.null)).drop_nulls().unique(maintain_order=True))

    def _may_be_id(self, guess: ColumnGuess) -> bool:
        is_kind = guess.kind in ("whole", "text") and guess.unit is None
        return is_kind and guess.name not in self._no_nodes

    def _texts(self, name: str) -> Sequence[str]:
        return self._frame[name].drop_nulls().cast(pl.String).to_list()

    def _missing(self, what: str) -> InvalidInput:
        found = ", ".join(
            f"{guess.name} ({guess.kind}{f', {_different(guess)}' if self._names_rows(guess) else ''}"
            f"{f', which {guess.no_id}' if guess.name in self._no_nodes and guess.no_id else ''})"
            for guess in self._left.values()
        )
        found += "".join(f", {name} (of which {unclear})" for name, unclear in self._unclear.items())
        found += "".join(f", {name} (taken for the time)" for name in self._times)
        return InvalidInput(
            f"{self._container.path}: expected {what}; the columns are {found}; name them in data.columns yourself"
        )


def _times(file: EventFile, column: str, unit: TimeUnit) -> pl.Series:
    """The time of each row, null where the cell is empty; some cell is filled."""
    cells = emptied(file.frame[column], ("",))
    filled = cells.fill_null(cells.drop_nulls()[0])
    times = pl.DataFrame({"t": replace(file, frame=file.frame.with_columns(filled)).times(column, unit), "cell": cells})
    return times.select(pl.when(pl.col("cell").is_not_null()).then("t")).to_series()


def _different(guess: ColumnGuess) -> str:
    if guess.num_distinct == guess.num_filled:
        return "every value is different"
    return f"{guess.num_distinct:,} of {guess.num_filled:,} values are different"
