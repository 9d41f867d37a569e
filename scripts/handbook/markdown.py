"""Markdown as the generated blocks need it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable


def table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a table; its head is written as `Name | Meaning`."""
    line = " | ".join("---" for _ in head.split(" | "))
    return "\n".join(f"| {row} |" for row in (head, line, *map(" | ".join, rows)))


def code(text: object) -> str:
    """Return a text set as code."""
    return f"`{text}`"


def value(default: object) -> str:
    """Return a default as it is written in a configuration; nothing for none."""
    if default is None or default == "":
        return ""
    if isinstance(default, list):
        return ", ".join(map(code, default))
    if isinstance(default, bool):
        return code(str(default).lower())
    return code(f"{default:g}" if isinstance(default, float) else default)
