"""The charts of an API: requests in flight over time, and how long responses took.

The SVG uses the units of the data and stretches with the page; its text is HTML around it.
"""

from __future__ import annotations

import math
import typing as t
from collections import Counter
from dataclasses import dataclass
from itertools import groupby

from tap_analytics.reporting.numbers import clock, duration, plural
from tap_analytics.reporting.report.markup import Markup, html, text_table
from tap_analytics.transport.stats import SHORTEST, STEPS, Bucket, step_start

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_analytics.reporting.report.summary import ApiSummary, Charts

#: Maximum number of marks along an axis, and the share of it near each end in which marks are
#: aligned with that end.
MARKS, EDGE = 5, 0.06
#: Maximum number of bars of a histogram, and the share of its slot that a bar fills.
BARS, BAR = 26, 0.88
#: Share of the height that the highest bar takes; the names of the quantiles are above it.
HIGHEST = 0.84
#: Maximum number of rows of a table.
ROWS = 12
MINUTE = 60

#: A position on an axis, and its text.
Mark = tuple[float, str]
#: Start and end of a bucket on an axis, and the bucket.
Span = tuple[float, float, Bucket]
#: The label and the table make the drawing accessible to screen readers.
FIGURE = """
<figure class="chart {kind}">
<figcaption><b>{title}</b> <span>{caption}</span></figcaption>
<div class="plot">
<span class="top" aria-hidden="true">{most}</span>
<svg viewBox="{box}" preserveAspectRatio="none" role="img" aria-label="{label}">{shapes}</svg>
{notes}
<div class="marks">{marks}</div>
</div>
<details><summary>As a table</summary><div class="wide">{table}</div></details>
</figure>"""


@dataclass(frozen=True)
class Axis:
    """The horizontal axis of a chart, in the units of its data."""

    begin: float
    end: float

    @property
    def length(self) -> float:
        """At least 0.001, so that it can be divided by."""
        return max(self.end - self.begin, 0.001)

    def box(self, top: float) -> str:
        """Return the SVG view box; `top` is the largest value of the vertical axis."""
        return f"{self.begin:g} 0 {self.length:g} {top:g}"

    def labels(self, marks: Iterable[Mark], kind: str = "mark") -> Iterator[Markup]:
        """Yield the positioned texts of marks; hidden from screen readers, which read the label."""
        for value, text in marks:
            share = (value - self.begin) / self.length
            align = "first" if share < EDGE else "last" if share > 1 - EDGE else "middle"
            yield html(
                '<span class="{} {}" style="left:{}" aria-hidden="true">{}</span>',
                *(kind, align, f"{share:.2%}", text),
            )

    def round_seconds(self) -> list[Mark]:
        """Return round values with their names, for an axis of seconds."""
        steps = (nice * 10.0**power for power in range(-3, 9) for nice in (1, 2, 5))
        step = next(each for each in steps if self.length / each <= MARKS)
        found = (n * step for n in range(math.ceil(self.begin / step), int(self.end / step) + 1))
        return [(each, f"{each:g} s" if each < MINUTE else clock(each)) for each in found]


# --- requests in flight -----------------------------------------------------------------------


def requests_chart(api: ApiSummary, charts: Charts, axis: Axis) -> Markup:
    """Draw the number of requests in flight over time, and the pauses after a 429."""
    paused = f"{plural(api.throttled, 'pause')} of {duration(api.throttled_seconds)} in all"
    caption = f"at most {api.peak} of {api.concurrency} at once, "
    caption += paused if api.throttled else "no pause"
    top, marks = max(api.peak, 1), axis.round_seconds()
    spans, begin = list(_spans(charts, axis)), f"M{charts.began_after:g} 0"
    paths = {
        "grid": "".join(f"M{place:g} 0V{top}" for place, _ in marks),
        "pause": "".join(_pauses(spans, top)),
        "mean": f"{begin}{''.join(map(_average, spans))}V0Z",
        "peak": f"{begin}{''.join(map(_peak, spans))}V0",
        "failures": "".join(
            f"M{(low + high) / 2:g} 0v{top * 0.12:g}" for low, high, each in spans if each.failed
        ),
    }
    heads = ("Time", "Sent", "Failed", "Most at once", "On average", "Paused")
    return html(
        FIGURE,
        kind="requests",
        title="In flight",
        caption=caption,
        label=f"Requests in flight to {api.name} over time: {caption}.",
        box=axis.box(top),
        shapes=(html('<path class="{}" d="{}"/>', *each) for each in paths.items()),
        most=api.peak,
        notes=None,
        marks=axis.labels(marks),
        table=text_table(heads, _request_rows(charts), kind="figures", title="In flight"),
    )


