"""The picture of a trend can be read on a phone, and sets apart the runs that something happened to."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

from seedbed.dashboard import render_trend
from seedbed.records import Slope, Trend, TrendPoint

SVG = "{http://www.w3.org/2000/svg}"


def picture(happened: dict[int, tuple[str, ...]]) -> ET.Element:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    points = tuple(
        TrendPoint(seq, f"run-{seq}", when, 0.5 + seq / 64, 0.25 + seq / 64, happened.get(seq, ()))
        for seq in range(1, 9)
    )
    return ET.fromstring(render_trend(Trend("metrics.test.accuracy", "group", points, Slope(1 / 64, 0.015, 0.016))))


def test_a_run_that_something_happened_to_is_a_hollow_dot_with_what_happened():
    drawn = picture({3: ("optimizer.lr was changed", "degraded")})
    dots = list(drawn.iter(f"{SVG}circle"))
    assert [dot.get("class") for dot in dots].count("dot apart") == 1
    title = dots[2].find(f"{SVG}title")
    assert title is not None
    assert title.text == "run-3: 0.5469; optimizer.lr was changed; degraded"
    assert "hollow" in " ".join(drawn.itertext())
    assert "hollow" not in " ".join(picture({}).itertext())


def test_its_text_can_be_read_at_390_pixels_and_every_curve_lies_within_its_axis():
    drawn = picture({})
    width, height = map(float, drawn.attrib["viewBox"].split()[2:])
    style = next(drawn.iter(f"{SVG}style")).text or ""
    assert all(float(size) * 390 / width >= 11 for size in re.findall(r"font: ?(\d+)px", style))
    grid = [float(line.attrib["y1"]) for line in drawn.iter(f"{SVG}line")]
    for path in drawn.iter(f"{SVG}path"):
        heights = [float(point.split(",")[1]) for point in path.attrib["d"].removeprefix("M").split()]
        assert min(grid) - 15 <= min(heights)
        assert max(heights) <= max(grid) + 0.1
    assert all(float(text.attrib["y"]) < height for text in drawn.iter(f"{SVG}text"))
