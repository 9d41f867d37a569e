"""Markdown as the generated blocks need it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lay out a table."""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def code(text: object) -> str:
    """Set a text as code."""
    return f"`{text}`"


def value(default: object) -> str:
    """Spell a default as it is written in a configuration; nothing for none."""
    if default is None or default == "":
        return ""
    if isinstance(default, bool):
        return code(str(default).lower())
    return code(f"{default:g}" if isinstance(default, float) else default)
