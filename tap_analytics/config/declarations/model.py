"""Declared APIs and resources as value objects."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.config.declarations.templates import RESOURCES
from tap_analytics.records.path import members_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from tap_analytics.config.declarations.row_steps import Step
    from tap_analytics.config.declarations.templates import RequestParts
    from tap_analytics.pagination import PagingStrategy
    from tap_analytics.records.decoders import Decoder
    from tap_analytics.records.duration import Duration
    from tap_analytics.records.notation import Unit
    from tap_analytics.records.time_format import TimeFormat
    from tap_analytics.transport.auth import Authenticator
    from tap_analytics.transport.retry import RetryPolicy

#: As `end_value`: the moment a run begins.
NOW = "now"
#: As `data_selector`: the list of rows is looked for.
DETECTED = "auto"
WriteDisposition = t.Literal["merge", "append", "replace"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A resource, and the field of its rows that values come from; dotted if nested."""

    resource: str
    field: str

    @property
    def placeholder(self) -> str:
        """The full name of its values in requests."""
        return f"{RESOURCES}.{self.resource}.{self.field}"


@dataclass(frozen=True, kw_only=True)
class ParentLink:
    """A value that a resource gets from its parent, by the name it has in requests or rows.

    All links of a resource name the same parent.
    """

    placeholder: str
    resource: str
    #: Field of the parent's rows, dotted if nested.
    field: str
    #: Whether `field` is the name of a value that the parent itself was read with.
    is_inherited: bool = False
    #: Whether rows get it as a column, if they lack one of that name.
    is_column: bool = True


@dataclass(frozen=True, kw_only=True)
class DeclaredIncremental:
    """The replication key, and how the API filters by it."""

    #: A path if nested.
    cursor_path: str
    #: Format of the values; None to detect it.
    cursor_format: Unit | None = None
    start_param: str | None = None
    end_param: str | None = None
    initial_value: str | int | float | None = None
    #: `NOW` is the moment a run begins, with a duration after a minus that much before.
    end_value: str | int | float | None = None
    #: Whether rows at `end_value` belong to the range.
    range_end: t.Literal["open", "closed"] = "open"
    #: None to send values as the rows have them.
    convert: TimeFormat | None = None
    #: How much before its bookmark a run reads again; a number has the units of `Window.lag`.
    lag: float | timedelta = 0
    #: The length of windows, in which a range is read; None to read it at once.
    step: Duration | None = None
    #: How far before the next window an end lies, if ends are inclusive; a part of a day, or days.
    granularity: Duration | None = None

    @property
    def bounds(self) -> tuple[str, ...]:
        """The parameters that carry start and end."""
        return tuple(name for name in (self.start_param, self.end_param) if name)

    @property
    def column(self) -> str:
        """The column of the replication key: a nested one is copied to the top level."""
        members = members_of(self.cursor_path)
        return "_".join("last" if member == -1 else str(member) for member in members)


@dataclass(frozen=True, kw_only=True)
class DeclaredResource:
    """One endpoint, which is one stream."""

    name: str
    stream: str
    #: As declared, for messages.
    path: str
    request: RequestParts
    paging: PagingStrategy
    retry: RetryPolicy
    write_disposition: WriteDisposition
    method: t.Literal["GET", "POST"] = "GET"
    #: Whether the method is declared, without which a body is a mistake.
    sends_body: bool = False
    #: Dotted path or JSONPath of the rows; None if the body is the list.
    data_selector: str | None = None
    #: Whether a response without anything there is an error, or a page without rows.
    on_missing_rows: t.Literal["fail", "empty"] = "fail"
    #: What decodes responses; None by their media type.
    decoder: Decoder | None = None
    #: Column for the keys of a map of rows.
    map_key: str | None = None
    incremental: DeclaredIncremental | None = None
    primary_keys: tuple[str, ...] = ()
    #: Whether the primary key is only a default of the API, which the rows may not have.
    assumes_keys: bool = False
    #: Signs its requests, in place of what signs those of its API.
    auth: Authenticator | None = None
    schema: dict[str, t.Any] | None = None
    parents: tuple[ParentLink, ...] = ()
    #: Values by column: each combination of them is read on its own.
    partitions: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    #: Whether it is read only below parents that have changed; `incremental` is the parent's key.
    incremental_dependency: bool = False
    description: str = ""
    #: What makes records of rows, in order.
    steps: tuple[Step, ...] = ()
    #: Module and class that the stream is derived from.
    plugin: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeclaredApi:
    """An API and its resources, parents before children."""

    name: str
    auth: Authenticator
    #: As in the block of a built-in API.
    settings: Mapping[str, t.Any]
    resources: tuple[DeclaredResource, ...]
