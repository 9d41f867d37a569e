"""What is asked and what is answered, as values.

A `Request` never changes: signing one makes another.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from urllib.parse import urlencode

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.transport.retry import RetryPolicy


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request, not yet encoded."""

    method: str = "GET"
    url: str
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    #: The encoded body; `Content-Type: application/json` goes with it.
    json: bytes | None = None
    #: The endpoint's own retry policy, in place of its API's.
    retry: RetryPolicy | None = None
    #: For whom it is made, as figures are kept by it.
    owner: str = ""
    #: Whether it repeats one that failed.
    again: bool = False

    @property
    def label(self) -> str:
        """Method and path, safe to show: neither host nor user info nor query."""
        location = self.url.partition("?")[0].partition("#")[0].rpartition("://")[2]
        return f"{self.method} /{location.partition('/')[2]}"

    @property
    def target(self) -> str:
        """The URL with its query."""
        if not self.params:
            return self.url
        joint = "&" if "?" in self.url else "?"
        return f"{self.url}{joint}{urlencode(self.params)}"


@dataclass(frozen=True, kw_only=True)
class Response:
    """One complete answer; `body` is decompressed, `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: Seconds from sending to the last byte.
    elapsed: float
    #: Without query.
    url: str
    #: Unix time of the last byte.
    received_at: float
