"""All constructs."""

from __future__ import annotations

from support.differential import pages

CONSTRUCTS = [*pages.CONSTRUCTS]
