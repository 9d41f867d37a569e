"""Links to the next page, in the `Link` header or in the body of a response.

The server's word comes first: a next link wins over counting. That a response has link metadata and
no next link in it is a word as well.
"""

from __future__ import annotations

import typing as t

from requests.utils import parse_header_links

if t.TYPE_CHECKING:
    from tap_analytics.pagination.paging import Page

#: Where the APIs of the field put a link to the next page in a response body.
LINK_OBJECTS = ("links", "_links", "paging", "pagination")
#: Relations that speak of pages; a `Link` header may speak of anything.
LINK_RELS = frozenset({"next", "prev", "previous", "first", "last"})
LINK_MEMBERS = frozenset((*LINK_OBJECTS, "next"))


def header_links(page: Page) -> dict[str, str]:
    """Return the links of the `Link` header by relation; one link may have several."""
    return {
        relation: entry["url"]
        for entry in parse_header_links(page.headers.get("Link") or "")
        for relation in entry.get("rel", "").lower().split()
    }


def next_link(page: Page) -> tuple[bool, str | None]:
    """Look for link metadata: (whether the response has any, the next link if it has one)."""
    rels = header_links(page)
    if "next" in rels:
        return True, rels["next"]
    in_header = not LINK_RELS.isdisjoint(rels)
    if not isinstance(page.payload, dict):
        return in_header, None
    for name in LINK_OBJECTS:
        if isinstance(links := page.payload.get(name), dict):
            link: t.Any = links.get("next")
            link = link.get("href") if isinstance(link, dict) else link
            if isinstance(link, str) and link:
                return True, link
            if name in {"links", "_links"}:
                return True, None
    link = page.payload.get("next", ...)
    if isinstance(link, str) and ("?" in link or link.startswith(("http:", "https:", "/"))):
        return True, link
    return in_header or link is None, None
