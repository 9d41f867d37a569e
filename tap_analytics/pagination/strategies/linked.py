"""Paging by cursors and links, in the body or in a header."""

from __future__ import annotations

import typing as t
from abc import abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from typing_extensions import override

from tap_analytics.pagination.placement import body_path
from tap_analytics.pagination.strategies.metadata import (
    dig,
    has,
    has_empty_link,
    header_links,
    hint_of_more,
    link_in,
    links_elsewhere,
    roots,
    says_end,
)
from tap_analytics.pagination.strategies.strategy import PagingStrategy, StopReason
from tap_analytics.records.path import alternatives, counts_from_end, has_index
from tap_analytics.records.writer import ENCODER
from tap_analytics.transport.errors import Rejected

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.pagination.page import Page, PageToken
    from tap_analytics.pagination.strategies.strategy import Confirm, PagingState

_KINDS = {bool: "a boolean", dict: "an object", list: "a list", str: "text"}


@dataclass(frozen=True, kw_only=True)
class LinkedPaging(PagingStrategy):
    """Base of paging by cursors and links."""

    #: Why reading ends after a page that names no next one.
    ending: t.ClassVar[StopReason] = StopReason.LINK
    #: Setting that says where responses name the next page.
    setting: t.ClassVar[str]
    #: Settings that are paths in the body.
    paths: t.ClassVar[tuple[str, ...]] = ()
    #: Parameters that are sent on the first page only.
    first_page_params: tuple[str, ...] = ()

    @abstractmethod
    def names_none(self, page: Page) -> bool:
        """Whether a response shows that there is no next page: the member exists and is empty."""

    @property
    def place(self) -> str:
        """Where responses name the next page, for messages."""
        return f"`{self.setting}` '{getattr(self, self.setting)}'"

    @property
    @override
    def reads_rows(self) -> bool:
        return any(has_index(getattr(self, name) or "") for name in self.paths)

    @property
    @override
    def envelope_fields(self) -> frozenset[str]:
        return super().envelope_fields | roots(*(getattr(self, name) for name in self.paths))

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        following = self.named(page)
        if following is not None:
            return following
        if seen.facts.names_next or self.names_none(page) or says_end(page):
            return self.ending
        return StopReason.SINGLE if page.received or hint_of_more(page) else StopReason.EMPTY

    def _later(self, token: PageToken) -> PageToken:
        """Return the token of a later page without what only the first one has."""
        return {**dict.fromkeys(self.first_page_params, ()), **token}

    def _unusable(self, page: Page, value: object, *, wanted: str) -> Rejected:
        """Return the error of an unusable link or cursor."""
        kind = _KINDS.get(type(value), "a number")
        hint = f"Set `{self.setting}` to where {wanted} is"
        if isinstance(value, dict) and value:
            hint += f"; the object has {', '.join(f'`{name}`' for name in list(value)[:8])}"
        elif wanted == "a link":
            hint += ", or use a paginator of another `type`"
        return Rejected(
            f"{urlsplit(page.url).path} names its next page with {kind} at {self.place}, "
            f"where {wanted} is expected",
            hint=f"{hint}.",
        )


