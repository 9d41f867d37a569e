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
from tap_analytics.config.declarations.incremental import end_moment
from tap_analytics.config.declarations.processing import names_added
from tap_analytics.config.declarations.templates import (
    END,
    LAST,
    PARTITIONS,
    START,
    bookmark_names,
    divided,
    is_run_value,
    moment_text,
    names_in,
    time_text,
)
from tap_analytics.errors import TapError
from tap_analytics.pagination.placement import PLACEHOLDERS, placed, split_body
from tap_analytics.records.notation import in_unit
from tap_analytics.records.payload import (
    MissingValueError,
    SelectorError,
    check_path_value,
    dig_field,
    has_field,
    row_of,
)
from tap_analytics.records.window import Window
from tap_analytics.records.writer import ENCODER
from tap_analytics.streams.range_filter import RangeFilter
from tap_analytics.streams.scope import open_bookmark
from tap_analytics.transport.errors import shorten
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
        values = {name: query.pop(name) for name in filter(is_run_value, [*query])}
        if parts.names:
            beginning = self._range.beginning if self._range else {}
            given = {**beginning, **self._moments, **(context or {}), **values}
            incremental = self.resource.incremental
            if incremental and incremental.step and END in parts.fixed_names:
                # Each window has its end; without one, only the kind of the request is asked for.
                given.setdefault(END, given.get(START))
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
        kept = bookmark_names(lacking)
        for name in sorted(
            kept | {each for each in lacking if is_whole and not is_run_value(each)}
        ):
            setting = "`initial_value` of `incremental`"
            if name in {START, LAST}:
                setting += ", or its `cursor_format` and `start_date`"
            elif name == END:
                setting = "`end_date`, and the `cursor_format` of `incremental`"
            raise TapError(f"{self.label}: the request needs {{{name}}}. Set {setting}.")

    # --- the range of replication values ----------------------------------------------------

    @functools.cached_property
    def _range(self) -> RangeFilter | None:
        """How requests ask for a range; None for a resource that isn't incremental."""
        incremental = self.resource.incremental
        if incremental is None:
            return None
        column = (self.resource.schema or {}).get("properties", {}).get(incremental.column, {})
        whole = Window(
            unit=incremental.cursor_format,
            holds_times=column.get("format") in {"date", "date-time"},
            initial=self.initial_value,
            final=self.final_value,
            start_date=self.config.get("start_date"),
            end_date=self.config.get("end_date"),
        )
        return RangeFilter(
            label=self.label,
            incremental=incremental,
            names=self.resource.request.names.union(names_added(self.resource.steps)),
            whole=whole,
            began=self._began,
        )

    @property
    def _began(self) -> datetime:
        return datetime.fromtimestamp(self._tap.initialized_at // 1000, UTC)

    @functools.cached_property
    def _moments(self) -> Mapping[str, Value]:
        """The moment the run began, by the placeholders that have a format of it."""
        found = {name: moment_text(name, self._began) for name in self.resource.request.names}
        return {name: text for name, text in found.items() if text is not None}

    @property
    @override
    def final_value(self) -> Value | None:
        incremental = self.resource.incremental
        end = None if incremental is None else incremental.end_value
        moment = end_moment(end, self._began)
        if moment is None:
            return t.cast("Value | None", end)
        return in_unit(moment, self.replication_unit or "iso")

    @override
    def window(self, start: t.Any, end: t.Any) -> PageToken:
        return {} if self._range is None else self._range.parameters(start, end)

    @override
    def windows(
        self, start: t.Any, end: t.Any, *, began: datetime | None = None
    ) -> Iterable[PageToken]:
        return () if self._range is None else self._range.windows(start, end)

    # --- parents ----------------------------------------------------------------------------

    @override
    def contexts_below(
        self, parent: AnalyticsStream, record: Record, context: Context | None
    ) -> Iterable[Context]:
        """Yield the values that requests and rows get from a row of the parent.

        None below a parent that is unchanged, where `incremental_dependency` is declared. Raises
        `MissingValueError` for a row that no request can be made from.
        """
        if self.incremental_dependency and not self._is_changed(record):
            return
        values, request = {}, self.resource.request
        lacking: list[ParentLink] = []
        for link in self.resource.parents:
            name = link.placeholder
            inherited = context if link.is_inherited else None
            value = inherited[link.field] if inherited else dig_field(record, link.field)
            form = "" if link.is_inherited else divided(name)[1]
            if value is None and name in request.names:
                lacking.append(link)
                continue
            if form or name in request.text_names:
                needed = _needed(link)
                check_path_value(value, needed, child=self.label, parent=parent, row=record)
            values[name] = self._in_format(form, value, link) if form else value
        if lacking:
            raise self._lacking(lacking, parent, record)
        for each in self._partitions or ({},):
            yield {**values, **each}

    def _lacking(
        self, links: Sequence[ParentLink], parent: AnalyticsStream, record: Record
    ) -> SelectorError:
        """Return the error for values that a row lacks.

        Without one of the path, or without all, no request is one for the children of the row.
        """
        request = self.resource.request
        names = {link.placeholder for link in links}
        fault = f"{self.label}: {row_of(parent, record)} has no {_needed(links[0])}"
        sent = {link.placeholder for link in self.resource.parents} & request.names
        if names < sent and names.isdisjoint(names_in(request.path)):
            return SelectorError(fault)
        is_null = any(link.is_inherited or has_field(record, link.field) for link in links)
        return MissingValueError(fault, is_absent=not is_null)

    def _in_format(self, form: str, value: object, link: ParentLink) -> Value:
        """Return a time of a parent's row in a format; raises `TapError` for what is none."""
        text = time_text(form, value)
        if text is None:
            where = f"`{link.field}` of a row of {link.resource}"
            shown = shorten(repr(value), 80)
            raise TapError(
                f"{self.label}: {where} is {shown}, which {{{link.placeholder}}} can't write. "
                "Name a field with times in ISO 8601, or in epoch seconds."
            )
        return text

    def _is_changed(self, record: Record) -> bool:
        """Whether a parent has changed since the bookmark."""
        column = self.resource.incremental.column if self.resource.incremental else ""
        (link,) = (each for each in self.resource.parents if each.placeholder == column)
        return self._changes.select([dig_field(record, link.field)])[0]

    @functools.cached_property
    def _changes(self) -> Window:
        bookmark = open_bookmark(self)
        return Window(unit=self.replication_unit) if bookmark is None else bookmark.window

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
