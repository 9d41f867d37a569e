"""The pictures of the documentation, drawn from what the code declares."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from handbook.drawing import arrow, rect, svg, text
from handbook.inside import layers, page
from tap_analytics.relations import relations
from tap_analytics.streams import APIS

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_analytics.relations import Relation

# --- the architecture -----------------------------------------------------------------------


def architecture() -> str:
    """Draw the way of a row, from the APIs to the target, and who may decide what."""
    top, middle = 66, 172
    parts = [
        *_zone(230, 204, "many requests at once", kind="one"),
        *_zone(462, 410, "one thread per stream, in order", kind="two"),
        *_zone(900, 172, "one lock", kind="three"),
    ]
    names = [api.title.removesuffix(" platform") for api in APIS]
    for number, name in enumerate([*names, "Any REST API"]):
        y = 57 + number * 48
        parts += [rect(24, y, 166, 38), text(107, y + 24, name, kind="strong")]
        parts.append(f'<path class="line" d="M190 {y + 19}H210"/>')
    parts += [
        '<path class="line" d="M210 76V268"/>',
        arrow((210, middle), (246, middle)),
        *_station(246, top, 172, "Reads ahead", ("one gate per API:", "width, pace, pauses")),
        *_pages(332, top + 136),
        arrow((418, middle), (478, middle)),
        *_station(478, top, 196, "Proof", ("fingerprints, seams,", "totals, ends")),
        *_verdicts(576, top + 130),
        arrow((674, middle), (706, middle)),
        *_station(706, top, 150, "Records", ("selected, conformed,", "a page at a time")),
        *_lines_of_a_page(781, top + 98),
        arrow((856, middle), (916, middle)),
        *_station(916, top, 140, "One writer", ("whole lines, STATE", "behind its records")),
        *_messages(986, top + 98),
        arrow((1056, middle), (1100, middle)),
        rect(1100, middle - 38, 124, 76),
        text(1162, middle - 4, "Target", kind="strong"),
        text(1162, middle + 18, "PostgreSQL, …", kind="small"),
        text(
            624,
            332,
            "What was read ahead never decides. Bookmarks move, and deletes are allowed, "
            "only after the proof.",
            kind="strong",
        ),
    ]
    return svg(
        "From five APIs through reading ahead, proof, records and one writer to the target",
        size=(1248, 358),
        parts=parts,
    )


def _zone(x: float, width: float, title: str, *, kind: str) -> Iterator[str]:
    yield rect(x, 24, width, 272, kind=f"zone {kind}", radius=12)
    yield text(x + width / 2, 48, title, kind=f"small {kind}-text")


def _station(x: float, y: float, width: float, title: str, lines: Sequence[str]) -> Iterator[str]:
    yield rect(x, y, width, 212)
    yield text(x + width / 2, y + 30, title, kind="strong")
    for number, line in enumerate(lines):
        yield text(x + width / 2, y + 56 + number * 19, line, kind="small")


def _lines_of_a_page(x: float, y: float) -> Iterator[str]:
    for number, width in enumerate((104, 92, 110, 98, 88)):
        yield rect(x - 56, y + number * 18, width, 9, kind="done", radius=4)


def _messages(x: float, y: float) -> Iterator[str]:
    for number, word in enumerate(("SCHEMA", "RECORD", "STATE")):
        yield rect(x - 48, y + number * 32, 96, 25, kind="head", radius=4)
        yield text(x, y + 17 + number * 32, word, kind="mono")


def _pages(x: float, y: float) -> Iterator[str]:
    """Draw pages that are under way, and those that have come."""
    for number in range(6):
        kind = "done" if number < 2 else "bar"  # noqa: PLR2004 - two have come
        yield rect(x - 68 + number * 23, y - 36, 17, 24, kind=kind, radius=3)
    yield text(x, y + 18, "pages under way", kind="small")
    yield text(x, y + 37, "only warm a cache", kind="small")


def _verdicts(x: float, y: float) -> Iterator[str]:
    for number, word in enumerate(("verified", "consistent", "unverified", "short")):
        column, line = number % 2, number // 2
        left = x - 91 + column * 92
        yield rect(left, y - 30 + line * 34, 88, 27, kind="head", radius=13)
        yield text(left + 44, y - 12 + line * 34, word, kind="small strong")


# --- streams and their keys -----------------------------------------------------------------

BOX, LINE, HEAD, GAP, AIR = 316, 20, 30, 84, 22
#: More columns than this make a picture too small to read.
DEEPEST = 2


@dataclass(frozen=True)
class Placed:
    """A stream with its place in the picture."""

    relation: Relation
    x: float
    y: float

    @property
    def height(self) -> float:
        """What its title and its lines take."""
        return HEAD + LINE * len(self.relation.linking) + 8

    def row(self, column: str) -> float:
        """Return the middle of the line of a column."""
        names = [each.name for each in self.relation.linking]
        return self.y + HEAD + LINE * names.index(column) + LINE / 2 + 2


def streams() -> t.Mapping[str, str]:
    """Draw the streams of each API with their keys, and who refers to whom."""
    return {api.name: _api(api.title, relations([api])) for api in APIS}


def _api(title: str, found: Sequence[Relation]) -> str:
    placed = _placed(found)
    loops = any(
        placed[each.stream].x == placed[relation.name].x
        for relation in found
        for each in relation.references
    )
    right = max(each.x for each in placed.values()) + BOX + (56 if loops else 24)
    bottom = max(each.y + each.height for each in placed.values()) + 24
    parts = [text(24, 36, title, kind="strong", anchor="start")]
    for each in placed.values():
        parts += _lines(each, placed)
    for each in placed.values():
        parts += _table(each)
    return svg(f"{title}: streams, keys and references", size=(right, bottom), parts=parts)


def _placed(found: Sequence[Relation]) -> dict[str, Placed]:
    """Put who is referred to on the left, who refers on the right, and the rest beneath."""
    depth = {relation.name: 0 for relation in found}
    for _ in found:
        for relation in found:
            for each in relation.references:
                # A reference back to one that refers here, as of a space to its home page.
                there = {back.stream for back in _named(found, each.stream).references}
                if relation.name not in there or each.stream > relation.name:
                    deeper = min(depth[each.stream] + 1, DEEPEST)
                    depth[relation.name] = max(depth[relation.name], deeper)
    linked = {r.name for r in found if r.references}
    linked |= {each.stream for relation in found for each in relation.references}
    columns = max(depth.values()) + 1 if linked else 3
    heights = dict.fromkeys(range(max(columns, 2)), 60.0)
    placed = {}
    for relation in sorted(found, key=lambda each: each.name not in linked):
        alone = relation.name not in linked
        column = min(heights, key=lambda each: heights[each]) if alone else depth[relation.name]
        here = Placed(relation, 24 + column * (BOX + GAP), heights[column])
        placed[relation.name] = here
        heights[column] = here.y + here.height + AIR
    return placed


def _named(found: Sequence[Relation], name: str) -> Relation:
    return next(relation for relation in found if relation.name == name)


def _table(here: Placed) -> Iterator[str]:
    relation = here.relation
    yield rect(here.x, here.y, BOX, here.height)
    way = f"M{here.x:g} {here.y + HEAD:g}h{BOX}"
    yield f'<path class="line" stroke-opacity=".4" d="{way}"/>'
    yield text(here.x + 12, here.y + 20, relation.name, kind="strong", anchor="start")
    roots = {each.root: each.column for each in relation.references}
    for column in relation.linking:
        marks = [
            mark
            for mark, applies in (
                ("key", column.name in relation.keys),
                ("reference", column.name in roots),
                ("bookmark", column.name == relation.bookmark),
            )
            if applies
        ]
        y = here.row(column.name) + 4
        shown = roots.get(column.name, column.name)
        yield text(here.x + 12, y, shown, kind="mono", anchor="start")
        yield text(here.x + BOX - 12, y, ", ".join(marks), kind="small faint", anchor="end")


def _lines(here: Placed, placed: t.Mapping[str, Placed]) -> Iterator[str]:
    """Draw a line from each reference to the key it holds; dashed but to the parent."""
    for each in here.relation.references:
        there = placed[each.stream]
        start, end = here.row(each.root), there.row(each.field)
        if there.x < here.x:
            x0, x1, bend0, bend1 = here.x, there.x + BOX, -GAP / 2, GAP / 2
        elif there.x > here.x:
            x0, x1, bend0, bend1 = here.x + BOX, there.x, GAP / 2, -GAP / 2
        else:
            x0 = x1 = here.x + BOX
            bend0 = bend1 = GAP / 2
        back = 8 if bend1 > 0 else -8
        bends = f"{x0 + bend0:g} {start:g} {x1 + bend1:g} {end:g}"
        way = f"M{x0:g} {start:g}C{bends} {x1 + back:g} {end:g}"
        kind = "line" if each.is_parent else "line dashed"
        yield f'<path class="{kind}" d="{way}"/>'
        yield f'<path class="tip" d="M{x1:g} {end:g}l{back} -4.5v9z"/>'


def pictures() -> t.Mapping[str, str]:
    """Return every picture by its file name."""
    return {
        "architecture.svg": architecture(),
        "layers.svg": layers(),
        "page.svg": page(),
        **{f"streams-{name}.svg": picture for name, picture in streams().items()},
    }
