"""Pictures of the inside, for those who change the code: the layers, and the way of a page."""

from __future__ import annotations

import typing as t

from handbook.drawing import arrow, rect, svg, text

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: Name to (left, top, width, what it consists of, what it is for).
LAYERS = {
    "cli": (290, 24, 380, "cli.py, command.py, commands/", "the command line and its endings"),
    "tap": (290, 114, 380, "tap.py", "settings and streams: the sum of the APIs"),
    "settings": (24, 114, 216, "settings/, declarations/", "what may be written"),
    "sync": (720, 204, 216, "sync.py", "all streams side by side"),
    "streams": (290, 204, 380, "streams/", "a module per API, a class per resource"),
    "client": (290, 294, 380, "client.py", "the one place that meets the SDK"),
    "extraction": (290, 384, 380, "extraction.py", "one stream in one run"),
    "walk": (24, 474, 400, "walk.py", "pages in order, each one proven"),
    "outlet": (536, 474, 400, "outlet.py, records.py, sinks.py", "rows to RECORD lines"),
    "proof": (24, 564, 190, "pagination/, seam.py", "completeness.py: the proof"),
    "pages": (234, 564, 190, "pages.py", "pages by token, decoded"),
    "transport": (234, 654, 190, "transport/", "HTTP policy"),
    "writer": (536, 564, 400, "writer.py", "whole messages, one lock"),
    "server": (234, 744, 190, "the APIs", ""),
    "target": (536, 744, 400, "the target", ""),
}
OUTSIDE = {"server", "target"}
TALL = 56

#: Participants of the way of a page, and the steps: from, to, what; a dashed one is an answer.
WHO = ("Extraction", "Walk", "Paginator, proof", "Lookahead", "Server")
STEPS: tuple[tuple[int, int, str, bool], ...] = (
    (0, 1, "next page", False),
    (1, 2, "is this token new?", False),
    (1, 3, "take the page it names", False),
    (3, 4, "request, unless read ahead", False),
    (4, 3, "response, decoded there", True),
    (3, 1, "rows, envelope, fingerprint", True),
    (1, 2, "new page? what follows?", False),
    (2, 1, "the next token, or why none", True),
    (1, 3, "want the next pages", False),
    (1, 0, "rows", True),
    (0, 0, "select, conform, encode", False),
    (0, 0, "write the page at once", False),
)
LANE, STEP, TOP = 216, 46, 110


def layers() -> str:
    """Draw what needs what; imports point down."""
    parts = [
        *_down("cli", "tap"),
        arrow((240, 142), (290, 142)),
        *_down("tap", "streams"),
        arrow((670, 142), (828, 142), (828, 204)),
        *_down("streams", "client"),
        *_down("client", "extraction"),
        arrow((828, 260), (828, 412), (670, 412)),
        arrow((350, 440), (350, 474)),
        arrow((610, 440), (610, 474)),
        arrow((119, 530), (119, 564)),
        arrow((329, 530), (329, 564)),
        *_down("pages", "transport"),
        *_down("transport", "server"),
        *_down("outlet", "writer"),
        *_down("writer", "target"),
    ]
    for name, (x, y, width, title, meaning) in LAYERS.items():
        parts.append(rect(x, y, width, TALL, kind="head" if name in OUTSIDE else "box"))
        lift = 0 if meaning else 9
        parts.append(text(x + width / 2, y + 24 + lift, title, kind="mono"))
        parts.append(text(x + width / 2, y + 43, meaning, kind="small"))
    return svg("The layers of the tap; imports point down", size=(960, 824), parts=parts)


def page() -> str:
    """Draw the way of a page."""
    height = TOP + STEP * len(STEPS) + 10
    parts = []
    for number, name in enumerate(WHO):
        x = _lane(number)
        parts.append(f'<path class="line dashed" d="M{x:g} 72V{height - 24:g}"/>')
        parts += [rect(x - 82, 24, 164, 48), text(x, 54, name, kind="strong")]
    for number, (start, end, what, answers) in enumerate(STEPS):
        parts += _step(TOP + number * STEP, start, end, what, answers=answers)
    return svg("The way of a page", size=(2 * 106 + 4 * LANE, height), parts=parts)


def _down(upper: str, lower: str) -> Iterator[str]:
    x, y, width, *_ = LAYERS[upper]
    yield arrow((x + width / 2, y + TALL), (x + width / 2, LAYERS[lower][1]))


def _lane(number: int) -> float:
    return 106 + number * LANE


def _step(y: float, start: int, end: int, what: str, *, answers: bool) -> Iterator[str]:
    x0, x1 = _lane(start), _lane(end)
    if start == end:
        yield arrow((x0, y - 8), (x0 + 36, y - 8), (x0 + 36, y + 8), (x0, y + 8))
        yield text(x0 + 46, y + 5, what, kind="small", anchor="start")
        return
    yield arrow((x0, y + 6), (x1, y + 6), dashed=answers)
    yield text(min(x0, x1) + 12, y - 2, what, kind="small", anchor="start")
