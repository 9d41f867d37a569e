"""Requests, responses and HTTP settings as immutable values."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_analytics.transport.errors import Cause
    from tap_analytics.transport.stop import RequestBudget, StopSignal


#: The media type of a form.
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True, repr=False)
class RateLimitStore:
    """The server that keeps the limit of several processes."""

    url: str
    #: What stands for the credentials, which can't be found from it by trying.
    credentials: str
    #: Processes that are expected to share the limit.
    processes: int

    @classmethod
    def of(cls, url: str, secrets: Iterable[str], *, processes: int) -> RateLimitStore:
        """Return the store for credentials."""
        content = "\n".join(sorted(secrets)).encode()
        derived = hashlib.scrypt(content, salt=b"tap-analytics", n=2**14, r=8, p=1, dklen=12)
        return cls(url=url, credentials=derived.hex(), processes=processes)


@dataclass(frozen=True, kw_only=True, repr=False)
class HttpSettings:
    """How the requests of one API are sent."""

    #: Name of the API, the prefix of errors and log lines.
    name: str
    #: Requests are sent only to its origin.
    base_url: str
    stop: StopSignal
    user_agent: str
    #: Seconds for a whole response.
    timeout: float
    #: Further headers of every request.
    headers: Mapping[str, str] = field(default_factory=dict)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: Requests in flight at once.
    concurrency: int = 1
    #: 0 is unlimited.
    requests_per_second: float = 0
    #: Where all processes with these credentials share the limit; None for this one alone.
    rate_limit_store: RateLimitStore | None = None
    #: Maximum size of a body in bytes.
    max_body: int = 256 * 2**20
    #: The requests the run may send; None for any number.
    budget: RequestBudget | None = None
    #: Hints by cause, which override the general ones.
    hints: Mapping[Cause, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request, not yet encoded; signing returns a new one."""

    method: str = "GET"
    url: str
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    #: The encoded body: JSON, unless `headers` have another `Content-Type`.
    body: bytes | None = None
    #: The endpoint's own retry policy, in place of its API's.
    retry: RetryPolicy | None = None
    #: Name of the stream, for statistics.
    stream: str = ""
    #: Whether it repeats one that failed.
    is_retry: bool = False

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
        separator = "&" if "?" in self.url else "?"
        return f"{self.url}{separator}{urlencode(self.params)}"


@dataclass(frozen=True, kw_only=True)
class Response:
    """One complete response; `body` is decompressed, `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: Seconds from sending to the last byte.
    elapsed: float
    #: Without query.
    url: str
    #: Unix time of the last byte.
    received_at: float
