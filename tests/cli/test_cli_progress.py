"""What a running job shows, on a terminal and anywhere else."""

import io
import logging
import warnings
from collections.abc import Mapping
from typing import Literal

import pytest
from rich.console import Console

from seedbed.cli.console._progress import watching
from seedbed.cli.console._warnings import warnings_shown
from seedbed.render.text._values import compact, duration, size
from seedbed.runtime import RuntimeDegraded
from seedbed.stages import StepReport


class FakeClock:
    """Seconds that pass only when a test adds them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def report(
    step: int,
    phase: Literal["train", "validation"] = "train",
    num_steps: int = 100,
    ap: float | None = None,
    observed: Mapping[str, int] | None = None,
) -> StepReport:
    return StepReport(phase, step, num_steps, 200, learning_rate=1e-3, loss=0.5, ap=ap, observed=observed or {})


def watched(clock: FakeClock, *reports: StepReport, terminal: bool = False, seconds: float = 1.0) -> str:
    printed = io.StringIO()
    console = Console(file=printed, force_terminal=terminal, width=150)
    with watching(console, clock) as watcher:
        watcher.started("run-a", {"events": "60,000 of flights"})
        for each in reports:
            clock.seconds += seconds
            watcher.stepped(each)
        watcher.noted("step 3: a note [with brackets]")
        assert watcher.run_id == "run-a"
    return printed.getvalue()


def test_without_a_terminal_there_is_a_line_every_few_seconds_and_one_at_the_end():
    lines = watched(FakeClock(), *(report(step, num_steps=12) for step in range(1, 13))).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("train")] == ["5/12", "10/12", "12/12"]
    assert lines[0] == "run run-a"
    assert lines[-1] == "step 3: a note [with brackets]"


def test_a_line_says_rate_loss_ap_learning_rate_and_what_was_witnessed():
    kernel = "aten::_scaled_dot_product_flash_attention_for_cpu"
    shown = watched(FakeClock(), report(100, ap=0.9, observed={kernel: 12}))
    assert "200 events/s  loss 0.5000  validation AP 0.9000  lr 0.001  witnessed flash_attention_for_cpu x 12" in shown


def test_the_loss_beside_a_validation_is_said_to_be_that_of_the_training():
    lines = watched(FakeClock(), report(100), report(8, "validation", num_steps=8, ap=0.9)).splitlines()
    said = {line.split()[0]: line for line in lines if "loss" in line}
    assert "events/s  loss 0.5000  lr" in said["train"]
    assert "events/s  training loss 0.5000  validation AP 0.9000" in said["validation"]


def test_a_phase_is_timed_by_its_own_steps_only():
    clock = FakeClock()
    slow_validation = [report(1), report(1, "validation", 1), report(100)]
    shown = watched(clock, *slow_validation, seconds=2.0)
    assert shown.count("100 events/s") == 2


def test_on_a_terminal_a_bar_is_redrawn_in_place():
    reports = [
        report(1),
        report(1, "validation", 2),
        report(2, "validation", 2),
        report(1, "validation", 2),
        report(100),
    ]
    shown = watched(FakeClock(), *reports, terminal=True)
    assert "100/100" in shown
    assert "\x1b[2K" in shown
    assert "a note [with brackets]" in shown


def test_warnings_of_our_own_are_visible_lines_and_all_others_are_as_usual():
    printed = io.StringIO()
    console = Console(file=printed, width=150)
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        with warnings_shown(console):
            warnings.warn("Runtime degraded: no flash", RuntimeDegraded, stacklevel=1)
            warnings.warn("something else", UserWarning, stacklevel=1)
            logging.getLogger("seedbed.change").warning("change 1 failed at step %d", 10)
            logging.getLogger("seedbed.change").info("unimportant")
    lines = printed.getvalue().splitlines()
    assert lines == ["warning: Runtime degraded: no flash", "warning: change 1 failed at step 10"]
    assert [str(other.message) for other in others] == ["something else"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.417, "0.42 s"), (12.34, "12.3 s"), (59.9, "59.9 s"), (125, "2 min 5 s"), (3780, "1 h 3 min")],
)
def test_durations_are_said_as_people_say_them(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("num_bytes", "said"),
    [(0, "0 B"), (512, "512 B"), (1536, "1.5 KiB"), (3 << 29, "1.5 GiB"), (5 << 50, "5120.0 TiB")],
)
def test_sizes_are_in_binary_units(num_bytes, said):
    assert size(num_bytes) == said


def test_long_values_are_cut_at_their_end():
    assert compact({"a": "b" * 100}, 10) == '{"a": "bb…'
    assert compact("short") == "short"


def test_a_text_is_shown_as_a_text_and_its_control_characters_escaped():
    assert compact(["Preis €", "größe"]) == '["Preis €", "größe"]'
    assert compact({"ü": "a\n\x1b\x9b\u2028"}) == r'{"ü": "a\n\u001b\x9b\u2028"}'
