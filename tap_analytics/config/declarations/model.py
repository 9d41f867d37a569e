"""Declared APIs and resources as value objects."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.pagination import PagingStrategy
    from tap_analytics.records.notation import Unit
    from tap_analytics.transport.auth import Authenticator
    from tap_analytics.transport.retry import RetryPolicy

WriteDisposition = t.Literal["merge", "append", "replace"]


@dataclass(frozen=True, kw_only=True)
class ParentLink:
    """A placeholder of a path, and the resource and field its values come from.

    All links of a resource name the same parent. Values of other ancestors are read from it too,
    because its rows have columns for its own placeholders.
    """

    placeholder: str
    resource: str
    #: Dotted path if nested.
    field: str


@dataclass(frozen=True, kw_only=True)
class DeclaredIncremental:
    """The replication key, and the parameter that filters by it, if any."""

    cursor_path: str
    #: Format of the values; None to detect it.
    cursor_format: Unit | None = None
    start_param: str | None = None
    initial_value: str | int | float | None = None


@dataclass(frozen=True, kw_only=True)
class DeclaredResource:
    """One endpoint, which is one stream."""

    name: str
    stream: str
    #: Relative to the base URL; placeholders in braces are those of `parents`.
    path: str
    paging: PagingStrategy
    retry: RetryPolicy
    write_disposition: WriteDisposition
    method: t.Literal["GET", "POST"] = "GET"
    #: A tuple is sent as one parameter per value.
    params: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Body of a POST, not yet encoded.
    json: object | None = None
    #: Dotted path or JSONPath of the rows; None if the body is the list.
    data_selector: str | None = None
    incremental: DeclaredIncremental | None = None
    primary_keys: tuple[str, ...] = ()
    #: Whether the primary key is only a default of the API, which the rows may not have.
    assumes_keys: bool = False
    schema: dict[str, t.Any] | None = None
    parents: tuple[ParentLink, ...] = ()
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class DeclaredApi:
    """An API and its resources, parents before children."""

    name: str
    auth: Authenticator
    #: As in the block of a built-in API.
    settings: Mapping[str, t.Any]
    resources: tuple[DeclaredResource, ...]
