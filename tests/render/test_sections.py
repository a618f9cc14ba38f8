"""Sections of a command's answer can be read at any width, and no cell is squeezed into a narrow column."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from seedbed.contracts import CheckKind, CheckReport, GateReport, Verdict
from seedbed.render.text._gate_text import gate_text
from seedbed.render.text._layout import section

LONG = "difference(window.edge_bps_per_hour, control_window.edge_bps_per_hour) > 0 in [-10, 10] @ 95%"
REASON = "found 5.08144, above 3.23029 at 95% from 360 samples"


def printed(shown, width):
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, color_system=None).print(shown)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_where_little_room_is_left_the_last_cells_stand_below_whole(width):
    lines = printed(section(Text("gate"), [("PASS", LONG, REASON), ("NO_DATA", "a > 0", "none")]), width)
    assert max(map(len, lines)) <= width
    below = lines.index("  NO_DATA  a > 0")
    assert lines[below + 1].strip() == "none"
    reason = " ".join(line.strip() for line in lines[1:below])
    assert reason == f"PASS     {LONG} {REASON}"
    assert len(lines[1:below]) <= len(reason) // (width - 20) + 2  # no narrow column


def test_where_there_is_room_a_row_is_a_line():
    assert printed(section(Text("gate"), [("PASS", LONG, REASON)]), 170)[1:] == [f"  PASS  {LONG}  {REASON}"]


def test_one_cell_alone_wraps_where_it_stands():
    assert printed(section(Text("t"), [("one two three",)]), 10) == ["t", "  one two", "  three"]


def test_the_checks_of_a_gate_are_printed_in_a_pipe_of_120_columns():
    check = CheckReport(
        metric=LONG.partition(" > ")[0], kind=CheckKind.THRESHOLD, expected=LONG.partition(")")[2].strip(), found=None,
        verdict=Verdict.NO_DATA, reason="the record holds no value",
    )  # fmt: skip
    report = GateReport(gate="soak", verdict=Verdict.NO_DATA, exit_code=3, checks=(check,))
    assert printed(gate_text(report), 120)[1:] == [f"  NO_DATA  {LONG}", "             the record holds no value"]
