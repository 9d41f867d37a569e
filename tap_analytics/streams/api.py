"""What an API is: its settings and streams as declared, and the connection a run has to it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

from tap_analytics.sync.checkpoint import digest
from tap_analytics.transport.channel import origin_of
from tap_analytics.transport.prefetch import Prefetcher
from tap_analytics.transport.redaction import Secrets, redact
from tap_analytics.transport.retry import RetryPolicy, instant_of
from tap_analytics.transport.session import Transport
from tap_analytics.transport.throttle import Throttle
from tap_analytics.transport.token import TokenEndpoint

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.config.settings import Setting
    from tap_analytics.transport.auth import Authenticator
    from tap_analytics.transport.budget import RequestBudget
    from tap_analytics.transport.errors import Cause, StopSignal


#: Every secret of this process, by value, so that no log line can tell one.
SECRETS = Secrets()


@dataclass(frozen=True, kw_only=True)
class Api:
    """An API the tap speaks to: what can be configured and what can be read."""

    name: str
    title: str
    #: How a configured block signs its requests.
    authenticate: Callable[[Mapping[str, t.Any]], Authenticator]
    streams: tuple[type[AnalyticsStream], ...]
    settings: tuple[Setting, ...] = ()
    #: Rows per page to ask for, unless `page_size` says otherwise; None sends no limit.
    page_size: int | None = None
    #: Pace, unless `requests_per_second` says otherwise; 0 is no cap.
    requests_per_second: float = 0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: The block of an API that is declared where it is configured.
    block: Mapping[str, t.Any] = field(default_factory=dict)
    #: Whose account the credentials of a configured block are, where they name one.
    account: Callable[[Mapping[str, t.Any]], str | None] = lambda _: None

    @property
    def hints(self) -> Mapping[Cause, str]:
        """What to do about errors, by the names of the settings to look at."""
        if not self.settings:
            return {}
        keys = [
            f"`{self.name}.{setting.name}`"
            for setting in self.settings
            if setting.secret or setting.required
        ]
        return {
            "credentials": f"Check {' and '.join(keys)}.",
            "missing": f"Check `{self.name}.base_url`, its version included.",
            "unreachable": f"Check `{self.name}.base_url` and the network.",
        }

    @property
    def stream_names(self) -> tuple[str, ...]:
        """The names of the streams, which are attributes of their classes."""
        return tuple(vars(stream)["name"] for stream in self.streams)

    def setting(self, name: str) -> Setting:
        """Return one of the API's own settings by name."""
        return next(setting for setting in self.settings if setting.name == name)

    def retry_of(self, block: Mapping[str, t.Any]) -> RetryPolicy:
        """Return the retry policy of a configured block: the API's own, as far as not set."""
        given = block.get("retry") or {}
        statuses = given.get("retry_on_status_codes")
        return RetryPolicy(
            max_retries=given.get("max_retries", self.retry.max_retries),
            backoff_factor=given.get("backoff_factor", self.retry.backoff_factor),
            statuses=self.retry.statuses if statuses is None else frozenset(statuses),
            max_retry_after=given.get("max_retry_after", self.retry.max_retry_after),
        )


class ApiConnection:
    """A configured API in a run: one transport, one pace and one read-ahead for all its streams."""

    #: The moment the run began, by the earlier of our clock and the server's.
    began: datetime

    def __init__(  # noqa: PLR0913 - what a run decides, each by its name
        self,
        api: Api,
        block: Mapping[str, t.Any],
        *,
        stop: StopSignal,
        concurrency: int,
        timeout: float,
        user_agent: str,
        max_body: int,
        budget: RequestBudget | None = None,
    ) -> None:
        self.api = api
        self.block = block
        self.began = datetime.now(UTC)
        self._dated = False
        self.base_url: str = block["base_url"].rstrip("/")
        self.page_size: int | None = block.get("page_size", api.page_size)
        self.concurrency = concurrency
        self.budget = budget
        self.auth = api.authenticate(block)
        self.throttle = Throttle(
            name=api.name,
            concurrency=concurrency,
            requests_per_second=block.get("requests_per_second", api.requests_per_second),
            stop=stop,
        )
        self.transport = Transport(
            name=api.name,
            origin=self.base_url,
            sign=self.auth,
            renew=self.auth.renew,
            retry=api.retry_of(block),
            throttle=self.throttle,
            timeout=timeout,
            stop=stop,
            user_agent=user_agent,
            headers=block.get("headers") or {},
            hints=api.hints,
            max_body=max_body,
            budget=budget,
        )
        tokens = TokenEndpoint(
            name=api.name, timeout=timeout, stop=stop, user_agent=user_agent, budget=budget
        )
        self.auth.bind(tokens.post, learn=partial(SECRETS.add_token, of=api.name))
        self.lookahead: Prefetcher[t.Any] = Prefetcher(self.transport, concurrency=concurrency)

    @property
    def source(self) -> dict[str, str | None]:
        """The API and the account, as the state remembers them: without a secret.

        Some user names are as good as a key, so what is kept out of logs is told by its digest.
        """
        path = urlsplit(self.base_url).path.rstrip("/")
        account = self.api.account(self.block)
        if account and redact(account) != account:
            account = digest(account)
        return {"base_url": redact(origin_of(self.base_url) + path), "account": account or None}

    @property
    def budget_low(self) -> bool:
        """Whether so few requests are left that none may go to a page nobody may need."""
        return self.budget is not None and self.budget.left <= 2 * self.concurrency

    def sync_clock(self, header: str | None, *, elapsed: float = 0.0) -> None:
        """Take the moment the first request was sent for the one the run began, if it is earlier.

        Rows are stamped by the server's clock, so a bookmark must not pass what that clock said:
        its `Date`, less the whole seconds the answer took.
        """
        if self._dated or header is None:
            return
        if (date := instant_of(header)) is None:
            return
        self._dated = True
        sent = max(0.0, date - int(elapsed))
        if sent < self.began.timestamp():
            self.began = datetime.fromtimestamp(sent, UTC)
