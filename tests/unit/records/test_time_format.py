"""Times as requests have them: written in UTC, cut down for a start and up for an end."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_analytics.records.time_format import TimeFormat, TimeFormatError, rounded

MOMENT = datetime.fromisoformat("2024-02-28T23:59:30.123456+00:00")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("iso", "2024-02-28T23:59:30.123456Z", "2024-02-28T23:59:30.123456Z"),
        ("date", "2024-02-28", "2024-02-29"),
        ("epoch_s", 1709164770, 1709164771),
        ("epoch_ms", 1709164770123, 1709164770124),
        ("%s", "1709164770", "1709164771"),
        ("%ms", "1709164770123", "1709164770124"),
        ("%Y-%m-%dT%H:%M:%SZ", "2024-02-28T23:59:30Z", "2024-02-28T23:59:31Z"),
        ("%Y-%m-%dT%H:%M:%S.%_msZ", "2024-02-28T23:59:30.123Z", "2024-02-28T23:59:30.124Z"),
        ("%Y%m%d %H:%M", "20240228 23:59", "20240229 00:00"),
        ("%d/%m/%Y", "28/02/2024", "29/02/2024"),
        ("%FT%T%z", "2024-02-28T23:59:30+0000", "2024-02-28T23:59:31+0000"),
    ],
)
def test_a_time_is_written_in_a_format(text, start, end):
    form = TimeFormat(text)
    assert (form.write(MOMENT), form.write(MOMENT, up=True)) == (start, end)
    # A time that the format writes whole is its own start and end.
    whole = rounded(MOMENT, form.precision)
    assert form.write(whole) == form.write(whole, up=True) == start


def test_a_time_is_written_in_utc():
    assert TimeFormat("date").write(datetime.fromisoformat("2024-01-01T01:00+05:00")) == (
        "2023-12-31"
    )


@pytest.mark.parametrize("text", ["", "days", "%Y-%m", "%Q", "%"])
def test_other_texts_are_no_formats(text):
    with pytest.raises(TimeFormatError):
        TimeFormat(text)


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001 - made aware below
    st.sampled_from(["iso", "date", "epoch_s", "epoch_ms", "%Y-%m-%d %H", "%Y-%m-%d %H:%M"]),
)
def test_an_end_is_never_before_the_moment_and_a_start_never_after_it(moment, text):
    precision = TimeFormat(text).precision
    moment = datetime.fromisoformat(f"{moment.isoformat()}+00:00")
    start, end = rounded(moment, precision), rounded(moment, precision, up=True)
    assert start <= moment <= end
    assert end - start in {timedelta(), precision}
