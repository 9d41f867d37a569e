"""A tap as the Singer SDK's template writes it, for the one stream of the benchmark.

Its configuration is `{"base_url": …, "shape": "offset" | "cursor", "page_size": …}`.
"""

from __future__ import annotations

import decimal
import typing as t

from dataset import SCHEMA
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.helpers.jsonpath import extract_jsonpath
from singer_sdk.pagination import BaseAPIPaginator, JSONPathPaginator, OffsetPaginator
from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    import requests
    from singer_sdk.streams.rest import HTTPRequest, PageContext


class ByOffset(OffsetPaginator):
    """Goes on while pages are full."""

    @override
    def has_more(self, response: requests.Response) -> bool:
        return len(response.json()["data"]) == self.page_size


class Items(RESTStream[t.Any]):
    """The rows of the benchmark."""

    name = "items"
    primary_keys = ("id",)
    schema: t.ClassVar = SCHEMA
    records_jsonpath = "$.data[*]"

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["base_url"])

    @property
    @override
    def path(self) -> str:
        return f"/{self.config['shape']}"

    @override
    def get_new_paginator(self) -> BaseAPIPaginator[t.Any]:
        if self.config["shape"] == "cursor":
            return JSONPathPaginator("$.next")
        return ByOffset(start_value=0, page_size=self.config["page_size"])

    @override
    def get_http_request(self, *, page: PageContext[t.Any]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        request.params["limit"] = self.config["page_size"]
        if page.next_page_token:
            request.params[self.config["shape"]] = page.next_page_token
        return request

    @override
    def parse_response(self, response: requests.Response) -> Iterable[dict[str, t.Any]]:
        body = response.json(parse_float=decimal.Decimal)
        yield from extract_jsonpath(self.records_jsonpath, input=body)


class TapStock(Tap):
    """The tap."""

    name = "tap-stock"
    config_jsonschema: t.ClassVar = th.PropertiesList(
        th.Property("base_url", th.StringType(nullable=False), required=True),
        th.Property("shape", th.StringType(nullable=False), required=True),
        th.Property("page_size", th.IntegerType(nullable=False), required=True),
    ).to_dict()

    @override
    def discover_streams(self) -> list[Items]:
        return [Items(self)]


if __name__ == "__main__":
    TapStock.cli()
