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
from tap_analytics.reporting.report.html import Markup, html, table, text_rows
from tap_analytics.transport.stats import SHORTEST, STEPS, Bucket, step_start

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_analytics.reporting.report.summary import ApiSummary, Charts

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
#: A bucket from one place on an axis to another.
Span = tuple[float, float, Bucket]


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


def requests_chart(api: ApiSummary, charts: Charts, axis: Axis) -> Markup:
    """Draw how many requests were in flight when, and when a 429 made all of them wait."""
    paused = f"{plural(api.throttled, 'pause')} of {duration(api.throttled_seconds)} in all"
    caption = f"at most {api.peak} of {api.concurrency} at once, "
    caption += paused if api.throttled else "no pause"
    top, marks = max(api.peak, 1), axis.round_seconds()
    spans = list(_spans(charts, axis))
    paths = {
        "grid": "".join(f"M{place:g} 0V{top}" for place, _ in marks),
        "hold": "".join(_pauses(spans, top)),
        "mean": f"{_average(spans)}V0Z",
        "peak": f"{_peak(spans)}V0",
        "failures": "".join(
            f"M{(begin + end) / 2:g} 0v{top * 0.12:g}" for begin, end, each in spans if each.failed
        ),
    }
    return _figure(
        "requests",
        axis,
        *(html('<path class="{}" d="{}"/>', *each) for each in paths.items()),
        title="In flight",
        caption=caption,
        label=f"Requests in flight to {api.name} over time: {caption}.",
        top=top,
        most=api.peak,
        marks=marks,
        heads=("Time", "Sent", "Failed", "Most at once", "On average", "Paused"),
        rows=_request_rows(charts),
    )


def _spans(charts: Charts, axis: Axis) -> Iterator[Span]:
    """Yield the buckets with their places; the last one may not be over when the axis ends."""
    begin = charts.began_after
    for bucket in charts.buckets:
        end = begin + charts.bucket_seconds
        if begin < axis.end:
            yield begin, min(end, axis.end), bucket
        begin = end


def _pauses(spans: Sequence[Span], top: float) -> Iterator[str]:
    """Yield a shape for each pause: the end of its first bucket to the beginning of its last."""
    for is_paused, group in groupby(spans, key=lambda span: span[2].paused > 0):
        if is_paused:
            buckets = list(group)
            (begin, end, first), (last_begin, _, last) = buckets[0], buckets[-1]
            begin = begin if first is last else end - first.paused
            yield f"M{begin:g} 0V{top:g}H{last_begin + last.paused:g}V0Z"


def _average(spans: Sequence[Span]) -> str:
    steps = (
        f"V{min(each.busy / (end - begin), each.peak):g}H{end:g}" for begin, end, each in spans
    )
    return f"M{spans[0][0]:g} 0{''.join(steps)}"


def _peak(spans: Sequence[Span]) -> str:
    # Where nothing is in flight there is no line, for the axis is there.
    steps = (f"V{each.peak}H{end:g}" if each.peak else f"V0M{end:g} 0" for _, end, each in spans)
    return f"M{spans[0][0]:g} 0{''.join(steps)}"


def _request_rows(charts: Charts) -> Iterator[tuple[str, ...]]:
    each = math.ceil(len(charts.buckets) / ROWS)
    for n in range(0, len(charts.buckets), each):
        part, total = charts.buckets[n : n + each], Bucket()
        for bucket in part:
            total.absorb(bucket)
        seconds = len(part) * charts.bucket_seconds
        begin = charts.began_after + n * charts.bucket_seconds
        yield (
            f"{begin:.2f} to {begin + seconds:.2f} s",
            f"{total.sent:,}",
            f"{total.failed:,}",
            f"{total.peak}",
            f"{total.busy / seconds:.1f}",
            duration(total.paused),
        )


# --- latency ----------------------------------------------------------------------------------


