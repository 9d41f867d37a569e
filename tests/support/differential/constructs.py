"""All constructs."""

from __future__ import annotations

from support.differential import changes, ends, pages, parents, requests, rows, signing, tokens

CONSTRUCTS = [
    *pages.CONSTRUCTS,
    *ends.CONSTRUCTS,
    *tokens.CONSTRUCTS,
    *parents.CONSTRUCTS,
    *changes.CONSTRUCTS,
    *signing.CONSTRUCTS,
    *requests.CONSTRUCTS,
    *rows.CONSTRUCTS,
]
