"""The chart of requests in flight over time, with the pauses that a 429 asked for."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from tap_analytics.reporting.report.figure import HEIGHT, MARKS, NICE, WIDTH, figure, table
from tap_analytics.reporting.report.format import count, duration, many
from tap_analytics.reporting.report.markup import Markup, join, tag

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_analytics.reporting.report.contents import Api, Moment

#: Most rows of the chart's table.
ROWS = 12
MINUTE = 60


@dataclass(frozen=True)
class Axis:
    """The time that all charts of a run share, in seconds from its beginning."""

    begin: float
    end: float

    @property
    def length(self) -> float:
        """Seconds from end to end."""
        return max(self.end - self.begin, 0.001)

    def share(self, seconds: float) -> float:
        """Return how far along the axis a moment is, from 0 to 1."""
        return min(max((seconds - self.begin) / self.length, 0.0), 1.0)

    def marks(self) -> list[tuple[float, str]]:
        """Return round moments, by their share of the axis, with their names."""
        steps = (nice * 10.0**power for power in range(-3, 9) for nice in NICE)
        step = next(each for each in steps if self.length / each <= MARKS)
        first = math.ceil(self.begin / step)
        moments = [step * n for n in range(first, math.floor(self.end / step) + 1)]
        return [(self.share(each), _clock(each)) for each in moments]


def _clock(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < MINUTE else duration(seconds)


def flight(api: Api, axis: Axis) -> Markup:
    """Draw how many requests were in flight when, and when a 429 made all of them wait."""
    pauses = many(api.held_times, "pause")
    waited = f"{pauses} of {duration(api.held_seconds)} in all" if api.held_times else "no pause"
    caption = f"at most {api.peak} of {api.concurrency} at once, {waited}"
    line = api.timeline
    spans = [
        (line.began_after + n * line.bucket_seconds, bucket)
        for n, bucket in enumerate(line.buckets)
    ]
    return figure(
        "flight",
        said=f"Requests in flight to {api.name} over time: {caption}.",
        name="In flight",
        caption=caption,
        plot=join(
            _grid(share for share, _ in axis.marks()),
            _holds(spans, line.bucket_seconds, axis),
            _area(spans, line.bucket_seconds, axis, top=max(api.peak, 1)),
            _failures(spans, line.bucket_seconds, axis),
        ),
        top=str(api.peak),
        marks=axis.marks(),
        table=_flight_table(spans, line.bucket_seconds),
    )


def _grid(shares: Iterable[float]) -> Markup:
    lines = "".join(f"M{share * WIDTH:.1f} 0V{HEIGHT}" for share in shares)
    return tag("path", class_="grid", d=lines)


def _holds(spans: Sequence[tuple[float, Moment]], width: float, axis: Axis) -> Markup:
    """Shade the pauses: what is held of a first bucket is its end, of a last one its beginning."""
    shapes = []
    begin: float | None = None
    for (start, bucket), following in zip(spans, [*spans[1:], None], strict=True):
        if not bucket.held_seconds:
            continue
        goes_on = following is not None and following[1].held_seconds > 0
        if begin is None:
            begin = start + (width - bucket.held_seconds if goes_on else 0)
        if not goes_on:
            left, right = axis.share(begin), axis.share(start + bucket.held_seconds)
            shapes.append(
                tag(
                    "rect",
                    class_="hold",
                    x=f"{left * WIDTH:.1f}",
                    y=0,
                    width=f"{max((right - left) * WIDTH, 2):.1f}",
                    height=HEIGHT,
                )
            )
            begin = None
    return join(*shapes)


def _area(spans: Sequence[tuple[float, Moment]], width: float, axis: Axis, *, top: float) -> Markup:
    """Draw the average of each bucket as an area and the most at once as a line above it."""
    edges = [
        (axis.share(start) * WIDTH, axis.share(start + width) * WIDTH, bucket)
        for start, bucket in spans
    ]
    first = edges[0][0]

    def step(height: float, right: float) -> str:
        return f"V{HEIGHT * (1 - height / top):.1f}H{right:.1f}"

    mean = "".join(step(bucket.in_flight, right) for _, right, bucket in edges)
    # Where nothing flies there is no line, for the axis is there.
    peak = "".join(
        step(bucket.peak, right) if bucket.peak else f"V{HEIGHT}M{right:.1f} {HEIGHT}"
        for _, right, bucket in edges
    )
    return join(
        tag("path", class_="mean", d=f"M{first:.1f} {HEIGHT}{mean}V{HEIGHT}Z"),
        tag("path", class_="peak", d=f"M{first:.1f} {HEIGHT}{peak}V{HEIGHT}"),
    )


def _failures(spans: Sequence[tuple[float, Moment]], width: float, axis: Axis) -> Markup:
    marks = "".join(
        f"M{axis.share(start + width / 2) * WIDTH:.1f} {HEIGHT}v-12"
        for start, bucket in spans
        if bucket.failed
    )
    return tag("path", class_="failures", d=marks) if marks else Markup()


def _flight_table(spans: Sequence[tuple[float, Moment]], width: float) -> Markup:
    each = math.ceil(len(spans) / ROWS)
    rows = []
    for n in range(0, len(spans), each):
        part = [bucket for _, bucket in spans[n : n + each]]
        start = spans[n][0]
        rows.append(
            (
                f"{start:.2f} to {start + len(part) * width:.2f} s",
                count(sum(bucket.sent for bucket in part)),
                count(sum(bucket.failed for bucket in part)),
                str(max(bucket.peak for bucket in part)),
                f"{sum(bucket.in_flight for bucket in part) / len(part):.1f}",
                duration(sum(bucket.held_seconds for bucket in part)),
            )
        )
    return table(("Time", "Sent", "Failed", "Most at once", "On average", "Paused"), rows)
