"""The definition of an API: its settings and streams."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from tap_analytics.records.digests import digest_of
from tap_analytics.transport.connection import ApiConnection
from tap_analytics.transport.redaction import redact
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from singer_sdk import Tap

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.config.settings import Setting
    from tap_analytics.transport.auth import Authenticator
    from tap_analytics.transport.errors import Cause
    from tap_analytics.transport.request import HttpSettings


@dataclass(frozen=True, kw_only=True)
class Api:
    """An API with its settings and streams."""

    name: str
    title: str
    #: Returns the authentication of a configured block.
    authenticate: Callable[[Mapping[str, t.Any]], Authenticator]
    streams: tuple[type[AnalyticsStream], ...]
    #: Returns further streams, which the settings of a block or the streams of a catalog name.
    named_streams: Callable[
        [Mapping[str, t.Any], Collection[str]], tuple[type[AnalyticsStream], ...]
    ] = lambda *_: ()
    #: Returns further streams, which take requests to find; called without a catalog only.
    discover: Callable[[Tap], tuple[type[AnalyticsStream], ...]] = lambda _: ()
    settings: tuple[Setting, ...] = ()
    #: Default of `page_size`: rows to request per page; None sends no limit.
    page_size: int | None = None
    #: Rows per page that the service allows, where that is far more than `page_size`.
    largest_page_size: int | None = None
    #: Default of `requests_per_second`; 0 is unlimited.
    requests_per_second: float = 0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: The block of a declared API.
    block: Mapping[str, t.Any] = field(default_factory=dict)
    #: Returns the account of the credentials of a configured block, if they name one.
    account: Callable[[Mapping[str, t.Any]], str | None] = lambda _: None

    def hints(self, block: Mapping[str, t.Any]) -> Mapping[Cause, str]:
        """Hints on errors, with the names of the settings of a block to check."""
        if not self.settings:
            return {}
        replaceable = {name for setting in self.settings for name in setting.replaces}
        keys = [
            f"`{self.name}.{setting.name}`"
            for setting in self.settings
            if setting.name != "base_url" and (setting.secret or setting.required)
            if setting.name in block or not (setting.replaces or setting.name in replaceable)
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

    def configured(self, block: Mapping[str, t.Any], catalog: Collection[str]) -> Api:
        """Return the API with the streams that a block, or the names in a catalog, ask for."""
        named = self.named_streams(block, catalog)
        return replace(self, streams=(*self.streams, *named)) if named else self

    @property
    def defaults(self) -> Mapping[str, t.Any]:
        """Defaults of the settings of a block, by setting."""
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
        """Return a connection for a configured block, with defaults applied.

        `http` creates `HttpSettings` from the settings of an API and those of all APIs.
        """
        settings = self._with_defaults(block)
        account = self.account(settings)
        # Some user names are API keys: only the digest of a secret one is kept.
        if account and redact(account) != account:
            account = digest_of(account)
        return ApiConnection(
            http=http(
                name=self.name,
                base_url=settings["base_url"],
                headers=settings.get("headers") or {},
                retry=self.retry.overridden(settings.get("retry") or {}),
                requests_per_second=settings.get("requests_per_second", 0),
                hints=self.hints(block),
            ),
            auth=self.authenticate(settings),
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
        """Yield the settings without secrets: name, value, and whether it is the default."""
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
