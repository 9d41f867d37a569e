"""HTML from templates: every value is escaped unless it is `Markup` already."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from html import escape

if t.TYPE_CHECKING:
    from collections.abc import Sequence


class Markup(str):
    """Text that is HTML and must not be escaped."""

    __slots__ = ()


def html(template: str, *values: object, **named: object) -> Markup:
    """Format a template with text, markup, or iterables of them; None becomes empty."""
    texts = {name: _escaped(value) for name, value in named.items()}
    return Markup(template.format(*map(_escaped, values), **texts))


def _escaped(value: object) -> str:
    if isinstance(value, Markup):
        return value
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "".join(map(_escaped, value))
    return "" if value is None else escape(str(value))


def table(heads: Sequence[str], *groups: Iterable[Markup], kind: str, title: str) -> Markup:
    """Return a table of groups of rows.

    The ARIA roles are explicit because a narrow page lays rows out as cards, which drops them.
    """
    return html(
        '<table class="{}" role="table"><caption class="unseen">{}</caption>'
        '<thead role="rowgroup"><tr role="row">{}</tr></thead>{}</table>',
        kind,
        title,
        (html('<th scope="col" role="columnheader">{}</th>', head) for head in heads),
        (html('<tbody role="rowgroup">{}</tbody>', rows) for rows in groups),
    )


def text_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str, title: str
) -> Markup:
    """Return a table of text; the first cell of each row is its header."""
    return table(heads, (_text_row(heads, row) for row in rows), kind=kind, title=title)


def _text_row(heads: Sequence[str], row: Sequence[str]) -> Markup:
    cells = (
        html('<td role="cell" data-label="{}">{}</td>', *each)
        for each in zip(heads[1:], row[1:], strict=True)
    )
    return html('<tr role="row"><th scope="row" role="rowheader">{}</th>{}</tr>', row[0], cells)
