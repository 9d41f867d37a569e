"""The charts of an API: requests in flight over time, and how long responses took.

A drawing has the units of its figures and stretches with the page; text stands around it in HTML.
"""

from __future__ import annotations

import math
import typing as t
from collections import Counter
from dataclasses import dataclass
from itertools import groupby

from tap_analytics.reporting.numbers import clock, duration, plural
from tap_analytics.reporting.report.html import Markup, table, tag, text_rows
from tap_analytics.transport.stats import SHORTEST, STEPS, step_start

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_analytics.reporting.report.summary import ApiSummary, Bucket, Step, Timeline

#: Most marks along an axis; the share of it near an end in which they are aligned with that end.
MARKS, EDGE = 5, 0.06
#: Most bars of a histogram, and the share of its width that a bar takes.
BARS, BAR = 26, 0.88
#: Share of the height that the highest bar takes; the names of the quantiles stand above.
HIGHEST = 0.84
#: Most rows of a table.
ROWS = 12
MINUTE = 60

#: A place on an axis, and the text that stands there.
Mark = tuple[float, str]


@dataclass(frozen=True)
class Axis:
    """The horizontal axis of a chart, in units of its own."""

    begin: float
    end: float

    @property
    def length(self) -> float:
        """Units from end to end."""
        return max(self.end - self.begin, 0.001)

    def share(self, value: float) -> float:
        """Return how far along the axis a value is, from 0 to 1."""
        return (value - self.begin) / self.length

    def round_seconds(self) -> list[Mark]:
        """Return round values with their names, for an axis of seconds."""
        steps = (nice * 10.0**power for power in range(-3, 9) for nice in (1, 2, 5))
        step = next(each for each in steps if self.length / each <= MARKS)
        found = (n * step for n in range(math.ceil(self.begin / step), int(self.end / step) + 1))
        return [(each, f"{each:g} s" if each < MINUTE else clock(each)) for each in found]


# --- requests in flight -----------------------------------------------------------------------


def requests_chart(api: ApiSummary, timeline: Timeline, axis: Axis) -> Markup:
    """Draw how many requests were in flight when, and when a 429 made all of them wait."""
    pauses = plural(api.throttled, "pause")
    paused = (
        f"{pauses} of {duration(api.throttled_seconds)} in all" if api.throttled else "no pause"
    )
    caption = f"at most {api.peak} of {api.concurrency} at once, {paused}"
    marks = axis.round_seconds()
    top = max(api.peak, 1)
    shapes = (
        tag("path", class_="grid", d="".join(f"M{place:g} 0V{top}" for place, _ in marks)),
        tag("path", class_="hold", d="".join(_pauses(timeline, axis, top))),
        *_area(timeline, axis),
        tag("path", class_="failures", d="".join(_failures(timeline, axis, top))),
    )
    return _figure(
        "requests",
        title="In flight",
        caption=caption,
        plot=_plot(
            axis,
            *shapes,
            label=f"Requests in flight to {api.name} over time: {caption}.",
            top=top,
            most=api.peak,
            marks=marks,
        ),
        heads=("Time", "Sent", "Failed", "Most at once", "On average", "Paused"),
        rows=_request_rows(timeline),
    )


def _spans(timeline: Timeline, axis: Axis) -> Iterator[tuple[float, float, Bucket]]:
    """Yield the buckets with their beginning and end; the last may lie beyond that of the axis."""
    begin = timeline.began_after
    for bucket in timeline.buckets:
        end = begin + timeline.bucket_seconds
        yield min(begin, axis.end), min(end, axis.end), bucket
        begin = end


def _pauses(timeline: Timeline, axis: Axis, top: float) -> Iterator[str]:
    """Yield a shape for each pause: the end of its first bucket to the beginning of its last."""
    spans = groupby(_spans(timeline, axis), key=lambda span: span[2].paused_seconds > 0)
    for is_paused, group in spans:
        if is_paused:
            buckets = list(group)
            (begin, end, first), (last_begin, _, last) = buckets[0], buckets[-1]
            begin = begin if first is last else end - first.paused_seconds
            yield f"M{begin:g} 0V{top:g}H{last_begin + last.paused_seconds:g}V0Z"


def _area(timeline: Timeline, axis: Axis) -> tuple[Markup, Markup]:
    """Draw the average of each bucket as an area, and the most at once as a line above it."""
    spans = list(_spans(timeline, axis))
    first = f"M{timeline.began_after:g} 0"
    mean = "".join(f"V{bucket.in_flight:g}H{end:g}" for _, end, bucket in spans)
    # Where nothing is in flight there is no line, for the axis is there.
    peak = "".join(
        f"V{bucket.peak}H{end:g}" if bucket.peak else f"V0M{end:g} 0" for _, end, bucket in spans
    )
    return (
        tag("path", class_="mean", d=f"{first}{mean}V0Z"),
        tag("path", class_="peak", d=f"{first}{peak}V0"),
    )


def _failures(timeline: Timeline, axis: Axis, top: float) -> Iterator[str]:
    for begin, end, bucket in _spans(timeline, axis):
        if bucket.failed:
            yield f"M{(begin + end) / 2:g} 0v{top * 0.12:g}"


