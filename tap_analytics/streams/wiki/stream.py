"""Base of the wiki's streams: the address by version, and the time of the last change."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from typing_extensions import override

from tap_analytics.client import AnalyticsStream
from tap_analytics.pagination import LinkedOffset

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PageToken
    from tap_analytics.records.payload import Row


class WikiStream(AnalyticsStream):
    """Base of the wiki's streams."""

    api = "wiki"
    records_path = ("results",)
    # Version 2 has only cursors and ignores `start`; a server without links supports `start`.
    paging = LinkedOffset(offset_param="start", total_path=None)
    primary_keys: tuple[str, ...] = ("id",)
    #: Version of the API.
    version: t.ClassVar[int]

    @property
    @override
    def url_base(self) -> str:
        prefix = self.connection.settings[f"v{self.version}_path"]
        return f"{super().url_base}/{prefix.strip('/')}"


class VersionedContentStream(WikiStream):
    """Base of streams with the modification time in `version`."""

    replication_key = "updatedAt"
    replication_unit = "iso"
    stable_order = MappingProxyType({"sort": "id"})
    newest_first = MappingProxyType({"sort": "-modified-date"})
    setting_params = MappingProxyType({"body-format": "body_format"})

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        version = row.get("version")
        saved = version.get("createdAt") if isinstance(version, dict) else None
        updated = saved or row.get("createdAt")
        return {**row, "updatedAt": updated} if updated else row


class StatusStream(VersionedContentStream):
    """Base of streams whose list hides rows of some statuses, which are read in passes.

    Neither the trash nor the archive changes the version of a row, so no bookmark holds for them.
    """

    #: Statuses that have to be asked for, and those listed unasked beside `current`.
    hidden_statuses: t.ClassVar[tuple[str, ...]] = ("trashed",)
    listed_statuses: t.ClassVar[tuple[str, ...]] = ()

    @override
    def passes(self, *, whole: bool) -> Iterable[Context]:
        if not self.paging_facts.has_links:
            # The service links every response of version 2; another server knows no statuses.
            return []
        known = self.hidden_statuses if whole else (*self.listed_statuses, *self.hidden_statuses)
        asked = self.connection.settings.get("statuses") or ()
        return [{"status": status} for status in known if status in asked]

    @override
    def is_answered(self, context: Context, rows: Sequence[Row]) -> bool:
        return all(row.get("status") == context["status"] for row in rows)

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: PageToken | None
    ) -> PageToken:
        return {**super().get_url_params(context, next_page_token), **(context or {})}
