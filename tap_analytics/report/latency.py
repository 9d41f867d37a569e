"""The chart of how long answers took: a histogram on a scale of ratios."""

from __future__ import annotations

import math
import typing as t

from tap_analytics.report.figure import HEIGHT, MARKS, NICE, WIDTH, figure, table
from tap_analytics.report.markup import Markup, join, tag
from tap_analytics.report.words import count, duration
from tap_analytics.transport.timeline import SHORTEST, STEPS

if t.TYPE_CHECKING:
    from tap_analytics.report.model import Api, Latency

#: Most bars.
BARS = 26
#: Share of a bar's width that stays free.
GAP = 0.12
#: Height of the highest bar; above it stand the names of the quantiles.
HIGHEST = HEIGHT * 0.84


def latency(api: Api) -> Markup:
    """Draw how long the answers of an API took, on a scale of ratios."""
    measured = api.latency
    said = (
        f"half within {duration(measured.p50)}, 95 % within {duration(measured.p95)}, "
        f"all within {duration(measured.max)}"
    )
    bars, low, high = _bars(measured)
    most = max(answers for _, _, answers in bars)

    def share(seconds: float) -> float:
        return (_steps(seconds) - low) / (high - low)

    shapes = [
        tag(
            "rect",
            class_="bar",
            x=f"{(share(begin) + GAP * (share(end) - share(begin)) / 2) * WIDTH:.1f}",
            y=f"{HEIGHT - HIGHEST * answers / most:.1f}",
            width=f"{(share(end) - share(begin)) * (1 - GAP) * WIDTH:.1f}",
            height=f"{HIGHEST * answers / most:.1f}",
        )
        for begin, end, answers in bars
        if answers
    ]
    lines = [("p50", share(measured.p50)), ("p95", share(measured.p95))]
    lined = "".join(f"M{at * WIDTH:.1f} 0V{HEIGHT}" for _, at in lines)
    return figure(
        "latency",
        f"Time from request to whole answer at {api.name}",
        ("Time to answer", said),
        plot=join(*shapes, tag("path", class_="quantile", d=lined)),
        top=count(most),
        marks=[(share(seconds), name) for seconds, name in _round_times(low, high)],
        notes=[(name, at) for name, at in lines],
        table=table(
            ("Took", "Answers"),
            [
                (f"{duration(begin)} to {duration(end)}", count(answers))
                for begin, end, answers in bars
                if answers
            ],
        ),
    )


def _bars(measured: Latency) -> tuple[list[tuple[float, float, int]], float, float]:
    """Return (from, to, answers) for each bar, and the ends of the axis in steps."""
    counted = {round(_steps(step.from_seconds)): step.answers for step in measured.steps}
    least, most = min(counted), max(counted)
    each = next(n for n in (1, 2, 4, 8, 16) if (most - least) / n <= BARS)
    low, high = least // each - 2, most // each + 3
    bars = [
        (
            _seconds(n * each),
            _seconds((n + 1) * each),
            sum(counted.get(step, 0) for step in range(n * each, (n + 1) * each)),
        )
        for n in range(low, high)
    ]
    return bars, low * each, high * each


def _round_times(low: float, high: float) -> list[tuple[float, str]]:
    """Return round times between two steps, few enough to be read."""
    for nice in (NICE, (1,)):
        found = [
            seconds
            for power in range(-4, 7)
            for each in nice
            if low < _steps(seconds := each * 10.0**power) < high
        ]
        if len(found) <= MARKS:
            break
    return [(each, f"{each * 1000:g} ms" if each < 1 else f"{each:g} s") for each in found]


def _steps(seconds: float) -> float:
    return STEPS * math.log2(max(seconds, SHORTEST) / SHORTEST)


def _seconds(step: float) -> float:
    return float(SHORTEST * 2 ** (step / STEPS))
