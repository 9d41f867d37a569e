"""All constructs."""

from __future__ import annotations

from support.differential import changes, pages, parents, requests, rows

CONSTRUCTS = [
    *pages.CONSTRUCTS,
    *parents.CONSTRUCTS,
    *changes.CONSTRUCTS,
    *requests.CONSTRUCTS,
    *rows.CONSTRUCTS,
]
