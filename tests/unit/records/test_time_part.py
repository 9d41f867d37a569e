"""Parts of times: how they are written, and where the time that they tell apart begins."""

from __future__ import annotations

from datetime import datetime

import pytest

from tap_analytics.records.duration import Duration
from tap_analytics.records.time_format import TimeFormatError
from tap_analytics.records.time_part import TimePart, beginning_of, is_whole, shortest_unit

MOMENT = datetime.fromisoformat("2024-03-08T23:59:30-05:00")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("%Y", "2024"),
        ("%y", "24"),
        ("%m", "03"),
        ("%-m", "3"),
        ("%d", "09"),
        ("%Y-%m.%-d", "2024-03.9"),
    ],
)
def test_a_part_is_written_in_utc(text, written):
    assert TimePart(text).write(MOMENT) == written


@pytest.mark.parametrize("text", ["%H", "%-Y", "%Y%", "%s"])
def test_other_directives_are_refused(text):
    with pytest.raises(TimeFormatError, match="unknown directive"):
        TimePart(text)


@pytest.mark.parametrize(
    ("texts", "beginning", "steps", "others"),
    [
        (["%Y"], "2024-01-01", ["P1Y", "P24M"], ["P1M", "P1D", "P1YT1H"]),
        (["%Y", "%-m"], "2024-03-01", ["P1M", "P3M", "P1Y"], ["P1D", "P1M1D", "P31D"]),
        (["%Y", "%m", "%-d"], "2024-03-09", ["P1D", "P1M", "P1W"], ["PT1H", "P1MT1H"]),
    ],
)
def test_windows_are_as_long_as_what_the_parts_tell_apart(texts, beginning, steps, others):
    unit = shortest_unit(map(TimePart, texts))
    assert beginning_of(MOMENT, unit).isoformat() == f"{beginning}T00:00:00+00:00"
    assert all(is_whole(Duration.parse(step), unit) for step in steps)
    assert not any(is_whole(Duration.parse(step), unit) for step in others)
