"""The connection of a run to an API: transport, throttle and prefetcher for all its streams."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

from tap_analytics.transport.auth import NoAuth
from tap_analytics.transport.errors import OVERLOAD, CredentialsRefused, Retriable, TransportError
from tap_analytics.transport.origin import origin_of
from tap_analytics.transport.prefetch import Prefetcher
from tap_analytics.transport.redaction import Secrets, redact
from tap_analytics.transport.retry import RetryPolicy, instant_of
from tap_analytics.transport.session import Transport

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_analytics.transport.auth import Authenticator, Send
    from tap_analytics.transport.request import HttpSettings, Request, Response

#: All secrets of this process, by value, for redaction.
SECRETS = Secrets()
T = t.TypeVar("T")


@dataclass(eq=False, kw_only=True, repr=False)
class ApiConnection:
    """A configured API in a run."""

    http: HttpSettings
    auth: Authenticator
    title: str
    #: Identifies the account without secrets, if known.
    account: str | None
    #: The settings of the API, with defaults.
    settings: Mapping[str, t.Any]
    #: The settings without secrets: name, value, and whether it is the default.
    public_settings: Sequence[tuple[str, object, bool]]

    def __post_init__(self) -> None:
        self.base_url = self.http.base_url.rstrip("/")
        self.page_size: int | None = self.settings.get("page_size")
        self.concurrency = self.http.concurrency
        self.budget = self.http.budget
        #: Start of the run, by the earlier of the local and the server's clock.
        self.began = datetime.now(UTC)
        self._clock_synced = False
        register = partial(SECRETS.add_token, of=self.http.name)
        send = t.cast("Send", partial(send_for_token, self.http))
        self.auth.bind(send, register=register, name=self.http.name)
        self.transport = Transport(self.http, self.auth)
        self.throttle = self.transport.throttle
        self.prefetcher: Prefetcher[t.Any] = Prefetcher(
            self.transport, concurrency=self.concurrency
        )

    @property
    def source(self) -> dict[str, str | None]:
        """The API and the account as stored in the state, without secrets."""
        path = urlsplit(self.base_url).path.rstrip("/")
        return {"base_url": redact(origin_of(self.base_url) + path), "account": self.account}

    @property
    def budget_low(self) -> bool:
        """Whether too few requests are left to prefetch pages that may not be needed."""
        return self.budget is not None and self.budget.left <= 2 * self.concurrency

    def sync_clock(self, header: str | None, *, elapsed: float = 0.0) -> None:
        """Move the start of the run back to the server's time of the first request, if earlier.

        Rows have times of the server's clock, which a bookmark must not pass: its `Date` header
        minus the duration of the response in whole seconds.
        """
        if self._clock_synced or header is None:
            return
        if (date := instant_of(header)) is None:
            return
        self._clock_synced = True
        sent = max(0.0, date - int(elapsed))
        if sent < self.began.timestamp():
            self.began = datetime.fromtimestamp(sent, UTC)


def send_for_token(
    http: HttpSettings, request: Request, read: Callable[[Response], T], *, what: str, hint: str
) -> T:
    """Send a request for a token to its URL, as `Send` does; errors don't show its body."""
    own = replace(
        http,
        base_url=request.url,
        headers={},
        hints={},
        retry=RetryPolicy(max_retries=0),
        concurrency=1,
        requests_per_second=0,
        rate_limit_store=None,
    )
    transport = Transport(own, NoAuth())
    try:
        return transport.attempt(request, read)
    except TransportError as error:
        raise _token_error(error, name=http.name, what=what, hint=hint) from None
    finally:
        transport.close()


def _token_error(error: TransportError, *, name: str, what: str, hint: str) -> TransportError:
    text = f"{name}: {what} failed: {error.what.removeprefix(f'{name}: ')}"
    if not isinstance(error, Retriable):
        return CredentialsRefused(text, hint=hint, status=error.status)
    hint = error.hint if error.cause in OVERLOAD else hint
    return Retriable(text, hint=hint, cause=error.cause, retry_after=error.retry_after)
