"""HTML from small functions: what is text is escaped, always, for only `tag` makes markup."""

from __future__ import annotations

import typing as t
from html import escape

#: Elements without an end tag; those of SVG are closed in themselves.
_VOID = frozenset({"meta", "path", "rect", "line"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


#: What may stand inside of an element; None and empty text leave no trace.
Inside: t.TypeAlias = str | Markup | None


def tag(element: str, /, *inside: Inside, **attributes: object) -> Markup:
    """Return an element.

    Attributes are written with underscores for hyphens, and `class_`; those that are None or
    False are left out.
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_plain(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if element in _VOID:
        return Markup(f"<{element}{given}/>")
    return Markup(f"<{element}{given}>{join(*inside)}</{element}>")


def join(*parts: Inside, by: str = "") -> Markup:
    """Return parts one after the other."""
    return Markup(by.join(_plain(part) for part in parts if part))


def _plain(part: object) -> str:
    return part if isinstance(part, Markup) else escape(str(part))