@dataclass(frozen=True, kw_only=True)
class Cursor(LinkedPaging):
    """Pages by an opaque cursor in the body: `{"next": "abc"}` leads to `?from=abc`."""

    cursor_path: str = "cursors.next"
    cursor_param: str = "cursor"
    #: Texts in the place of a cursor where there is none.
    stop_values: tuple[str, ...] = ()
    #: `json` sends the cursor as JSON; None as text, or in a JSON body as it is.
    cursor_encoding: str | None = None
    ending: t.ClassVar[StopReason] = StopReason.CURSOR
    setting: t.ClassVar[str] = "cursor_path"
    paths: t.ClassVar[tuple[str, ...]] = ("cursor_path",)

    @override
    def named(self, page: Page) -> PageToken | None:
        if self.at_end_path and dig(page.payload, self.at_end_path) is True:
            return None
        value = self._value(page)
        # In a row 0 is a value like others; elsewhere it means that there is no cursor.
        is_cursor = bool(value) or (self.reads_rows and type(value) is int)
        is_stop = str(value) in self.stop_values
        return self._token(page, value) if is_cursor and not is_stop else None

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        if not self.reads_rows:
            return super().next_token(page, seen)
        # Of a cursor in the last row, no row is the end; a row without it shows nothing.
        if (following := self.named(page)) is not None:
            return following
        if not page.received:
            return StopReason.EMPTY
        is_empty = not counts_from_end(self.cursor_path) and self.names_none(page)
        return self.ending if is_empty else StopReason.SINGLE

    def _value(self, page: Page) -> object:
        return dig(page.payload, self.cursor_path)

    def _token(self, page: Page, value: object) -> PageToken:
        """Return the token of a cursor; a JSON body takes any value but true."""
        is_json = self.cursor_encoding == "json"
        cursor = ENCODER.encode(value).decode() if is_json else value
        if body_path(self.cursor_param) is not None and value is not True:
            return self._later({self.cursor_param: ENCODER.encode(cursor).decode()})
        text = "0" if type(cursor) is int and not cursor else cursor_text(cursor)
        if text is None:
            raise self._unusable(page, value, wanted="text or a number")
        return self._later({self.cursor_param: text})

    @override
    def predict(self, following: PageToken, page: Page, seen: PagingState) -> Iterator[PageToken]:
        return iter(())

    @override
    def names_none(self, page: Page) -> bool:
        at_end = dig(page.payload, self.at_end_path) if self.at_end_path else None
        return at_end is True or _is_empty(page, self.cursor_path)


@dataclass(frozen=True, kw_only=True)
class HeaderCursor(Cursor):
    """Pages by an opaque cursor in a response header."""

    #: Name of the header.
    cursor_key: str = "next"
    setting: t.ClassVar[str] = "cursor_key"

    @override
    def _value(self, page: Page) -> object:
        return page.headers.get(self.cursor_key)

    @override
    def names_none(self, page: Page) -> bool:
        return page.headers.get(self.cursor_key) is not None


@dataclass(frozen=True, kw_only=True)
class JsonLink(LinkedPaging):
    """Pages by a link in the body: `{"next": "https://…?page=2"}`."""

    #: A path, or several: the first with a value counts.
    next_url_path: str = "next"
    #: Texts in the place of a link where there is none.
    stop_values: tuple[str, ...] = ()
    setting: t.ClassVar[str] = "next_url_path"
    paths: t.ClassVar[tuple[str, ...]] = ("next_url_path",)

    @override
    def named(self, page: Page) -> PageToken | None:
        values = (dig(page.payload, path) for path in alternatives(self.next_url_path))
        value = next(filter(None, values), None)
        if value in self.stop_values:
            return None
        link = link_in(value)
        if value and link is None:
            raise self._unusable(page, value, wanted="a link")
        return None if link is None else self._later(page.follow(link))

    @override
    def names_none(self, page: Page) -> bool:
        return any(_is_empty(page, path) for path in alternatives(self.next_url_path))


@dataclass(frozen=True, kw_only=True)
class HeaderLink(LinkedPaging):
    """Pages by the `Link` header: `<https://…?page=2>; rel="next"`."""

    links_next_key: str = "next"
    setting: t.ClassVar[str] = "links_next_key"

    @override
    def named(self, page: Page) -> PageToken | None:
        link = header_links(page).get(self.links_next_key.lower())
        return None if link is None else self._later(page.follow(link))

    @override
    def names_none(self, page: Page) -> bool:
        is_last = "next" not in header_links(page) and links_elsewhere(page)
        return is_last or has_empty_link(page, self.links_next_key.lower())


def cursor_text(value: object) -> str | None:
    """Return a cursor as it is sent; null, empty, false and 0 mean that there is none."""
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    return str(value) if value and (isinstance(value, str) or is_number) else None


def _is_empty(page: Page, path: str) -> bool:
    """Whether the member at a path exists and is empty; objects and lists don't count."""
    return has(page.payload, path) and not isinstance(dig(page.payload, path), (dict, list))
