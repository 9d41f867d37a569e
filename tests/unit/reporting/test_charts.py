from __future__ import annotations

import pytest
from support.report_page import Page

from tap_analytics.reporting import numbers
from tap_analytics.reporting.report import summary
from tap_analytics.reporting.report.charts import Axis, latency_chart, requests_chart
from tap_analytics.reporting.report.markup import html
from tap_analytics.transport.stats import Bucket


def api(peak=0):
    return summary.ApiSummary(
        name="shop",
        title="shop",
        origin="https://api.example.com",
        requests=0,
        retries=0,
        throttled=0,
        throttled_seconds=0.0,
        responses=0,
        bytes=0,
        statuses={},
        concurrency=8,
        peak=peak,
        latency=summary.Latency(p50=0.02, p95=0.04, max=0.05, mean=0.02),
    )


def requests(buckets, axis, *, width=1.0):
    """Draw a timeline with these buckets; the others are empty."""
    found = [Bucket(**each) for each in buckets]
    charts = summary.Charts(began_after=0.0, bucket_seconds=width, buckets=found, latency={})
    return requests_chart(api(max(bucket.peak for bucket in found)), charts, axis)


def latency(steps):
    return latency_chart(api(), steps)


def drawn(chart, kind):
    return [given for _, given in Page(chart).elements if given.get("class") == kind]


# --- requests in flight ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paused", "shapes"),
    [
        ([0, 0, 1, 1, 0, 0, 0, 0, 0, 0], "M2 0V1H4V0Z"),
        ([0, 0, 0.5, 1, 0.25, 0, 0, 0, 0, 0], "M2.5 0V1H4.25V0Z"),
        ([0, 1, 0, 0, 0, 1, 0, 0, 0, 0.5], "M1 0V1H2V0ZM5 0V1H6V0ZM9 0V1H9.5V0Z"),
        ([0] * 10, ""),
        ([1] * 10, "M0 0V1H10V0Z"),
    ],
)
def test_pauses_are_shaded_where_they_were(paused, shapes):
    [pause] = drawn(requests([{"paused": each} for each in paused], Axis(0, 10)), "pause")

    assert pause["d"] == shapes


def test_the_most_at_once_reaches_the_top_of_the_chart():
    buckets = [{"peak": 2, "busy": 1.0}, {"peak": 4, "busy": 3.0}, {"peak": 1}]
    page = Page(requests(buckets, Axis(0, 2.5)))
    [svg] = [given for name, given in page.elements if name == "svg"]
    paths = {given["class"]: given["d"] for name, given in page.elements if name == "path"}

    assert svg["viewbox"] == "0 0 2.5 4"
    assert paths["peak"] == "M0 0V2H1V4H2V1H2.5V0"
    assert paths["mean"] == "M0 0V1H1V3H2V0H2.5V0Z"


def test_there_is_no_line_where_nothing_is_in_flight():
    [peak] = drawn(requests([{"peak": 1}, {}, {"peak": 1}], Axis(0, 3)), "peak")

    assert peak["d"] == "M0 0V1H1V0M2 0V1H3V0"


def test_failures_are_marked_where_they_were():
    chart = requests([{}, {"failed": 3}, {}, {"failed": 1}], Axis(0, 4))

    assert [each["d"] for each in drawn(chart, "failures")] == ["M1.5 0v0.12M3.5 0v0.12"]


@pytest.mark.parametrize("end", [0.004, 0.3, 7, 59, 61, 4000, 90_000, 10_000_000])
def test_an_axis_has_a_few_round_marks(end):
    marks = Axis(0, end).round_seconds()

    assert 2 <= len(marks) <= 6
    assert marks[0][0] == 0
    assert all(0 <= seconds <= end for seconds, _ in marks)
    assert len({name for _, name in marks}) == len(marks)


def test_a_timeline_that_began_before_the_run_is_drawn_completely():
    page = Page(requests([{}], Axis(-0.5, 1.5)))
    [svg] = [given for name, given in page.elements if name == "svg"]
    marks = [given["style"] for _, given in page.elements if "mark " in given.get("class", "")]

    assert svg["viewbox"] == "-0.5 0 2 1"
    assert marks == ["left:0.00%", "left:25.00%", "left:50.00%", "left:75.00%", "left:100.00%"]


def test_the_table_of_a_chart_holds_all_its_requests():
    buckets = [{"sent": number, "peak": 1} for number in range(240)]
    page = Page(requests(buckets, Axis(0, 120), width=0.5))

    sent = [int(text.replace(",", "")) for text in page.column(1)]

    assert len(sent) <= 12
    assert sum(sent) == sum(range(240))


# --- latency --------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [72, 240])
def test_every_response_is_in_a_bar(end):
    chart = latency({56: 5, 64: 20, end: 10})
    bars = drawn(chart, "bar")

    assert [int(each["height"]) for each in bars] == [5, 20, 10]
    assert sum(map(int, Page(chart).column(1))) == 35
    [svg] = [given for name, given in Page(chart).elements if name == "svg"]
    left, _, width, height = map(float, svg["viewbox"].split())
    assert all(left <= float(each["x"]) <= left + width for each in bars)
    assert height > 20


@pytest.mark.parametrize("step", [0, 60, 240])
def test_a_single_response_has_a_chart(step):
    assert len(drawn(latency({step: 1}), "bar")) == 1


# --- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "0:01:00"), (754, "0:12:34")],
)
def test_durations_are_in_seconds_up_to_a_minute(seconds, text):
    assert numbers.duration(seconds) == text


def test_rates_have_a_decimal_below_ten():
    assert [numbers.rate(each) for each in (0, 4.44, 1200.4)] == ["0", "4.4", "1,200"]


def test_numbers_agree_with_their_nouns():
    assert [numbers.plural(number, "retry", "retries") for number in (0, 1, 1200)] == [
        "0 retries",
        "1 retry",
        "1,200 retries",
    ]


# --- HTML -----------------------------------------------------------------------------------


def test_text_and_attributes_are_escaped_and_markup_is_not_escaped_twice():
    inner = html("<b>{}</b>", "a & b <c> {0}")

    assert html('<p title="{}">{}{}{}</p>', '"f"', [inner, "d < e"], None, 0) == (
        '<p title="&quot;f&quot;"><b>a &amp; b &lt;c&gt; {0}</b>d &lt; e0</p>'
    )
