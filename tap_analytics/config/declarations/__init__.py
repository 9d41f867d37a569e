"""The `apis` of a configuration: REST APIs, in the vocabulary of dlt's REST source.

Unknown fields are reported with the known ones, never ignored.
"""

from __future__ import annotations

import typing as t

from tap_analytics.config.declarations.auths import AUTH
from tap_analytics.config.declarations.defaults import ApiDefaults, auth_key
from tap_analytics.config.declarations.fields import (
    HEADERS,
    SECONDS,
    TEXTS,
    URL,
    Field,
    Fields,
    Kind,
    integer,
    read_fields,
)
from tap_analytics.config.declarations.model import (
    DeclaredApi,
    DeclaredIncremental,
    DeclaredResource,
    ParentLink,
)
from tap_analytics.config.declarations.object_reader import (
    NAME,
    ConfigPath,
    ObjectReader,
    suggestion,
)
from tap_analytics.config.declarations.paginators import read_paging
from tap_analytics.config.declarations.parents import linked
from tap_analytics.config.declarations.resources import check_schema, read_defaults, read_resource
from tap_analytics.config.declarations.retries import read_retry
from tap_analytics.config.settings.catalog import COMMON
from tap_analytics.transport.auth import NoAuth
from tap_analytics.transport.combined import ByStream
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tap_analytics.config.declarations.resources import UnlinkedResource

__all__ = [
    "CLIENT",
    "ENTRY",
    "DeclaredApi",
    "DeclaredIncremental",
    "DeclaredResource",
    "ParentLink",
    "parse",
]


def _name(reader: ObjectReader, name: str) -> str | None:
    value = reader.text(name)
    if value and not NAME.fullmatch(value):
        reader.error(name, f"'{value}' must have letters, digits and '_' only.")
    return value


def _given(reader: ObjectReader, name: str) -> object:
    """Return a value that is read later, with its own path."""
    return reader.given[name]


_COMMON_KINDS = {
    "page_size": integer(1),
    "headers": HEADERS,
    "requests_per_second": SECONDS,
    "retry": Kind("[`error_handler`](#error_handler)", read_retry),
    "optional_streams": TEXTS,
}
_MEANINGS = {setting.name: setting.description or "" for setting in COMMON}
CLIENT: Fields = {
    "auth": Field(
        AUTH,
        "How requests are signed; not at all if it isn't given.",
        default=NoAuth(),
    ),
    "base_url": Field(URL, "Address of the API.", required=True, default=""),
    "headers": Field(HEADERS, _MEANINGS["headers"], default={}),
    "paginator": Field(
        Kind("[`paginator`](#paginator) or its type", _given),
        "The paginator of resources that name none.",
    ),
}
ENTRY: Fields = {
    "name": Field(
        Kind("text", _name),
        "First part of the stream names.",
        required=True,
        default="",
        in_dlt=False,
    ),
    "client": Field(Kind("[`client`](#client)", _given), "Address and credentials.", required=True),
    "resource_defaults": Field(
        Kind("[resource](#resources)", _given), "What resources have unless they say otherwise."
    ),
    "resources": Field(
        Kind("list of [resources](#resources) or names", _given), "The endpoints, at least one."
    ),
    **{name: Field(kind, _MEANINGS[name], in_dlt=False) for name, kind in _COMMON_KINDS.items()},
}


def parse(
    apis: Sequence[Mapping[str, t.Any]], *, reserved: Collection[str]
) -> tuple[tuple[DeclaredApi, ...], list[str]]:
    """Read the `apis` of a configuration.

    Returns the valid APIs and the problems of the others, one line each, with the path. `reserved`
    are the names of existing streams.
    """
    if not isinstance(apis, (list, tuple)):
        # Reported by the checks of settings.
        return (), []
    taken = {name.lower(): "a built-in stream" for name in reserved}
    names: dict[str, str] = {}
    read: list[DeclaredApi] = []
    problems: list[str] = []
    for index, entry in enumerate(apis):
        name = entry.get("name") if isinstance(entry, dict) else None
        where = f"apis[{index}]" + (f" '{name}'" if isinstance(name, str) and name else "")
        place = ConfigPath(where, [])
        api = _read_api(entry, place)
        if api.name and (other := names.setdefault(api.name.lower(), where)) != where:
            place.report(f"has the name of {other}. Give it another.")
        else:
            _check_streams(api, place, taken)
        problems += dict.fromkeys(place.problems)
        if not place.problems:
            read.append(api)
    return tuple(read), problems


