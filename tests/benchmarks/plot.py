"""Plots as small SVG files, in the light or dark theme of the page."""

from __future__ import annotations

import math
import typing as t
from html import escape

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WIDTH = 720
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #57606a }
.title { font-weight: 600; fill: #24292f }
.own { fill: #0969da } .other { fill: #afb8c1 }
path.line { fill: none; stroke: #0969da; stroke-width: 2.5 } text.line { fill: #0969da }
.grid { stroke: #afb8c1; stroke-width: .5 }
path.mark { fill: none; stroke: #8250df; stroke-width: 1.5; stroke-dasharray: 5 4 }
text.mark { fill: #8250df }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1 } .title { fill: #f0f6fc }
  .own, text.line { fill: #4493f8 } .other { fill: #59636e } path.line { stroke: #4493f8 }
  .grid { stroke: #59636e } path.mark { stroke: #ab7df8 } text.mark { fill: #ab7df8 }
}
"""


def svg(title: str, height: int, elements: Sequence[str]) -> str:
    """Return a picture."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    name = f'<title>{escape(title)}</title><text class="title" x="8" y="20">{escape(title)}</text>'
    return "\n".join([head, f"<style>{STYLE}</style>", name, *elements, "</svg>", ""])


def text(x: float, y: float, content: str, *, anchor: str = "start", kind: str = "") -> str:
    """Return a line of text."""
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(content)}</text>'


def bars(title: str, values: Mapping[str, float], *, own: str, unit: str) -> str:
    """Draw a bar for each value, one of them our own."""
    left, step, most = 150, 26, max(values.values())
    elements = []
    for position, (label, value) in enumerate(values.items()):
        y, width = 36 + position * step, value / most * (WIDTH - left - 150)
        kind = "own" if label == own else "other"
        elements += [
            text(left - 8, y + 13, label, anchor="end"),
            f'<rect class="{kind}" x="{left}" y="{y}" width="{width:.1f}" height="18" rx="2"/>',
            text(left + width + 8, y + 13, f"{value:,.0f} {unit}"),
        ]
    return svg(title, 48 + len(values) * step, elements)


class Axes:
    """A plane with a logarithmic x axis, and a y axis of either kind."""

    left, right, top, bottom = 50, WIDTH - 20, 56, 300

    def __init__(
        self, xs: Mapping[float, str], ys: Mapping[float, str], *, log: bool, unit: str
    ) -> None:
        self.xs, self.ys = list(xs), list(ys)
        self.scale: Callable[[float], float] = math.log if log else float
        self.elements = [text(8, self.top - 8, unit)]
        for value, label in xs.items():
            self.elements.append(text(self.x(value), self.bottom + 20, label, anchor="middle"))
        for value, label in ys.items():
            y = self.y(value)
            self.elements += [
                f'<path class="grid" d="M{self.left} {y:.1f}H{self.right}"/>',
                text(self.left - 8, y + 4, label, anchor="end"),
            ]

    def x(self, value: float) -> float:
        low, high = math.log(self.xs[0]), math.log(self.xs[-1])
        return self.left + 30 + (math.log(value) - low) / (high - low) * (self.right - 130)

    def y(self, value: float) -> float:
        low, high = self.scale(self.ys[0]), self.scale(self.ys[-1])
        share = (self.scale(value) - low) / (high - low)
        return self.bottom - share * (self.bottom - self.top)

    def line(self, points: Mapping[float, float], *, kind: str, label: str) -> None:
        """Draw a line, named at its middle."""
        places = [(self.x(x), self.y(y)) for x, y in points.items()]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        self.elements.append(f'<path class="{kind}" d="M{path}"/>')
        if kind == "line":
            self.elements += [
                f'<circle class="own" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places
            ]
        x, y = places[len(places) // 2]
        below = y + 20 if kind == "mark" else y - 9
        self.elements.append(text(x + 8, below, label, kind=kind))

    def dot(self, x: float, y: float, label: str) -> None:
        """Draw a single value."""
        place = f'cx="{self.x(x):.1f}" cy="{self.y(y):.1f}"'
        self.elements += [
            f'<circle class="other" {place} r="5"/>',
            text(self.x(x) + 10, self.y(y) + 16, label),
        ]

    def picture(self, title: str, below: str) -> str:
        """Return the picture."""
        middle = (self.left + self.right) / 2
        return svg(title, 346, [*self.elements, text(middle, 340, below, anchor="middle")])
