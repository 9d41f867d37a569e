"""The chart of how long answers took: a histogram on a scale of ratios."""

from __future__ import annotations

import math
import typing as t
from collections import Counter
from dataclasses import dataclass

from tap_analytics.reporting.report.figure import HEIGHT, MARKS, NICE, WIDTH, figure, table
from tap_analytics.reporting.report.format import count, duration
from tap_analytics.reporting.report.markup import Markup, join, tag
from tap_analytics.transport.stats import SHORTEST, STEPS

if t.TYPE_CHECKING:
    from tap_analytics.reporting.report.contents import Api, Latency

#: Most bars.
BARS = 26
#: Share of a bar's width that stays free.
GAP = 0.12
#: Height of the highest bar; above it stand the names of the quantiles.
HIGHEST = HEIGHT * 0.84


#: A bar: from, to, answers.
Bar = tuple[float, float, int]


def latency(api: Api) -> Markup:
    """Draw how long the answers of an API took, on a scale of ratios."""
    measured = api.latency
    p50, p95, longest = map(duration, (measured.p50, measured.p95, measured.max))
    bars, scale = _bars(measured)
    notes = [("p50", scale.share(measured.p50)), ("p95", scale.share(measured.p95))]
    lines = "".join(f"M{share * WIDTH:.1f} 0V{HEIGHT}" for _, share in notes)
    most = max(answers for _, _, answers in bars)
    return figure(
        "latency",
        said=f"Time from request to whole answer at {api.name}: half within {p50}, "
        f"95 % within {p95}, all within {longest}.",
        name="Time to answer",
        caption=f"p50 {p50}, p95 {p95}, max {longest}",
        plot=join(
            *(_drawn(bar, scale, most) for bar in bars),
            tag("path", class_="quantile", d=lines),
        ),
        top=count(most),
        marks=scale.marks(),
        notes=notes,
        table=table(
            ("Took", "Answers"),
            [
                (f"{duration(begin)} to {duration(end)}", count(answers))
                for begin, end, answers in bars
            ],
        ),
    )


def _drawn(bar: Bar, scale: Scale, most: int) -> Markup:
    begin, end, answers = bar
    left, right = scale.share(begin) * WIDTH, scale.share(end) * WIDTH
    height = HIGHEST * answers / most
    return tag(
        "rect",
        class_="bar",
        x=f"{left + GAP * (right - left) / 2:.1f}",
        y=f"{HEIGHT - height:.1f}",
        width=f"{(right - left) * (1 - GAP):.1f}",
        height=f"{height:.1f}",
    )


@dataclass(frozen=True)
class Scale:
    """The scale of a histogram, from one step of `Latency` to another."""

    low: float
    high: float

    def share(self, seconds: float) -> float:
        """Return how far along the scale a time is, from 0 to 1."""
        return (_steps(seconds) - self.low) / (self.high - self.low)

    def marks(self) -> list[tuple[float, str]]:
        """Return round times, few enough to be read, by their share of the scale."""
        for nice in ((*NICE, 3, 7), NICE, (1,)):
            found = [
                each * 10.0**power
                for power in range(-4, 7)
                for each in sorted(nice)
                if self.low < _steps(each * 10.0**power) < self.high
            ]
            if len(found) <= MARKS:
                break
        return [
            (self.share(each), f"{each * 1000:g} ms" if each < 1 else f"{each:g} s")
            for each in found
        ]


def _bars(measured: Latency) -> tuple[list[Bar], Scale]:
    """Return the bars that hold answers, and a scale with room around them."""
    counted = {round(_steps(step.from_seconds)): step.answers for step in measured.steps}
    least, most = min(counted), max(counted)
    each = next(n for n in (1, 2, 4, 8, 16) if (most - least) / n <= BARS)
    bars: Counter[int] = Counter()
    for step, answers in counted.items():
        bars[step // each] += answers
    found = [
        (_seconds(n * each), _seconds((n + 1) * each), answers)
        for n, answers in sorted(bars.items())
    ]
    return found, Scale((least // each - 2) * each, (most // each + 3) * each)


def _steps(seconds: float) -> float:
    return STEPS * math.log2(max(seconds, SHORTEST) / SHORTEST)


def _seconds(step: float) -> float:
    return float(SHORTEST * 2 ** (step / STEPS))
