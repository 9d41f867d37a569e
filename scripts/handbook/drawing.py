"""Shapes of SVG pictures, for light and dark readers.

A picture stands on a ground of its own, so that it can be read wherever it is put.
"""

from __future__ import annotations

import typing as t
from html import escape

if t.TYPE_CHECKING:
    from collections.abc import Sequence

STYLE = """
.ground { fill: #ffffff; stroke: #d1d9e0 }
text { font: 15px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #59636e }
.strong { font-weight: 600; fill: #1f2328 }
.small { font-size: 13px }
.mono { font: 12.5px ui-monospace, SFMono-Regular, Menlo, monospace; fill: #1f2328 }
.faint { fill: #818b98 }
.box { fill: #f6f8fa; stroke: #d1d9e0 } .head { fill: #eaeef2 }
.zone { fill-opacity: .5; stroke-opacity: .5; stroke-dasharray: 4 4 }
.zone.one { fill: #ddf4ff; stroke: #54aeff }
.zone.two { fill: #dafbe1; stroke: #4ac26b } .zone.three { fill: #fbefff; stroke: #c297ff }
.one-text { fill: #0969da } .two-text { fill: #1a7f37 } .three-text { fill: #8250df }
.line { fill: none; stroke: #818b98; stroke-width: 1.5 } .tip { fill: #818b98 }
.dashed { stroke-dasharray: 5 4 }
.bar { fill: #54aeff } .done { fill: #4ac26b }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117; stroke: #3d444d }
  text { fill: #9198a1 } .strong, .mono { fill: #f0f6fc } .faint { fill: #767f8a }
  .box { fill: #151b23; stroke: #3d444d } .head { fill: #212830 }
  .zone.one { fill: #0c2d6b; stroke: #1f6feb }
  .zone.two { fill: #033a16; stroke: #238636 } .zone.three { fill: #3c1e70; stroke: #8957e5 }
  .one-text { fill: #58a6ff } .two-text { fill: #3fb950 } .three-text { fill: #bc8cff }
  .line { stroke: #767f8a } .tip { fill: #767f8a }
  .bar { fill: #1f6feb } .done { fill: #238636 }
}
"""


def svg(title: str, *, size: tuple[float, float], parts: Sequence[str]) -> str:
    """Return a picture on its ground."""
    width, height = size
    box = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            rect(0.5, 0.5, width - 1, height - 1, kind="ground", radius=10),
            *parts,
            "</svg>",
            "",
        ]
    )


def rect(  # noqa: PLR0913 - a box has four sides
    x: float, y: float, width: float, height: float, *, kind: str = "box", radius: float = 8
) -> str:
    """Return a box."""
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
    return f'<rect class="{kind}" {place}/>'


def text(x: float, y: float, content: str, *, kind: str = "", anchor: str = "middle") -> str:
    """Return a line of text."""
    place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(content)}</text>'


def arrow(*points: tuple[float, float], dashed: bool = False) -> str:
    """Return a line through points, with a tip at its end."""
    (x0, y0), (x, y) = points[-2:]
    way = "M" + "L".join(f"{px:g} {py:g}" for px, py in points)
    if y0 == y:
        back = 8 if x > x0 else -8
        tip = f"M{x:g} {y:g}l{-back} -4.5v9z"
    else:
        back = 8 if y > y0 else -8
        tip = f"M{x:g} {y:g}l-4.5 {-back}h9z"
    kind = "line dashed" if dashed else "line"
    return f'<path class="{kind}" d="{way}"/><path class="tip" d="{tip}"/>'
