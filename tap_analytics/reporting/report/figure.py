"""What charts have in common: a frame that says in words what it shows, and a table of the figures.

The shapes stretch with the page, so whatever is text stands around them, in HTML.
"""

from __future__ import annotations

import typing as t

from tap_analytics.reporting.report.markup import Markup, tag

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Of a drawing, in its own units.
WIDTH, HEIGHT = 1000, 100
#: Most names along an axis.
MARKS = 6
#: What a name takes of an axis, on a phone, and how near to its end it would not fit.
ROOM, EDGE = 0.13, 0.06
#: Round numbers between a power of ten and the next.
NICE = (1, 2, 5)


def figure(  # noqa: PLR0913 - the parts of a chart, each by its name
    kind: str,
    *,
    said: str,
    name: str,
    caption: str,
    plot: Markup,
    top: str,
    marks: Sequence[tuple[float, str]],
    table: Markup,
    notes: Sequence[tuple[str, float]] = (),
) -> Markup:
    """Return a chart under a name and a caption; what is `said` of it tells it without the eyes.

    Marks along its axis and notes in it are placed by their share of it.
    """
    drawing = tag(
        "svg",
        plot,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=said,
    )
    labels = [
        tag("span", note, class_="note", style=f"left:{share:.2%}", aria_hidden="true")
        for note, share in notes
    ]
    return tag(
        "figure",
        tag("figcaption", tag("b", name), " ", tag("span", caption)),
        tag(
            "div",
            tag("span", top, class_="top", aria_hidden="true"),
            drawing,
            *labels,
            tag("div", *_marks(marks), class_="marks", aria_hidden="true"),
            class_="plot",
        ),
        tag("details", tag("summary", "As a table"), tag("div", table, class_="wide")),
        class_=f"chart {kind}",
    )


def _marks(marks: Sequence[tuple[float, str]]) -> Iterator[Markup]:
    """Yield names along an axis; one that would run into the name before is left out."""
    reached = -ROOM
    for share, name in marks:
        # A name at an edge would stand beyond it.
        place = "first" if share < EDGE else "last" if share > 1 - EDGE else None
        middle = {"first": share + ROOM / 2, "last": share - ROOM / 2}.get(place or "", share)
        if middle - reached >= ROOM:
            reached = middle
            yield tag("span", name, class_=place, style=f"left:{share:.2%}")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a table of figures whose first column names the rows."""
    return tag(
        "table",
        tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads))),
        tag(
            "tbody",
            *(
                tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in rest))
                for first, *rest in rows
            ),
        ),
        class_="figures",
    )
