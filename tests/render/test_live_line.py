"""The live line: seldom, in one row, and never in the way of somebody else's print; on a real pseudo-terminal."""

import io
import logging
import os
import pty
import re
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import TextIO

import pytest
from render_sample import commit

from seedbed.render import LiveFacts, LiveLine, summary_lines, summary_text
from seedbed.render.text._live_line import live_words

PRINTED = ["epoch 1 of the user", "a warning of the user", "more on stderr", "change 1 is effective"]
FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal:
    """A pseudo-terminal: `stream` is what a program prints on, `rows` what a person then sees."""

    def __init__(self, master: int, stream: TextIO) -> None:
        self._master, self.stream, self._seen = master, stream, b""

    def raw(self) -> str:
        """Every character since it was opened."""
        self.stream.flush()
        while True:
            try:
                self._seen += os.read(self._master, 65536)
            except BlockingIOError:
                return self._seen.decode()

    def rows(self) -> list[str]:
        """What a screen shows after all of it: this knows `\r`, `\n` and the erasing of a row, and nothing else."""
        rows, column = [""], 0
        text = self.raw().replace("\r\n", "\n")
        while text:
            if text.startswith("\x1b[2K"):
                rows[-1], text = "", text[4:]
            elif text[0] == "\n":
                rows.append("")
                column, text = 0, text[1:]
            elif text[0] == "\r":
                column, text = 0, text[1:]
            else:
                rows[-1] = rows[-1][:column].ljust(column) + text[0] + rows[-1][column + 1 :]
                column, text = column + 1, text[1:]
        return rows


@contextmanager
def terminal(columns: int = 200) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    os.set_blocking(master, False)
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        yield Terminal(master, stream)
    os.close(master)


@pytest.fixture(autouse=True)
def able_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")


def test_the_line_is_due_at_most_four_times_a_second():
    clock = Clock()
    with terminal() as screen:
        line, shown = LiveLine(screen.stream, clock=clock), 0
        for step in range(1000):  # a millisecond a step
            clock.now = 100 + step / 1000
            if line.is_due:
                line.show(LiveFacts(step))
                shown += 1
        assert shown == 4
        line.close()
        assert not line.is_due


def test_the_rate_is_that_of_the_steps_in_between():
    clock = Clock()
    with terminal() as screen:
        line = LiveLine(screen.stream, clock=clock)
        for step in (0, 20, 40, 60):
            line.show(LiveFacts(step))
            clock.now += 0.5
        assert screen.rows() == ["step 60  40.0 steps/s"]
        line.close()
        assert screen.rows() == [""]


def test_what_others_print_stays_whole_and_the_line_comes_back_below():
    logger, clock = logging.getLogger("somebody"), Clock()
    with terminal() as screen, redirect_stderr(screen.stream):
        handler = logging.StreamHandler(screen.stream)  # holds the stream since before the line was there
        logger.addHandler(handler)
        line = LiveLine(screen.stream, clock=clock)
        line.show(LiveFacts(1))
        print("epoch 1 of the user", file=screen.stream)
        line.show(LiveFacts(2))
        logger.warning("a warning of the user")
        sys.stderr.write("more on stderr\n")
        line.show(LiveFacts(3))
        line.say("change 1 is effective")
        line.show(LiveFacts(4))
        seen = screen.rows()
        line.close()
        logger.removeHandler(handler)
        print("after it", file=screen.stream)
        after = screen.rows()
        assert seen == [*PRINTED, "step 4"]
        assert after == [*PRINTED, "after it", ""]


def test_an_unfinished_line_of_somebody_is_left_alone():
    clock = Clock()
    with terminal() as screen:
        line = LiveLine(screen.stream, clock=clock)
        line.show(LiveFacts(1))
        screen.stream.write("\r 10 %|#         |")  # a progress bar
        line.show(LiveFacts(2))
        screen.stream.write("\r 20 %|##        |")
        line.show(LiveFacts(3))
        assert screen.rows() == [" 20 %|##        |"]
        screen.stream.write("\n")
        line.show(LiveFacts(4))
        assert screen.rows() == [" 20 %|##        |", "step 4"]
        line.close()


