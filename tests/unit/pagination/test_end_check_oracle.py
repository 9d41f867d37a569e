"""Every paginator against servers whose paging fields are right, wrong, absent or misleading.

The oracle is the list itself: where a row is missing, no verdict is good, no version is activated
and no bookmark moves. What nobody could tell from any answer is left out, here and nowhere else:

- A server that named its next page before, by link or cursor, and leaves it out in the middle of
  the list, though nothing counts the pages: it looks like one at its end.
- `single_page` where no response has a known sign of more: it is the user's word.
- A word that is null on every page, isn't the API's own, and has no known one beside it.
- A first page without rows, though rows follow.
- Replicas that differ, unless pages overlap: read by offset, more than a row at a time.
- A `base_page` behind the server's own: the page before the first one is not asked for.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from hypothesis import assume, event, given
from hypothesis import strategies as st
from support.runs import STREAM, declared, run
from support.servers import JsonApi, reply

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "at": {"type": "string"}},
}

#: How the server names its next page: kind, and the name of the word.
WORDS = [
    ("none", ""),
    ("cursor", "next_cursor"),
    ("cursor", "weiter"),
    ("link", "next"),
    ("link", "links.next"),
    ("link", "folgende"),
    ("header link", "next"),
    ("header link", "following"),
    ("header cursor", "X-Next"),
]
PAGINATORS = [
    {"type": "auto"},
    {"type": "single_page"},
    {"type": "offset"},
    {"type": "page_number"},
    {"type": "page_number", "base_page": 0},
    {"type": "page_number", "base_page": 1},
    {"type": "page_number", "base_page": 1, "total_path": "meta.total_pages"},
    {"type": "cursor", "cursor_path": "next_cursor"},
    {"type": "cursor", "cursor_path": "weiter"},
    {"type": "json_link"},
    {"type": "json_link", "next_url_path": "links.next"},
    {"type": "json_link", "next_url_path": "folgende"},
    {"type": "header_link"},
    {"type": "header_link", "links_next_key": "following"},
    {"type": "header_cursor", "cursor_key": "X-Next"},
    {"type": "header_cursor", "cursor_key": "X-Nxt"},
]
#: Words whose sight alone tells that more follows, whoever reads the response.
KNOWN = {"next_cursor", "next", "links.next"}


@dataclass(frozen=True)
class Server:
    """A list, and what its responses say of it, rightly or not."""

    count: int
    cap: int
    word: tuple[str, str]
    #: What stands in the place of the next page behind the last one.
    ending: str
    #: What the value of the word is made of: a proper one, or something nobody can follow.
    value: str
    #: Names of parameters that are heeded.
    heeds: frozenset
    base: int
    total: str
    total_in: str
    pages: str
    flag: str
    links: bool
    #: The word is there on the first page only, beside a number that counts.
    rarely: bool
    order: str
    status: int
    null: bool

    def answer(self, query, turn):
        size = min(int(query["limit"]), self.cap) if self._has(query, "limit") else self.cap
        number = self._start(query, size)
        ids = list(range(self.count))
        if self.order == "random":
            random.Random(turn).shuffle(ids)
        elif self.order == "replicas" and turn % 2:
            ids = [each for each in ids if each % 7 != 3]
        found = [{"id": each, "at": f"2024-01-01T00:00:{each:02d}Z"} for each in ids]
        page = found[number : number + size]
        body, headers = {"data": page or (None if self.null else [])}, {}
        end = number + len(page)
        following = end if page and end < len(ids) else None
        self._name_next(body, headers, following, number, self._link(following, size))
        self._count(body, headers, page, size)
        if self.flag != "none":
            body["has_more"] = {"right": end < len(ids), "always": True}[self.flag]
        if self.links:
            body.setdefault("links", {})["self"] = "/items"
        return reply(self.status, json.dumps(body).encode(), **headers)

    def _has(self, query, name):
        return name in self.heeds and name in query

    def _start(self, query, size):
        if "token" in query:
            return int(query["token"])
        if self._has(query, "offset"):
            return int(query["offset"])
        return max(0, int(query["page"]) - self.base) * size if self._has(query, "page") else 0

    def _link(self, following, size):
        """Return the link to a page: by number where it is named on the first page only."""
        number = following or 0
        if self.rarely and "offset" in self.heeds:
            return f"/items?offset={number}"
        if self.rarely and "page" in self.heeds:
            return f"/items?page={number // size + self.base}"
        return f"/items?token={number}"

    def _name_next(self, body, headers, following, number, link):
        kind, name = self.word
        if kind == "none" or (self.rarely and number):
            return
        if kind.startswith("header"):
            header = name.replace("-", "_") if kind == "header cursor" else "Link"
            if following is not None:
                value = str(following) if kind == "header cursor" else f'<{link}>; rel="{name}"'
                headers[header] = value
            return
        value = str(following) if kind == "cursor" else link
        odd = {"object": {"to": value}, "list": [value], "true": True, "number": following}
        endings = {"null": None, "empty": "", "false": False}
        if following is not None:
            self._put(body, name, odd.get(self.value, value))
        elif self.ending in endings:
            self._put(body, name, endings[self.ending])

    def _count(self, body, headers, page, size):
        total = {
            "none": None,
            "right": self.count,
            "of the page": len(page),
            "too small": min(self.count, 2 * size),
            "constant": size,
        }[self.total]
        if total is not None and self.total_in == "header":
            headers["X_Total_Count"] = str(total)
        elif total is not None:
            body["total"] = {"number": total, "text": str(total), "fraction": float(total)}[
                self.total_in
            ]
        last = -(-self.count // size)
        count = {"none": None, "right": last, "too small": min(last, 2), "one": 1}[self.pages]
        if count is not None:
            body["meta"] = {"total_pages": count}

    @staticmethod
    def _put(body, name, value):
        *holders, member = name.split(".")
        for holder in holders:
            body = body.setdefault(holder, {})
        body[member] = value

    def shows_more(self, size):
        """Whether the first response of several has a known sign that more follows."""
        kind, name = self.word
        can_follow = self.value == "proper" or (kind == "cursor" and self.value == "number")
        named = kind in {"cursor", "link"} and name in KNOWN and can_follow
        named |= kind == "header link" and name == "next"
        counted = self.pages == "right" or (self.pages == "too small" and self.count > size)
        totalled = self.total == "right" or (self.total == "too small" and self.count > size)
        return named or counted or totalled or self.flag != "none"


servers = st.builds(
    Server,
    count=st.integers(0, 45),
    cap=st.integers(1, 20),
    word=st.sampled_from(WORDS),
    ending=st.sampled_from(["absent", "null", "empty", "false"]),
    value=st.sampled_from(["proper"] * 6 + ["object", "list", "true", "number"]),
    heeds=st.frozensets(st.sampled_from(["limit", "offset", "page"])),
    base=st.sampled_from([0, 1]),
    total=st.sampled_from(["none", "none", "right", "of the page", "too small", "constant"]),
    total_in=st.sampled_from(["number", "text", "fraction", "header"]),
    pages=st.sampled_from(["none", "none", "right", "too small", "one"]),
    flag=st.sampled_from(["none", "none", "none", "right", "always"]),
    links=st.booleans(),
    rarely=st.booleans(),
    order=st.sampled_from(["stable"] * 6 + ["random", "replicas"]),
    status=st.sampled_from([200] * 8 + [202, 206]),
    null=st.booleans(),
)
cases = given(
    server=servers,
    paginator=st.sampled_from(PAGINATORS),
    limit=st.none() | st.integers(1, 25),
    totals=st.booleans(),
    versions=st.booleans(),
    concurrency=st.sampled_from([1, 4]),
)


def is_decidable(server, paginator, limit):
    """Whether answers can tell that rows are missing; see the top of this file."""
    kind = paginator["type"]
    overlaps = kind == "offset" and server.word[0] == "none" and server.cap > 1 and limit != 1
    if server.order == "replicas" and not (overlaps and "offset" in server.heeds):
        return False
    if "page" in server.heeds and paginator.get("base_page", 0) > server.base:
        return False
    size = min(limit, server.cap) if limit and "limit" in server.heeds else server.cap
    if server.rarely and server.word[0] != "none":
        # Only a page that is counted can be asked for when no response names it any more.
        counts = {"offset": "offset", "page_number": "page"}.get(kind)
        by = next((name for name in ("offset", "page") if name in server.heeds), None)
        return "link" in server.word[0] and counts is not None and counts == by
    return kind != "single_page" or server.shows_more(size) or server.count <= size


def check(server, paginator, limit, totals, *, versions, concurrency):
    assume(is_decidable(server, paginator, limit))
    given_words = paginator | ({"limit": limit} if limit else {})
    if paginator["type"] in {"cursor", "header_cursor"}:
        given_words["cursor_param"] = "token"
    if totals:
        given_words.setdefault("total_path", "total")
    turns = iter(range(10**6))
    endpoint = {"paginator": given_words}
    if not versions:
        endpoint["incremental"] = {"cursor_path": "at"}
    with JsonApi(lambda query: server.answer(query, next(turns))) as api:
        given_config = declared(
            api.origin, endpoint=endpoint, schema=SCHEMA, concurrency=concurrency
        )
        done = run(given_config | {"emit_activate_version_messages": versions})
    missing = set(range(server.count)) - set(done.ids())
    good = done.error is None and done.verdict() in {"verified", "consistent"}
    event("good" if good else "failed" if done.error else done.verdict())
    if missing:
        assert not good, f"{len(missing)} of {server.count} rows are missing: {done.verdict()}"
        assert not done.of("ACTIVATE_VERSION")
        assert done.bookmark() is None
    if server.status != 200:
        assert not good
    if not good:
        assert not done.of("ACTIVATE_VERSION")
        assert done.bookmark() is None
        assert done.error is not None or done.tap.run.results[STREAM].finding.missing


@cases
def test_no_row_is_missing_under_a_good_verdict(  # noqa: PLR0917 - as hypothesis gives them
    server, paginator, limit, totals, versions, concurrency
):
    check(server, paginator, limit, totals, versions=versions, concurrency=concurrency)
