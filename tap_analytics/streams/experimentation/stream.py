"""Base of the experimentation platform's streams: the envelope of a response, and its pages."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from typing_extensions import override

from tap_analytics.client import AnalyticsStream
from tap_analytics.pagination import Confirm, Offset, StopReason
from tap_analytics.records.payload import SelectorError, as_rows
from tap_analytics.streams.schema_types import integer

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk import Tap

    from tap_analytics.pagination import Page, PageToken, PagingState
    from tap_analytics.records.payload import Row


@dataclass(frozen=True, kw_only=True)
class EnvelopeOffset(Offset):
    """Offset pages; the shape of `_data` shows whether there is more than one page."""

    total_path: str | None = "_data.totalCount"

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        data = page.payload.get("_data") if isinstance(page.payload, dict) else None
        if isinstance(data, dict) and "partialCollection" not in data:
            return StopReason.OBJECT
        return super().next_token(page, seen)


@dataclass(frozen=True, kw_only=True)
class UndocumentedOffset(EnvelopeOffset):
    """A list that is documented without pages: one that repeats the first shows that it has none.

    Until then an offset is sent, in case that the reference is silent where the service is not.
    """

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        following = super().next_token(page, seen)
        if seen.pages > 1 or isinstance(following, StopReason):
            return following
        return self._confirm(page, seen, StopReason.DECLARED)


class ExperimentationStream(AnalyticsStream):
    """Base of the experimentation platform's streams."""

    api = "experimentation"
    records_path = ("_data",)
    paging = EnvelopeOffset()
    primary_keys: tuple[str, ...] = ("id",)
    #: The workspace that is part of rows and keys, if the settings name one.
    workspace: int | None = None

    @override
    def __init__(self, tap: Tap, **kwargs: t.Any) -> None:
        super().__init__(tap, **kwargs)
        self.workspace = (self.config.get(self.api) or {}).get("workspace_id")
        if self.workspace is not None:
            known = t.cast("dict[str, t.Any]", self.schema)
            column = integer("workspace_id", "Workspace the row is from.", required=True)
            vars(self)["schema"] = {
                **known,
                "properties": {**column.to_dict(), **known["properties"]},
                "required": ["workspace_id", *known["required"]],
            }
            self.primary_keys = ("workspace_id", *self.primary_keys)

    @property
    @override
    def path_values(self) -> Mapping[str, object]:
        return {"account": self.account_id}

    @override
    def select(self, payload: t.Any) -> list[Row]:
        """Return the rows in `_data`, with the workspace where the settings name one."""
        rows = self._rows(payload)
        if self.workspace is None:
            return rows
        return [{**row, "workspace_id": self.workspace} for row in rows]

    def _rows(self, payload: t.Any) -> list[Row]:  # noqa: ANN401 - any JSON value
        """Return what `_data` is: a list, a wrapped list, one object or nothing."""
        if not isinstance(payload, dict):
            raise SelectorError("the response is not an object with `_data`.")
        data = payload.get("_data")
        if data is None and payload.keys() - {"_data", "_metadata"}:
            return super().select(payload)
        if isinstance(data, dict) and "partialCollection" in data:
            listed = data["partialCollection"]
            return as_rows(listed, "`_data.partialCollection`") if isinstance(listed, list) else []
        return as_rows(data, "`_data`")

    @property
    def account_id(self) -> str:
        """The account of all resources except `/accounts`; `current` is that of the key."""
        return str(self.workspace or self.connection.settings.get("account_id") or "current")
