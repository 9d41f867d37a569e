"""What MkDocs can't do by itself.

The first page needs no navigation beside it, and links that leave `docs/` lead to files that the
site doesn't hold.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

if t.TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Point links to the repository's other files at the repository, or leave their text alone."""

    def replace(found: re.Match[str]) -> str:
        text, path, anchor = found[1], found[2], found[3] or ""
        place = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), path))
        if not place.startswith("../"):
            return found[0]
        if not config.repo_url:
            return text
        return f"[{text}]({config.repo_url}/blob/main/{place.removeprefix('../')}{anchor})"

    if page.is_homepage:
        page.meta["hide"] = ["navigation", "toc"]
    return LINK.sub(replace, markdown)