def latency_chart(api: ApiSummary, steps: Mapping[int, int]) -> Markup:
    """Draw a histogram of response times on a logarithmic scale, from the responses by step."""
    p50, p95, longest = map(_time, (api.latency.p50, api.latency.p95, api.latency.max))
    # Bars are as many steps wide as it takes to have few of them.
    width = math.ceil((max(steps) - min(steps) + 1) / BARS)
    bars: Counter[int] = Counter()
    for step, count in sorted(steps.items()):
        bars[step // width * width] += count
    axis = Axis(min(bars) - 2 * width, max(bars) + 3 * width)
    most = max(bars.values())
    top = most / HIGHEST
    quantiles = [(_step_of(api.latency.p50), "p50"), (_step_of(api.latency.p95), "p95")]
    lines = "".join(f"M{place:g} 0V{top:g}" for place, _ in quantiles)
    return _figure(
        "latency",
        axis,
        *(_bar(begin, width, count) for begin, count in bars.items()),
        html('<path class="quantile" d="{}"/>', lines),
        title="Response time",
        caption=f"p50 {p50}, p95 {p95}, max {longest}",
        label=f"Time from request to whole response at {api.name}: half within {p50}, "
        f"95 % within {p95}, all within {longest}.",
        top=top,
        most=most,
        marks=_round_latencies(axis),
        notes=quantiles,
        heads=("Took", "Responses"),
        rows=(
            (f"{_time(step_start(begin))} to {_time(step_start(begin + width))}", f"{count:,}")
            for begin, count in bars.items()
        ),
    )


def _bar(begin: int, width: int, count: int) -> Markup:
    return html(
        '<rect class="bar" x="{}" y="0" width="{}" height="{}"/>',
        f"{begin + width * (1 - BAR) / 2:g}",
        f"{width * BAR:g}",
        count,
    )


def _round_latencies(axis: Axis) -> list[Mark]:
    """Return round times and their places on an axis of steps, few enough to be read."""
    times = (nice * 10.0**power for power in range(-4, 7) for nice in (1, 1.5, 2, 3, 5, 7))
    found = [
        (step, f"{1000 * seconds:g} ms" if seconds < 1 else f"{seconds:g} s")
        for seconds in times
        if axis.begin < (step := _step_of(seconds)) < axis.end
    ]
    return found[:: math.ceil(len(found) / MARKS) or 1]


def _step_of(seconds: float) -> float:
    return STEPS * math.log2(max(seconds, SHORTEST) / SHORTEST)


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if round(seconds, 3) < 1 else duration(seconds)


# --- what charts have in common ---------------------------------------------------------------


def _figure(  # noqa: PLR0913 - the parts of a chart, each by its name
    kind: str,
    axis: Axis,
    *shapes: Markup,
    title: str,
    caption: str,
    label: str,
    top: float,
    most: int,
    marks: Sequence[Mark],
    notes: Sequence[Mark] = (),
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
) -> Markup:
    """Return a drawing with the names around it and its figures as a table.

    `label` says to those who don't see it what it shows; `top` is the value at its upper end.
    """
    drawing = html(
        '<svg viewBox="{}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        f"{axis.begin:g} 0 {axis.length:g} {top:g}",
        label,
        shapes,
    )
    plot = html(
        '<div class="plot"><span class="top" aria-hidden="true">{}</span>{}{}'
        '<div class="marks" aria-hidden="true">{}</div></div>',
        f"{most:,}",
        drawing,
        (
            html('<span class="note" style="left:{}" aria-hidden="true">{}</span>', place, name)
            for place, name, _ in _placed(notes, axis)
        ),
        (
            html('<span class="{2}" style="left:{0}">{1}</span>', *mark)
            for mark in _placed(marks, axis)
        ),
    )
    return html(
        '<figure class="chart {}"><figcaption><b>{}</b> <span>{}</span></figcaption>{}'
        '<details><summary>As a table</summary><div class="wide">{}</div></details></figure>',
        kind,
        title,
        caption,
        plot,
        table(heads, text_rows(heads, rows), kind="figures", title=title),
    )


def _placed(marks: Sequence[Mark], axis: Axis) -> Iterator[tuple[str, str, str]]:
    """Yield for each mark its place, its name, and how it is aligned with it."""
    for value, name in marks:
        share = axis.share(value)
        aligned = "first" if share < EDGE else "last" if share > 1 - EDGE else "middle"
        yield f"{share:.2%}", name, aligned
