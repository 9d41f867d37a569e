"""All constructs."""

from __future__ import annotations

from support.differential import changes, ends, pages, parents, requests, rows

CONSTRUCTS = [
    *pages.CONSTRUCTS,
    *ends.CONSTRUCTS,
    *parents.CONSTRUCTS,
    *changes.CONSTRUCTS,
    *requests.CONSTRUCTS,
    *rows.CONSTRUCTS,
]
