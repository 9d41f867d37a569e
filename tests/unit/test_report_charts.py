from __future__ import annotations

import pytest
from support.report_page import Page

from tap_analytics.reporting.report import contents
from tap_analytics.reporting.report import format as words
from tap_analytics.reporting.report.latency_chart import latency
from tap_analytics.reporting.report.markup import join, tag
from tap_analytics.reporting.report.requests_chart import Axis, flight

QUIET = {"sent": 0, "failed": 0, "peak": 0, "in_flight": 0.0, "held_seconds": 0.0}


def api(buckets=(), *, width=1.0, steps=()):
    """Return the figures of an API whose timeline holds these buckets over quiet ones."""
    moments = [contents.Moment(**QUIET | bucket) for bucket in buckets]
    return contents.Api(
        name="shop",
        title="shop",
        origin="https://api.example.com",
        requests=0,
        retries=0,
        answers=0,
        bytes=0,
        statuses=[],
        concurrency=8,
        peak=max((moment.peak for moment in moments), default=0),
        held_times=0,
        held_seconds=0.0,
        latency=contents.Latency(
            p50=0.02,
            p95=0.04,
            max=0.05,
            mean=0.02,
            steps=[
                contents.Step(from_seconds=begin, to_seconds=begin * 1.09, answers=count)
                for begin, count in steps
            ],
        ),
        timeline=contents.Timeline(began_after=0.0, bucket_seconds=width, buckets=moments),
    )


def drawn(chart, kind):
    return [given for _, given in Page(chart).elements if given.get("class") == kind]


def holds(buckets):
    found = drawn(flight(api(buckets), Axis(0, 10)), "hold")
    return [(float(each["x"]), float(each["width"])) for each in found]


# --- requests in flight ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "shaded"),
    [
        ([0, 0, 1, 1, 0, 0, 0, 0, 0, 0], [(200, 200)]),
        ([0, 0, 0.5, 1, 0.25, 0, 0, 0, 0, 0], [(250, 175)]),
        ([0, 1, 0, 0, 0, 1, 0, 0, 0, 1], [(100, 100), (500, 100), (900, 100)]),
        ([0] * 10, []),
        ([1] * 10, [(0, 1000)]),
    ],
)
def test_pauses_are_shaded_where_they_were(held, shaded):
    assert holds([{"held_seconds": seconds} for seconds in held]) == shaded


def test_a_pause_too_short_to_be_seen_is_shaded_all_the_same():
    assert holds([{"held_seconds": 0.001}]) == [(0, 2)]


def test_the_most_at_once_reaches_the_top_of_the_chart():
    chart = flight(api([{"peak": 2, "in_flight": 1.0}, {"peak": 4, "in_flight": 3.0}]), Axis(0, 2))

    [peak], [mean] = drawn(chart, "peak"), drawn(chart, "mean")

    assert peak["d"] == "M0.0 100V50.0H500.0V0.0H1000.0V100"
    assert mean["d"] == "M0.0 100V75.0H500.0V25.0H1000.0V100Z"


def test_failures_are_marked_where_they_were():
    chart = flight(api([{}, {"failed": 3}, {}, {"failed": 1}]), Axis(0, 4))

    assert [each["d"] for each in drawn(chart, "failures")] == ["M375.0 100v-12M875.0 100v-12"]


@pytest.mark.parametrize("end", [0.004, 0.3, 7, 59, 61, 4000, 90_000, 10_000_000])
def test_an_axis_has_a_few_round_marks(end):
    marks = Axis(0, end).marks()

    assert 2 <= len(marks) <= 7
    assert marks[0][0] == 0
    assert all(0 <= share <= 1 for share, _ in marks)
    assert len({name for _, name in marks}) == len(marks)


def test_a_timeline_that_began_before_the_run_is_drawn_whole():
    axis = Axis(-0.5, 1.5)

    assert [axis.share(moment) for moment in (-0.5, 0, 1.5)] == [0, 0.25, 1]
    assert (0.25, "0 s") in axis.marks()


def test_the_table_of_a_chart_holds_all_its_requests():
    buckets = [{"sent": number, "peak": 1} for number in range(240)]
    page = Page(flight(api(buckets, width=0.5), Axis(0, 120)))

    sent = [int(text.replace(",", "")) for text in page.column(1)]

    assert len(sent) <= 12
    assert sum(sent) == sum(range(240))


# --- latency --------------------------------------------------------------------------------


def test_every_answer_is_in_a_bar_and_the_highest_is_the_most_frequent():
    chart = latency(api(steps=[(0.0128, 5), (0.0512, 20), (0.1024, 10)]))
    bars = drawn(chart, "bar")

    assert [float(each["height"]) for each in bars] == [21.0, 84.0, 42.0]
    assert sum(map(int, Page(chart).column(1))) == 35
    assert all(0 <= float(each["x"]) <= 1000 for each in bars)


def test_a_single_answer_has_a_chart():
    assert len(drawn(latency(api(steps=[(0.02, 1)])), "bar")) == 1


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0004, "0.4 ms"),
        (0.0214, "21 ms"),
        (0.9996, "1.0 s"),
        (1.25, "1.2 s"),
        (59.96, "1 min 00 s"),
        (125.6, "2 min 06 s"),
        (3599.7, "1 h 00 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_durations_are_told_in_the_unit_that_suits_them(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (250_000, "250 kB"), (3.2e12, "3.2 TB")],
)
def test_sizes_are_told_in_the_unit_that_suits_them(number, text):
    assert words.size(number) == text


def test_numbers_agree_with_their_nouns():
    assert [words.many(number, "retry", "retries") for number in (0, 1, 1200)] == [
        "0 retries",
        "1 retry",
        "1,200 retries",
    ]


# --- markup ---------------------------------------------------------------------------------


def test_text_and_attributes_are_escaped_and_markup_is_not_escaped_twice():
    inner = tag("b", "a & b <c>")

    assert tag("p", inner, "d < e", title='"f"', hidden=True, lang=None) == (
        '<p title="&quot;f&quot;" hidden><b>a &amp; b &lt;c&gt;</b>d &lt; e</p>'
    )
    assert join("<", inner, None, "") == "&lt;<b>a &amp; b &lt;c&gt;</b>"
