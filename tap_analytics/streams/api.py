"""What an API is: its settings and streams as declared."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.records.digests import digest_of
from tap_analytics.transport.connection import ApiConnection
from tap_analytics.transport.redaction import redact
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.config.settings import Setting
    from tap_analytics.transport.auth import Authenticator
    from tap_analytics.transport.errors import Cause
    from tap_analytics.transport.request import HttpSettings


@dataclass(frozen=True, kw_only=True)
class Api:
    """An API: what can be configured and what can be read."""

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
            if setting.name != "base_url" and (setting.secret or setting.required)
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

    @property
    def defaults(self) -> Mapping[str, t.Any]:
        """What holds for the API where its block doesn't say otherwise, by setting."""
        retry = self.retry
        return {
            "page_size": self.page_size,
            "requests_per_second": self.requests_per_second,
            "retry": {
                "max_retries": retry.max_retries,
                "backoff_factor": retry.backoff_factor,
                "retry_on_status_codes": sorted(retry.statuses),
                "max_retry_after": retry.max_retry_after,
            },
        }

    def connect(
        self, block: Mapping[str, t.Any], http: Callable[..., HttpSettings]
    ) -> ApiConnection:
        """Return a connection as a configured block says, with the defaults of its settings.

        `http` makes `HttpSettings` of those of one API, with what holds for all of them.
        """
        settings = self._with_defaults(block)
        account = self.account(settings)
        # Some user names are as good as a key: of one that is a secret only the digest is kept.
        if account and redact(account) != account:
            account = digest_of(account)
        return ApiConnection(
            http(
                name=self.name,
                base_url=settings["base_url"],
                headers=settings.get("headers") or {},
                retry=self.retry.overridden(settings.get("retry") or {}),
                requests_per_second=settings.get("requests_per_second", 0),
                hints=self.hints,
            ),
            self.authenticate(settings),
            title=self.title,
            account=account or None,
            settings=settings,
            public_settings=tuple(self.public_settings(settings)),
        )

    def _with_defaults(self, block: Mapping[str, t.Any]) -> dict[str, t.Any]:
        defaults: dict[str, t.Any] = {
            "page_size": self.page_size,
            "requests_per_second": self.requests_per_second or None,
            **{setting.name: setting.default for setting in self.settings},
        }
        return {name: value for name, value in defaults.items() if value is not None} | dict(block)

    def public_settings(self, settings: Mapping[str, t.Any]) -> Iterator[tuple[str, object, bool]]:
        """Yield the settings that may be shown: name, value, and whether that is the default."""
        retry, usual = self.retry.overridden(settings.get("retry") or {}), self.retry
        optional = settings.get("optional_streams")
        shared: tuple[tuple[str, object, object], ...] = (
            ("page_size", settings.get("page_size"), self.page_size),
            (
                "requests_per_second",
                settings.get("requests_per_second") or "no cap",
                self.requests_per_second or "no cap",
            ),
            ("max_retries", retry.max_retries, usual.max_retries),
            ("backoff_factor", retry.backoff_factor, usual.backoff_factor),
            ("retry_on_status_codes", sorted(retry.statuses), sorted(usual.statuses)),
            ("max_retry_after", retry.max_retry_after, usual.max_retry_after),
            ("optional_streams", optional, optional),
        )
        for name, value, default in shared:
            if value is not None:
                yield name, value, value == default
        for setting in self.settings:
            if not setting.secret and setting.name != "base_url":
                value = settings.get(setting.name)
                yield setting.name, value, value == setting.default
