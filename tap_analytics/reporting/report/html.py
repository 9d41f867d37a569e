"""HTML from small functions: text is always escaped, for only `tag` makes markup."""

from __future__ import annotations

import typing as t
from html import escape

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Elements without an end tag; those of SVG are closed in themselves.
_VOID = frozenset({"meta", "path", "rect"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


#: What may stand inside of an element; None and empty text are left out.
Inside: t.TypeAlias = str | Markup | None


def tag(element: str, /, *inside: Inside, **attributes: object) -> Markup:
    """Return an element.

    Attributes are written with underscores for hyphens, and `class_`; those that are None or
    False are left out.
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_escaped(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if element in _VOID:
        return Markup(f"<{element}{given}/>")
    return Markup(f"<{element}{given}>{''.join(map(_escaped, filter(None, inside)))}</{element}>")


def _escaped(part: object) -> str:
    return part if isinstance(part, Markup) else escape(str(part))


# --- tables -----------------------------------------------------------------------------------
# The roles are given because rows laid out as cards, on a narrow page, lose them.


def table(heads: Sequence[str], *groups: Iterable[Markup], class_: str, title: str) -> Markup:
    """Return a table of groups of rows."""
    columns = (tag("th", head, scope="col", role="columnheader") for head in heads)
    return tag(
        "table",
        tag("caption", title, class_="unseen"),
        tag("thead", tag("tr", *columns, role="row"), role="rowgroup"),
        *(tag("tbody", *rows, role="rowgroup") for rows in groups),
        class_=class_,
        role="table",
    )


def row(name: str, *cells: Markup, note: Inside = None, **attributes: object) -> Markup:
    """Return a row that is headed by a name, with a note below it."""
    head = tag("th", name, note, scope="row", role="rowheader")
    return tag("tr", head, *cells, role="row", **attributes)


def text_rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[Markup]:
    """Yield rows of plain text for the columns of a table."""
    for name, *texts in rows:
        yield row(name, *map(cell, texts, heads[1:]))


def cell(inside: str, head: str | None = None, **attributes: object) -> Markup:
    """Return a cell; its head is shown where a row is a card."""
    return tag("td", inside, role="cell", data_label=head, **attributes)
