"""Requests of declared resources: templates with the values of parent, bookmark and page.

`RequestParts.render` is pure; here the values come together.
"""

from __future__ import annotations

import functools
import typing as t
from datetime import UTC, datetime
from itertools import product
from urllib.parse import urlencode

from typing_extensions import override

from tap_analytics.client import AnalyticsStream
from tap_analytics.config.declarations.model import NOW
from tap_analytics.config.declarations.templates import (
    BOOKMARK_VALUES,
    END,
    INITIAL,
    LAST,
    PARTITIONS,
    RUN_VALUES,
    START,
)
from tap_analytics.errors import TapError
from tap_analytics.pagination.placement import PLACEHOLDERS, placed, split_body
from tap_analytics.records.notation import in_unit, moment_of
from tap_analytics.records.payload import check_path_value, dig_field
from tap_analytics.records.window import Window
from tap_analytics.records.writer import ENCODER
from tap_analytics.transport.request import FORM_TYPE, Request

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.config.declarations.model import DeclaredResource, ParentLink
    from tap_analytics.config.declarations.templates import RequestParts
    from tap_analytics.pagination import PageToken
    from tap_analytics.records.notation import Value


class ResourceStream(AnalyticsStream):
    """Base of the streams whose requests a resource declares."""

    resource: t.ClassVar[DeclaredResource]

    # --- requests ---------------------------------------------------------------------------

    @property
    @override
    def page_size(self) -> int | None:
        return self.paging.limit

    @override
    def prepare_request_payload(
        self, context: Context | None, next_page_token: PageToken | None
    ) -> t.Any:
        request = self.resource.request
        return request.data if request.json is None else request.json

    @override
    def build_request(self, context: Context | None, token: PageToken) -> Request:
        parts = self.resource.request
        query, in_body = split_body(self.get_url_params(context, token))
        if parts.names:
            values = {name: query.pop(name) for name in RUN_VALUES if name in query}
            given = {**self._beginning, **(context or {}), **values}
            self._check_values(given, is_whole=context is not None)
            parts = parts.render(given)
        path = t.cast("str", parts.path)
        headers, body = _body(parts, in_body)
        headers = {**self._accept, **headers}
        return Request(
            method=self.resource.method,
            url=f"{self.url_base}/{path.lstrip('/')}" if path else self.url_base,
            params=tuple(_pairs({**parts.params, **query})),
            headers=tuple(headers.items()),
            body=body,
            retry=self.retry,
            stream=self.name,
        )

    @functools.cached_property
    def _accept(self) -> Mapping[str, str]:
        """The header that asks for a declared format, unless the API has one of its own."""
        given = self.connection.settings.get("headers") or {}
        if self.resource.decoder is None or any(name.lower() == "accept" for name in given):
            return {}
        return {"Accept": self.resource.decoder.accept}

    def _check_values(self, given: Mapping[str, t.Any], *, is_whole: bool) -> None:
        """Raise `TapError` for a request that lacks a value it can't do without.

        Without a parent, where only the kind of the request is asked for, its values may lack.
        """
        request = self.resource.request
        lacking = request.names - given.keys() - set(PLACEHOLDERS)
        if END not in request.fixed_names:
            # What has no end is asked for without one.
            lacking -= {END}
        for name in sorted(lacking if is_whole else lacking.intersection(BOOKMARK_VALUES)):
            setting = "`initial_value` of `incremental`"
            if name in {START, LAST}:
                setting += ", or its `cursor_format` and `start_date`"
            elif name == END:
                setting = "`end_date`, and the `cursor_format` of `incremental`"
            raise TapError(f"{self.label}: the request needs {{{name}}}. Set {setting}.")

    @functools.cached_property
    def _beginning(self) -> Mapping[str, t.Any]:
        """The values of the bookmark's placeholders where all rows are wanted."""
        incremental, first = self.resource.incremental, self.initial_value
        if incremental is None:
            return {}
        column = (self.resource.schema or {}).get("properties", {}).get(incremental.column, {})
        window = Window(
            unit=self.replication_unit,
            holds_times=column.get("format") in {"date", "date-time"},
            initial=first,
            final=self.final_value,
            start_date=self.config.get("start_date"),
            end_date=self.config.get("end_date"),
        )
        values = self._bookmark_values(window.start, window.end)
        return values if first is None else {**values, INITIAL: self._sent(first)}

    def _bookmark_values(self, start: Value | None, end: Value | None) -> dict[str, t.Any]:
        """Return the values of placeholders for a range, as they are sent."""
        first, last = self._sent(start), self._sent(end, up=True)
        found, names = {START: first, LAST: first, END: last}, self.resource.request.names
        return {name: each for name, each in found.items() if each is not None and name in names}

    def _sent(self, value: Value | None, *, up: bool = False) -> Value | None:
        """Return a replication value as it is sent; `up` for an end, which is never too early."""
        incremental = self.resource.incremental
        if value is None or incremental is None or incremental.convert is None:
            return value
        moment = moment_of(value, self.replication_unit)
        if moment is None:
            raise TapError(
                f"{self.label}: `convert` can't write {value!r:.40}, a value of "
                f"`{incremental.cursor_path}`. Declare its `cursor_format`, or remove `convert`."
            )
        return incremental.convert.write(moment, up=up)

    @property
    @override
    def final_value(self) -> Value | None:
        incremental = self.resource.incremental
        end = None if incremental is None else incremental.end_value
        if end != NOW:
            return t.cast("Value | None", end)
        began = datetime.fromtimestamp(self._tap.initialized_at // 1000, UTC)
        return in_unit(began, self.replication_unit or "iso")

    @override
    def window(self, start: t.Any, end: t.Any) -> PageToken:
        incremental = self.resource.incremental
        if incremental is None:
            return {}
        bounds = {
            incremental.start_param: self._sent(start),
            incremental.end_param: self._sent(end, up=True),
        }
        window = {name: str(value) for name, value in bounds.items() if name and value is not None}
        return window | self._bookmark_values(start, end)

    # --- parents ----------------------------------------------------------------------------

    @override
    def contexts_below(
        self, parent: AnalyticsStream, record: Record, context: Context | None
    ) -> Iterable[Context]:
        """Yield the values that requests and rows get from a row of the parent."""
        values, request = {}, self.resource.request
        for link in self.resource.parents:
            name = link.placeholder
            inherited = context if link.is_inherited else None
            value = inherited[link.field] if inherited else dig_field(record, link.field)
            if name in request.text_names or (name in request.names and value is None):
                needed = _needed(link)
                check_path_value(value, needed, child=self.label, parent=parent, row=record)
            values[name] = value
        for each in self._partitions or ({},):
            yield {**values, **each}

    @override
    def parent_columns(self, context: Context | None) -> Mapping[str, t.Any]:
        if not context:
            return {}
        names = [link.placeholder for link in self.resource.parents if link.is_column]
        listed = {name: context[f"{PARTITIONS}.{name}"] for name in self.resource.partitions}
        return {**{name: context[name] for name in names}, **listed}

    # --- lists of values --------------------------------------------------------------------

    @functools.cached_property
    def _partitions(self) -> Sequence[Context]:
        """Every combination of the values of lists, by placeholder."""
        lists = self.resource.partitions
        names = [f"{PARTITIONS}.{name}" for name in lists]
        return [dict(zip(names, each, strict=True)) for each in product(*lists.values()) if lists]

    @property
    @override
    def contexts(self) -> Sequence[Context]:
        return () if self.parent_stream_type else self._partitions

    @override
    def keys_within(self, context: Context | None) -> Sequence[object]:
        values = (context or {}).items()
        return [value for name, value in values if not name.startswith(f"{PARTITIONS}.")]


def _body(parts: RequestParts, values: Mapping[str, t.Any]) -> tuple[dict[str, str], bytes | None]:
    """Return headers and encoded body; `values` go into a JSON body by dotted path."""
    headers, content = t.cast("dict[str, str]", dict(parts.headers)), parts.json
    if parts.data is not None:
        headers = {"Content-Type": FORM_TYPE, **headers}
        return headers, urlencode([*_pairs(parts.data)]).encode()
    for path, value in values.items():
        content = placed(content, path.split("."), value)
    return headers, None if content is None else ENCODER.encode(content)


def _pairs(entries: Mapping[str, t.Any]) -> Iterator[tuple[str, str]]:
    """Yield parameters one by one; a tuple has several of one name."""
    for name, value in entries.items():
        for each in value if isinstance(value, tuple) else (value,):
            yield name, str(each)


def _needed(link: ParentLink) -> str:
    name = link.placeholder
    if "." in name:
        return f"`{link.field}`, which the request needs. Name a field that all rows have."
    return (
        f"`{link.field}`, which the path needs for {{{name}}}. Set the field of `params.{name}` "
        "to one that all rows have."
    )