def test_a_line_that_is_too_long_ends_within_its_row():
    with terminal(columns=40) as screen:
        line = LiveLine(screen.stream, clock=Clock())
        line.show(LiveFacts(7, values={"a long name of a loss": 0.25, "東京": 1.5}, change="change 1: 東京東京東京"))
        (row,) = screen.rows()
        assert row == "step 7  a long name of a loss 0.25  東…"
        line.close()


def test_what_matters_most_comes_first():
    facts = LiveFacts(
        12300, {"loss": 0.31214, "lr": 1e-3}, {FLASH: 4}, "FLASH", "change 1: optimizer.lr 0.001 -> 0.0005"
    )
    assert live_words(facts, 84.21) == (
        "step 12,300  84.2 steps/s  loss 0.3121  lr 0.001  LOST FLASH  change 1: optimizer.lr 0.001 -> 0.0005"
        "  witnessed flash_attention_for_cpu x 4"
    )


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "\u202egnp", "\ud800", "\x9b2J", "\x07"])
def test_a_hostile_name_cannot_move_the_cursor(name):
    words = live_words(LiveFacts(1, values={name: 1.0}, change=name), None)
    assert "\N{REPLACEMENT CHARACTER}" in words
    assert all(character.isprintable() for character in words)


def test_elsewhere_there_is_no_line_but_what_is_said():
    stream = io.StringIO()
    line = LiveLine(stream)
    assert not line.is_due
    line.show(LiveFacts(1))
    line.say("run a has started")
    line.close()
    assert stream.getvalue() == "run a has started\n"
    assert "write" not in vars(stream)


def test_a_summary_is_said_above_the_line_and_as_plain_text_elsewhere(tmp_path):
    now = commit(tmp_path, "a", {"loss": 0.5})
    stream = io.StringIO()
    LiveLine(stream).say(summary_text(now))
    plain = list(summary_lines(now))
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == plain
    with terminal() as screen:
        line = LiveLine(screen.stream, clock=Clock())
        line.show(LiveFacts(1))
        line.say(summary_text(now))
        line.show(LiveFacts(2))
        shown = re.sub("\x1b\\[[0-9;]*m", "", "\n".join(screen.rows())).splitlines()
        line.close()
    assert [each.rstrip() for each in shown] == [*plain, "step 2"]


def test_a_terminal_that_cannot_erase_has_no_line(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with terminal() as screen:
        assert not LiveLine(screen.stream).is_due


def test_where_it_is_quiet_nothing_is_printed_and_no_stream_is_touched():
    with terminal() as screen:
        line = LiveLine(screen.stream, quiet=True)
        line.show(LiveFacts(1))
        line.say("a")
        assert "write" not in vars(screen.stream)
        assert screen.rows() == [""]
        assert not line.is_due


def test_the_streams_are_given_back_as_they_were():
    written: list[str] = []
    with terminal() as screen:
        LiveLine(screen.stream).close()
        assert "write" not in vars(screen.stream)
        setattr(screen.stream, "write", written.append)  # noqa: B010  somebody else's wrapper
        before = screen.stream.write
        line = LiveLine(screen.stream)
        line.close()
        line.close()
        assert screen.stream.write is before


def test_a_terminal_that_has_gone_does_not_end_the_run():
    master, slave = pty.openpty()
    stream = os.fdopen(slave, "w", encoding="utf-8")
    line = LiveLine(stream, clock=Clock())
    line.show(LiveFacts(1))
    os.close(master)
    for step in range(3):
        line.show(LiveFacts(step))
    line.close()
    with pytest.raises(OSError, match="Input/output"):
        stream.close()


def test_asking_costs_less_than_two_microseconds():
    with terminal() as screen:
        line = LiveLine(screen.stream)
        line.show(LiveFacts(1))
        began = time.process_time()
        for _ in range(20_000):
            if line.is_due:
                line.show(LiveFacts(1))
        taken = time.process_time() - began
        line.close()
    assert taken / 20_000 < 2e-6
