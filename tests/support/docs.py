"""The documentation as tests read it: its pages and their fenced blocks."""

from __future__ import annotations

import re
import typing as t

from support.paths import DOCS, ROOT

if t.TYPE_CHECKING:
    from pathlib import Path

PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
#: Any fence, wherever it begins; its language, which may be missing, and what it holds.
FENCE = re.compile(
    r"^([ \t]*)(```+|~~~+)[ \t]*(\S*)[^\n]*\n(.*?)^\1\2[ \t]*$", re.DOTALL | re.MULTILINE
)


class Block(t.NamedTuple):
    """A fenced block."""

    language: str
    content: str


def parse(text: str) -> list[Block]:
    """Return the fenced blocks of a text."""
    return [Block(language, content) for _, _, language, content in FENCE.findall(text)]


def blocks(page: Path | str, *languages: str) -> list[str]:
    """Return the contents of a page's blocks in the given languages; names are below docs."""
    return [
        content
        for language, content in parse((DOCS / page).read_text("utf-8"))
        if language in languages
    ]