def _read_api(entry: object, place: ConfigPath) -> DeclaredApi:
    reader = ObjectReader(entry, place, ENTRY)
    values = read_fields(reader, ENTRY)
    client = ObjectReader(values.get("client"), reader.at("client"), CLIENT)
    base = read_fields(client, CLIENT)
    defaults = ApiDefaults(
        api=values["name"],
        retry=RetryPolicy().overridden(values.get("retry", {})),
        page_size=values.get("page_size"),
        auth=base["auth"],
        auths={auth_key(client): base["auth"]},
        given={"endpoint": _client_defaults(client)},
    )
    if "resource_defaults" in reader:
        place = reader.at("resource_defaults")
        defaults = read_defaults(values["resource_defaults"], place, defaults)
    settings = {
        "base_url": base["base_url"],
        "headers": base["headers"] | values.get("headers", {}),
        "page_size": defaults.page_size,
        "requests_per_second": values.get("requests_per_second") or None,
        "retry": reader.given.get("retry"),
        "optional_streams": list(values.get("optional_streams", ())) or None,
    }
    resources = _resources(reader, defaults)
    own = {each.stream: each.auth for each in resources if each.auth is not None}
    return DeclaredApi(
        name=defaults.api,
        auth=ByStream(base["auth"], own) if own else base["auth"],
        settings={name: value for name, value in settings.items() if value is not None},
        resources=resources,
    )


def _client_defaults(client: ObjectReader) -> dict[str, t.Any]:
    """Return the paginator of the client as endpoint default, unless it is invalid."""
    if "paginator" not in client:
        return {}
    before = len(client.place.problems)
    read_paging(client.given["paginator"], client.at("paginator"))
    is_fine = before == len(client.place.problems)
    return {"paginator": client.given["paginator"]} if is_fine else {}


def _resources(reader: ObjectReader, defaults: ApiDefaults) -> tuple[DeclaredResource, ...]:
    given = reader.given.get("resources")
    if not isinstance(given, list) or not given:
        if reader.is_object:
            reader.error("resources", "must be a list with at least one resource.")
        return ()
    unlinked: dict[str, UnlinkedResource] = {}
    for index, value in enumerate(given):
        name = value.get("name") if isinstance(value, dict) else value
        known = isinstance(name, str) and name
        place = reader.place.inside(f"resource '{name}'" if known else f"resources[{index}]")
        resource = read_resource(value, place, defaults)
        if unlinked.setdefault(resource.declared.name.lower(), resource) is not resource and known:
            place.report(f"`name` '{name}' is given to two resources. Rename one.")
    found = linked(tuple(unlinked.values()))
    for each in found:
        check_schema(each, unlinked[each.name.lower()].place)
    return found


def _check_streams(api: DeclaredApi, place: ConfigPath, taken: dict[str, str]) -> None:
    """Report duplicate stream names; case is ignored, as by targets."""
    for resource in api.resources:
        if other := taken.get(resource.stream.lower()):
            where = place.inside(f"resource '{resource.name}'")
            where.report(f"its stream '{resource.stream}' has the name of {other}. Rename it.")
    taken |= {resource.stream.lower(): f"a stream of {place.where}" for resource in api.resources}
    streams = [resource.stream for resource in api.resources]
    for name in api.settings.get("optional_streams", ()) if streams else ():
        if name not in streams:
            hint = f"Known: {', '.join(streams)}.{suggestion(name, streams)}"
            place.report(f"`optional_streams` '{name}' isn't a stream of this API. {hint}")
