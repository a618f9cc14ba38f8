"""The picture of a soak says what was measured, in which unit, which side is good, and what was changed."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from report_page import text_of

from seedbed.contracts import GateReport
from seedbed.dashboard import _soak_drawing, render_soak, soak_drawing
from seedbed.dashboard._soak_words import unit
from seedbed.soak import SoakFolder, assemble, iteration_summaries
from seedbed.soak._readback import read_soak

SVG = "{http://www.w3.org/2000/svg}"
SOAKS = sorted((Path(__file__).parents[1] / "data" / "soaks-1").iterdir())  # one without faults, one with
PHONE, LEAST_PIXELS = 390, 11
# How wide a letter of a sentence is, as a share of the font's size. DejaVu Sans, the widest usual one, has 0.48.
LETTER = 0.52


def picture_of(folder: SoakFolder) -> ET.Element:
    plan = folder.plan()
    readback = read_soak(folder, plan, assemble(plan))
    report = GateReport.model_validate(json.loads(folder.snapshot_path.read_bytes())["gate"])
    return ET.fromstring(render_soak(readback, iteration_summaries(readback), report))


@pytest.fixture(params=SOAKS, ids=lambda path: path.name)
def folder(request) -> SoakFolder:
    return SoakFolder(request.param)


@pytest.fixture
def picture(folder) -> ET.Element:
    return picture_of(folder)


def texts(picture: ET.Element) -> list[ET.Element]:
    return list(picture.iter(f"{SVG}text"))


def artifacts(folder: SoakFolder) -> list[dict]:
    found = [json.loads(path.read_bytes()) for path in folder.path.glob("ITER_SUMMARY_*.json")]
    return sorted(found, key=lambda each: each["iteration"])


def test_its_text_can_be_read_on_a_phone_and_fits_the_width(picture):
    width = float(picture.attrib["viewBox"].split()[2])
    style = next(picture.iter(f"{SVG}style")).text or ""
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: ?(\d+)px", style)]
    assert sizes
    assert min(sizes) * PHONE / width >= LEAST_PIXELS
    for text in texts(picture):
        reach = LETTER * max(sizes) * len(text_of(text))
        anchor, x = text.get("text-anchor", "start"), float(text.attrib["x"])
        begin = {"start": x, "middle": x - reach / 2, "end": x - reach}[anchor]
        assert begin >= 0
        assert begin + reach <= width, text_of(text)


def test_every_kpi_has_its_unit_its_good_side_and_its_limits(picture):
    said = " ".join(text_of(text) for text in texts(picture))
    assert "edge_bps_per_hour_mean bps per hour, mean" in said
    assert "the objective, higher is better" in said
    assert "latency_ms_mean ms, mean" in said
    assert "no good side is declared" in said
    limits = {text_of(text) for text in texts(picture) if text.get("class") == "limit"}
    # The profile `standard` of the mock, as docs/soak.md's plant runs with it.
    assert limits == {"good: at least 20", "good: at most 0.7", "freeze: at least 27", "freeze: at most 0.56"}


def test_a_limit_is_drawn_at_its_value(picture):
    """Read from the ticks of the first panel, whose labels are numbers: 20 is a tick, and the limit lies on it."""
    ticks = [
        text for text in texts(picture) if text.get("text-anchor") == "end" and re.fullmatch(r"[\d.]+", text_of(text))
    ]
    first = [(float(text_of(tick)), float(tick.attrib["y"]) - 5) for tick in ticks[:5]]
    (low, at_low), (high, at_high) = min(first), max(first)
    lines = [float(line.attrib["y1"]) for line in picture.iter(f"{SVG}line") if line.get("class") == "good"]
    expected = at_low + (20 - low) / (high - low) * (at_high - at_low)
    assert min(abs(line - expected) for line in lines) < 0.2


def test_every_request_is_drawn_at_the_value_it_asked_for_and_none_twice(folder, picture):
    asked = {
        (each["iteration"], key, outcome["wanted"])
        for each in artifacts(folder)
        for kind in ("outcomes", "rolled_back")
        for key, outcome in each["tuning"][kind].items()
    }
    circles = [circle for circle in picture.iter(f"{SVG}circle") if (circle.get("class") or "").startswith("request")]
    assert asked
    assert len(circles) == len(asked)
    keys = {key for _, key, _ in asked}
    assert {text_of(text).split()[0] for text in texts(picture)} >= keys


def test_the_ends_of_a_setting_in_words_are_of_values_in_use_though_its_axis_spans_what_was_asked_for(folder, picture):
    used: dict[str, list[float]] = {}
    for each in artifacts(folder):
        for key, value in each["summary"]["used"].items():
            used.setdefault(key, []).append(value)
    moved = {key: values for key, values in used.items() if len(set(values)) > 1}
    said = [text_of(text) for text in texts(picture)]
    assert moved
    for key, values in moved.items():
        ends = f"{values[0]:g} to {values[-1]:g} in use"
        assert any(each.startswith(key) and each.endswith(ends) for each in said), (key, ends)


def test_what_was_held_back_says_what_it_asked_for(folder, picture):
    held = [
        (outcome["before"], outcome["wanted"], outcome["guard"])
        for each in artifacts(folder)
        for outcome in each["tuning"]["outcomes"].values()
        if outcome["outcome"] == "BLOCKED"
    ]
    titles = " ".join(text_of(title) for title in picture.iter(f"{SVG}title"))
    assert held
    for before, wanted, guard in held:
        assert f"stays {before:g}, {wanted:g} was asked for: blocked by {guard}" in titles


def test_the_legend_names_what_is_drawn_and_nothing_else():
    whole, faulty = (picture_of(SoakFolder(path)) for path in SOAKS)
    assert not [text for text in texts(whole) if "rolled back" in text_of(text)]
    assert [text for text in texts(faulty) if text_of(text) == "rolled back"]
    assert [text for text in texts(faulty) if text_of(text) == "changed, nothing seen in use"]


@pytest.mark.parametrize(
    ("kpi", "said"),
    [
        ("latency_ms_p95", "ms, 95% quantile"),
        ("edge_bps_per_hour_mean", "bps per hour, mean"),
        ("fill_rate_mean", "share, mean"),
        ("validation_ap_mean", "mean"),
        ("odd", ""),
    ],
)
def test_a_unit_is_read_from_the_name_and_never_invented(kpi, said):
    assert unit(kpi) == said


def test_every_rollback_is_marked_in_the_panels_of_the_kpis(folder, picture):
    """Also in an iteration that made new changes too."""
    undone = [each["iteration"] for each in artifacts(folder) if each["tuning"]["rolled_back"]]
    marks = [path for path in picture.iter(f"{SVG}path") if path.get("class") == "mark back"]
    assert [text_of(mark).split(": ")[:2] for mark in marks] == [[f"iteration {at}", "rolled back"] for at in undone]
    made = [each for each in artifacts(folder) if each["tuning"]["outcomes"]]
    assert len([path for path in picture.iter(f"{SVG}path") if "mark" in (path.get("class") or "")]) == len(made) + len(
        undone
    )


def test_the_name_of_the_drawing_changes_with_all_that_has_a_say_in_it(tmp_path, monkeypatch):
    """The words of a KPI come from the room of soaks, and those of a change from the one of the contracts."""
    names = set()
    for room in (None, "dashboard", "contracts", "soak", "change"):
        with monkeypatch.context() as patch:
            real, altered = _soak_drawing.files, tmp_path / str(room)
            altered.mkdir()
            (altered / "_words.py").write_text("altered")
            patch.setattr(
                _soak_drawing,
                "files",
                lambda name, at=altered, of=room, real=real: at if name == f"seedbed.{of}" else real(name),
            )
            names.add(soak_drawing().renderer)
    assert len(names) == 5