def _request_rows(timeline: Timeline) -> Iterator[tuple[str, ...]]:
    each = math.ceil(len(timeline.buckets) / ROWS)
    for n in range(0, len(timeline.buckets), each):
        part = timeline.buckets[n : n + each]
        begin = timeline.began_after + n * timeline.bucket_seconds
        yield (
            f"{begin:.2f} to {begin + len(part) * timeline.bucket_seconds:.2f} s",
            f"{sum(bucket.sent for bucket in part):,}",
            f"{sum(bucket.failed for bucket in part):,}",
            f"{max(bucket.peak for bucket in part)}",
            f"{sum(bucket.in_flight for bucket in part) / len(part):.1f}",
            duration(sum(bucket.paused_seconds for bucket in part)),
        )


# --- latency ----------------------------------------------------------------------------------


def latency_chart(api: ApiSummary, steps: Sequence[Step]) -> Markup:
    """Draw a histogram of how long the responses of an API took, on a logarithmic scale."""
    p50, p95, longest = map(_time, (api.latency.p50, api.latency.p95, api.latency.max))
    width, bars = _bars(steps)
    axis = Axis(min(bars) - 2 * width, max(bars) + 3 * width)
    most = max(bars.values())
    top = most / HIGHEST
    quantiles = [(_step_of(api.latency.p50), "p50"), (_step_of(api.latency.p95), "p95")]
    shapes = [_bar(begin, width, count) for begin, count in bars.items()]
    lines = "".join(f"M{place:g} 0V{top:g}" for place, _ in quantiles)
    return _figure(
        "latency",
        title="Response time",
        caption=f"p50 {p50}, p95 {p95}, max {longest}",
        plot=_plot(
            axis,
            *shapes,
            tag("path", class_="quantile", d=lines),
            label=f"Time from request to whole response at {api.name}: half within {p50}, "
            f"95 % within {p95}, all within {longest}.",
            top=top,
            most=most,
            marks=_round_latencies(axis),
            notes=quantiles,
        ),
        heads=("Took", "Responses"),
        rows=[
            (f"{_time(step_start(begin))} to {_time(step_start(begin + width))}", f"{count:,}")
            for begin, count in bars.items()
        ],
    )


def _bars(steps: Sequence[Step]) -> tuple[int, dict[int, int]]:
    """Return the width of the bars in steps, and how many responses each holds, by its begin."""
    counts = {round(_step_of(step.from_seconds)): step.responses for step in steps}
    width = math.ceil((max(counts) - min(counts) + 1) / BARS)
    bars: Counter[int] = Counter()
    for step, count in counts.items():
        bars[step // width * width] += count
    return width, dict(sorted(bars.items()))


def _bar(begin: int, width: int, count: int) -> Markup:
    left = begin + width * (1 - BAR) / 2
    return tag("rect", class_="bar", x=f"{left:g}", y=0, width=f"{width * BAR:g}", height=count)


def _round_latencies(axis: Axis) -> list[Mark]:
    """Return round times and their places on an axis of steps, few enough to be read."""
    found = [
        (step, f"{1000 * seconds:g} ms" if seconds < 1 else f"{seconds:g} s")
        for power in range(-4, 7)
        for seconds in (nice * 10.0**power for nice in (1, 1.5, 2, 3, 5, 7))
        if axis.begin < (step := _step_of(seconds)) < axis.end
    ]
    return found[:: math.ceil(len(found) / MARKS) or 1]


def _step_of(seconds: float) -> float:
    """Return the step of `Latency` that a time falls into, and how far into it."""
    return STEPS * math.log2(max(seconds, SHORTEST) / SHORTEST)


def _time(seconds: float) -> str:
    """Return a latency, in milliseconds below a second."""
    return f"{1000 * seconds:.3g} ms" if round(seconds, 3) < 1 else duration(seconds)


# --- what charts have in common ---------------------------------------------------------------


def _plot(  # noqa: PLR0913 - the parts of a drawing, each by its name
    axis: Axis,
    *shapes: Markup,
    label: str,
    top: float,
    most: int,
    marks: Sequence[Mark],
    notes: Sequence[Mark] = (),
) -> Markup:
    """Return a drawing with the names around it; `label` says it to those who don't see it."""
    drawing = tag(
        "svg",
        *shapes,
        viewBox=f"{axis.begin:g} 0 {axis.length:g} {top:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )
    return tag(
        "div",
        tag("span", f"{most:,}", class_="top", aria_hidden="true"),
        drawing,
        *(_placed(note, axis, class_="note", aria_hidden="true") for note in notes),
        tag("div", *(_placed(mark, axis) for mark in marks), class_="marks", aria_hidden="true"),
        class_="plot",
    )


def _placed(mark: Mark, axis: Axis, **attributes: str) -> Markup:
    place, name = mark
    share = axis.share(place)
    aligned = "first" if share < EDGE else "last" if share > 1 - EDGE else None
    return tag("span", name, **{"class_": aligned} | attributes, style=f"left:{share:.2%}")


def _figure(  # noqa: PLR0913 - the parts of a chart, each by its name
    kind: str,
    *,
    title: str,
    caption: str,
    plot: Markup,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
) -> Markup:
    """Return a chart with its caption, and its figures as a table."""
    figures = table(heads, text_rows(heads, rows), class_="figures", title=title)
    return tag(
        "figure",
        tag("figcaption", tag("b", title), " ", tag("span", caption)),
        plot,
        tag("details", tag("summary", "As a table"), tag("div", figures, class_="wide")),
        class_=f"chart {kind}",
    )