def _spans(charts: Charts, axis: Axis) -> Iterator[Span]:
    """Yield the buckets with start and end; the last one is clipped at the end of the axis."""
    begin = charts.began_after
    for bucket in charts.buckets:
        end = begin + charts.bucket_seconds
        if begin < axis.end:
            yield begin, min(end, axis.end), bucket
        begin = end


def _pauses(spans: Sequence[Span], top: float) -> Iterator[str]:
    """Yield an area for each pause: the end of its first bucket to the start of its last."""
    for is_paused, group in groupby(spans, key=lambda span: span[2].paused > 0):
        if is_paused:
            buckets = list(group)
            (begin, end, first), (last_begin, _, last) = buckets[0], buckets[-1]
            begin = begin if first is last else end - first.paused
            yield f"M{begin:g} 0V{top:g}H{last_begin + last.paused:g}V0Z"


def _average(span: Span) -> str:
    begin, end, bucket = span
    return f"V{min(bucket.busy / (end - begin), bucket.peak):g}H{end:g}"


def _peak(span: Span) -> str:
    _, end, bucket = span
    # No line at zero, where the axis already is.
    return f"V{bucket.peak}H{end:g}" if bucket.peak else f"V0M{end:g} 0"


def _request_rows(charts: Charts) -> Iterator[tuple[str, ...]]:
    each = math.ceil(len(charts.buckets) / ROWS)
    for n in range(0, len(charts.buckets), each):
        part, total = charts.buckets[n : n + each], Bucket()
        for bucket in part:
            total.merge(bucket)
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
    """Draw a histogram of response times on a log scale; `steps` counts responses by step."""
    p50, p95, longest = map(_time, (api.latency.p50, api.latency.p95, api.latency.max))
    width, bars = _bars(steps)
    axis = Axis(min(bars) - 2 * width, max(bars) + 3 * width)
    most = max(bars.values())
    top = most / HIGHEST
    quantiles = [(_step_of(api.latency.p50), "p50"), (_step_of(api.latency.p95), "p95")]
    lines = "".join(f"M{place:g} 0V{top:g}" for place, _ in quantiles)
    return html(
        FIGURE,
        kind="latency",
        title="Response time",
        caption=f"p50 {p50}, p95 {p95}, max {longest}",
        label=f"Time from request to whole response at {api.name}: half within {p50}, "
        f"95 % within {p95}, all within {longest}.",
        box=axis.box(top),
        shapes=(
            *(_bar(begin, width, count) for begin, count in bars.items()),
            html('<path class="quantile" d="{}"/>', lines),
        ),
        most=f"{most:,}",
        notes=axis.labels(quantiles, "note"),
        marks=axis.labels(_round_latencies(axis)),
        table=text_table(
            ("Took", "Responses"), _latency_rows(bars, width), kind="figures", title="Response time"
        ),
    )


def _bars(steps: Mapping[int, int]) -> tuple[int, Mapping[int, int]]:
    """Return the width of bars in steps, and the responses per bar by its first step."""
    width = math.ceil((max(steps) - min(steps) + 1) / BARS)
    bars: Counter[int] = Counter()
    for step, count in sorted(steps.items()):
        bars[step // width * width] += count
    return width, bars


def _bar(begin: int, width: int, count: int) -> Markup:
    return html(
        '<rect class="bar" x="{}" y="0" width="{}" height="{}"/>',
        f"{begin + width * (1 - BAR) / 2:g}",
        f"{width * BAR:g}",
        count,
    )


def _latency_rows(bars: Mapping[int, int], width: int) -> Iterator[tuple[str, str]]:
    for begin, count in bars.items():
        low, high = step_start(begin), step_start(begin + width)
        yield f"{_time(low)} to {_time(high)}", f"{count:,}"


def _round_latencies(axis: Axis) -> list[Mark]:
    """Return round times and their positions on an axis of steps, few enough to be legible."""
    times = (nice * 10.0**power for power in range(-4, 7) for nice in (1, 1.5, 2, 3, 5, 7))
    found = [
        (step, f"{1000 * seconds:g} ms" if seconds < 1 else f"{seconds:g} s")
        for seconds in times
        if axis.begin < (step := _step_of(seconds)) < axis.end
    ]
    return found[:: math.ceil(len(found) / (MARKS - 1)) or 1]


def _step_of(seconds: float) -> float:
    return STEPS * math.log2(max(seconds, SHORTEST) / SHORTEST)


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if round(seconds, 3) < 1 else duration(seconds)
