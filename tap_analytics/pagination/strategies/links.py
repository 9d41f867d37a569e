"""Links to the next page, in the `Link` header or in the body of a response.

The server's word comes first: a next link wins over counting. That a response names its next link
and has none, with null, is a word as well; an object of links that doesn't name it is not.
"""

from __future__ import annotations

import typing as t

from requests.utils import parse_header_links

if t.TYPE_CHECKING:
    from tap_analytics.pagination.page import Page

#: Where the APIs of the field put a link to the next page in a response body.
LINK_OBJECTS = ("links", "_links", "paging", "pagination")
#: Relations that speak of pages beside `next`; links may speak of anything.
LINK_RELS = frozenset({"prev", "previous", "first", "last"})
LINK_MEMBERS = frozenset((*LINK_OBJECTS, "next"))


def header_links(page: Page) -> dict[str, str]:
    """Return the links of the `Link` header by relation; one link may have several."""
    return {
        relation: entry["url"]
        for entry in parse_header_links(page.headers.get("Link") or "")
        for relation in entry.get("rel", "").lower().split()
    }


def link_in(value: object) -> str | None:
    """Return the link a member holds, as text or as an object with an address, else None."""
    if isinstance(value, dict):
        value = value.get("href") or value.get("url")
    return value if isinstance(value, str) and value else None


def next_link(page: Page) -> tuple[bool, str | None]:
    """Look for the next link: (whether the response names it, with null too; the link if any)."""
    if link := header_links(page).get("next"):
        return True, link
    if not isinstance(page.payload, dict):
        return False, None
    named = False
    for links in _objects(page.payload):
        if link := link_in(links.get("next")):
            return True, link
        named |= "next" in links and not links["next"]
    value = page.payload.get("next", ...)
    link = link_in(value)
    if link and ("?" in link or link.startswith(("http:", "https:", "/"))):
        return True, link
    return named or value is None or value is False, None


def names_pages(page: Page) -> bool:
    """Whether links of a response lead to other pages than the next one."""
    if not LINK_RELS.isdisjoint(header_links(page)):
        return True
    payload = page.payload if isinstance(page.payload, dict) else {}
    return any(link_in(links.get(rel)) for links in _objects(payload) for rel in LINK_RELS)


def has_links(page: Page) -> bool:
    """Whether a response has an object of links, whatever they lead to."""
    payload = page.payload if isinstance(page.payload, dict) else {}
    return any(isinstance(payload.get(name), dict) for name in ("links", "_links"))


def _objects(payload: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    found = (payload.get(name) for name in LINK_OBJECTS)
    return [links for links in found if isinstance(links, dict)]
