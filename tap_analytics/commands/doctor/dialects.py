"""The two dialects of the built-in APIs: the specification's and the real service's.

An answer shows in which one a server speaks. A refusal may mean that the configuration fits the
other one: then the request is made once more as that would have it, to the same origin.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.transport.auth import ApiKeyHeader

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.records.payload import Row
    from tap_analytics.transport.request import Request

Dialect = t.Literal["real", "spec"]

SPOKEN = {"real": "as the real service does", "spec": "as the specification describes"}
_VERSION = re.compile(r"(/api)?/v\d+$")


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """Another configuration that the server may be meant for, and a request as it makes it."""

    alter: Callable[[Request], Request]
    api: Mapping[str, t.Any] = field(default_factory=dict)
    resource: Mapping[str, t.Any] = field(default_factory=dict)
    #: The dialect that the settings belong to.
    dialect: Dialect | None = None


def alternatives(stream: AnalyticsStream, *, refused: bool) -> list[Alternative]:
    """Return what to try where a server refuses the credential, or where nothing is found."""
    if isinstance(stream, DeclaredStream):
        return [] if refused else list(_undoubled(stream))
    find = _ALTERNATIVES.get(stream.api)
    return find(stream, refused) if find else []


def dialect_of(stream: AnalyticsStream, payload: object, rows: list[Row]) -> Dialect | None:
    """Return the dialect that an answer is in, where it shows."""
    look = _MARKS.get(stream.api)
    return look(stream, payload, rows) if look and isinstance(payload, dict) else None


# --- what to try ------------------------------------------------------------------------------


def _moved(before: str, after: str) -> Callable[[Request], Request]:
    """Return what moves a request from one address below the origin to another."""

    def move(request: Request) -> Request:
        if not request.url.startswith(before):
            return request
        return replace(request, url=after + request.url.removeprefix(before))

    return move


def _undoubled(stream: DeclaredStream) -> Iterator[Alternative]:
    """Where the path begins as `base_url` ends, such as `/v1`, it may be meant once."""
    base, path = stream.url_base, stream.path or ""
    first = f"/{path.lstrip('/').partition('/')[0]}"
    if len(first) > 1 and base.endswith(first):
        rest = path.removeprefix(first)
        yield Alternative(
            alter=_moved(f"{base}{first}", base), resource={"endpoint": {"path": rest}}
        )


def _experimentation(stream: AnalyticsStream, refused: bool) -> list[Alternative]:  # noqa: FBT001 - one table of functions
    """Try the other dialect's header, its address, or both."""
    block, base = stream.block, stream.connection.base_url
    root, own = _VERSION.sub("", base), block.get("api_key_header", "api_key")
    usual: tuple[tuple[str, str, Dialect], ...] = (
        (f"{root}/api/v2", "token", "real"),
        (f"{root}/v1", "api_key", "spec"),
    )
    tried = [(home, header, kind) for home, header, kind in usual if (home, header) != (base, own)]
    if refused:
        tried = [pair for pair in tried if pair[1] != own]
        tried = [*((base, header, kind) for _, header, kind in tried[:1]), *tried]
    return [
        _rehoused(stream, home, header, dialect) for home, header, dialect in dict.fromkeys(tried)
    ]


def _rehoused(stream: AnalyticsStream, home: str, header: str, dialect: Dialect) -> Alternative:
    block, base = stream.block, stream.connection.base_url
    sign, move = ApiKeyHeader(header, block["api_key"]), _moved(base, home)
    settings = {"base_url": home, "api_key_header": header}
    now = {"base_url": base, "api_key_header": block.get("api_key_header", "api_key")}
    return Alternative(
        alter=lambda request: sign(move(request)),
        api={name: value for name, value in settings.items() if value != now[name]},
        dialect=dialect,
    )


def _wiki(stream: AnalyticsStream, refused: bool) -> list[Alternative]:  # noqa: FBT001 - one table of functions
    if refused:
        return []
    version = t.cast("t.Any", stream).version
    known: tuple[tuple[str, Dialect | None], ...] = (
        ({1: "/wiki/rest/api", 2: "/wiki/api/v2"}[version], "real"),
        (f"/v{version}", "spec"),
        ({1: "/rest/api", 2: "/api/v2"}[version], "real"),
    )
    base = stream.connection.base_url
    return [
        Alternative(
            alter=_moved(stream.url_base, f"{base}{path}"),
            api={f"v{version}_path": path},
            dialect=dialect,
        )
        for path, dialect in known
        if f"{base}{path}" != stream.url_base
    ]


def _learning(stream: AnalyticsStream, refused: bool) -> list[Alternative]:  # noqa: FBT001 - one table of functions
    return [] if refused else _below(stream, "/v2", None)


def _success(stream: AnalyticsStream, refused: bool) -> list[Alternative]:  # noqa: FBT001 - one table of functions
    if refused:
        return []
    base = stream.connection.base_url
    if base.endswith("/resources"):
        home = base.removesuffix("/resources")
        move = _moved(base, home)
        return [Alternative(alter=move, api={"base_url": home}, dialect="spec")]
    return _below(stream, "/resources", "real")


def _below(stream: AnalyticsStream, ending: str, dialect: Dialect | None) -> list[Alternative]:
    """Try the address with the ending that it lacks, a version in its place or behind it."""
    base = stream.connection.base_url
    homes = dict.fromkeys((f"{_VERSION.sub('', base)}{ending}", f"{base}{ending}"))
    return [
        Alternative(alter=_moved(base, home), api={"base_url": home}, dialect=dialect)
        for home in homes
        if home != base
    ]


_ALTERNATIVES: Mapping[str, Callable[[AnalyticsStream, bool], list[Alternative]]] = {
    "experimentation": _experimentation,
    "learning": _learning,
    "success": _success,
    "wiki": _wiki,
}


# --- what shows -------------------------------------------------------------------------------


def _learning_marks(stream: AnalyticsStream, payload: object, rows: list[Row]) -> Dialect | None:
    del stream
    if isinstance(payload, dict) and "links" in payload:
        return "real"
    return ("real" if "attributes" in rows[0] else "spec") if rows else None


def _experimentation_marks(
    stream: AnalyticsStream, payload: object, rows: list[Row]
) -> Dialect | None:
    """Only some resources differ: campaigns come wrapped, and single objects not as a list."""
    data = payload.get("_data") if isinstance(payload, dict) else None
    if isinstance(data, dict):
        return "real"
    differs = stream.primary_keys == ("uid",) or stream.name.endswith("_campaigns")
    return "spec" if differs and rows else None


def _wiki_marks(stream: AnalyticsStream, payload: object, rows: list[Row]) -> Dialect | None:
    del stream, rows
    return "real" if isinstance(payload, dict) and "_links" in payload else "spec"


def _success_marks(stream: AnalyticsStream, payload: object, rows: list[Row]) -> Dialect | None:
    del stream, rows
    return "real" if isinstance(payload, dict) and "atEnd" in payload else "spec"


_MARKS: Mapping[str, Callable[[AnalyticsStream, object, list[Row]], Dialect | None]] = {
    "experimentation": _experimentation_marks,
    "learning": _learning_marks,
    "success": _success_marks,
    "wiki": _wiki_marks,
}
