"""The `apis` of a configuration: REST APIs, in the vocabulary of dlt's REST source.

Unknown fields are reported with the known ones, never ignored.
"""

from __future__ import annotations

import typing as t

from tap_analytics.config.declarations.model import (
    DeclaredApi,
    DeclaredIncremental,
    DeclaredResource,
    ParentLink,
)
from tap_analytics.config.declarations.object_reader import ConfigPath, ObjectReader, suggestion
from tap_analytics.config.declarations.parents import linked
from tap_analytics.config.declarations.readers import read_auth, read_paging, read_retry
from tap_analytics.config.declarations.resources import (
    NAME,
    ApiDefaults,
    read_defaults,
    read_resource,
)
from tap_analytics.config.settings.checks import url_problem
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tap_analytics.config.declarations.resources import UnlinkedResource

__all__ = [
    "CLIENT_FIELDS",
    "ENTRY_FIELDS",
    "DeclaredApi",
    "DeclaredIncremental",
    "DeclaredResource",
    "ParentLink",
    "parse",
]

ENTRY_FIELDS = (
    *("name", "client", "resource_defaults", "resources"),
    *("page_size", "headers", "requests_per_second", "retry", "optional_streams"),
)
CLIENT_FIELDS = ("base_url", "auth", "headers", "paginator")


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
    reader = ObjectReader(entry, place, ENTRY_FIELDS)
    client = ObjectReader(reader.given.get("client"), reader.at("client"), CLIENT_FIELDS)
    auth = read_auth(client.given.get("auth"), client.at("auth"))
    defaults = ApiDefaults(
        api=_name(reader),
        retry=read_retry(reader.given.get("retry"), reader.at("retry"), over=RetryPolicy()),
        page_size=reader.integer("page_size", minimum=1),
        secret_params=auth.param_names,
        given={"endpoint": _client_defaults(client)},
    )
    if "resource_defaults" in reader:
        place = reader.at("resource_defaults")
        defaults = read_defaults(reader.given["resource_defaults"], place, defaults)
    settings = {
        "base_url": _base_url(reader, client),
        "headers": {**client.headers("headers"), **reader.headers("headers")},
        "page_size": defaults.page_size,
        "requests_per_second": reader.number("requests_per_second", minimum=0) or None,
        "retry": reader.given.get("retry"),
        "optional_streams": list(reader.texts("optional_streams")) or None,
    }
    return DeclaredApi(
        name=defaults.api,
        auth=auth,
        settings={name: value for name, value in settings.items() if value is not None},
        resources=_resources(reader, defaults),
    )


def _name(reader: ObjectReader) -> str:
    name = reader.text("name", required=True) or ""
    if name and not NAME.fullmatch(name):
        reader.error("name", f"'{name}' must have letters, digits and '_' only.")
    return name


def _base_url(reader: ObjectReader, client: ObjectReader) -> str:
    if "client" not in reader:
        reader.missing("client")
        return ""
    url = client.text("base_url", required=True) or ""
    if url and (text := url_problem(url)):
        client.error("base_url", text)
    return url


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
    return linked(tuple(unlinked.values()))


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
