"""The fields of `endpoint`: the request, its pages, its rows, and what is new in them."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from urllib.parse import quote

from tap_analytics.config.declarations.auths import AUTH
from tap_analytics.config.declarations.decoders import read_decoder
from tap_analytics.config.declarations.fields import (
    PATH,
    TEXT,
    Field,
    Kind,
    choice,
    read_fields,
)
from tap_analytics.config.declarations.incremental import read_incremental
from tap_analytics.config.declarations.model import DeclaredResource, Source
from tap_analytics.config.declarations.object_reader import DOTTED, ConfigPath, ObjectReader, scalar
from tap_analytics.config.declarations.page_values import check_writers, fitted
from tap_analytics.config.declarations.paginators import read_paging
from tap_analytics.config.declarations.processing import split_filter
from tap_analytics.config.declarations.retries import read_actions, read_retry
from tap_analytics.config.declarations.templates import (
    Param,
    RequestParts,
    TemplateError,
    Text,
    parse_json,
    parse_template,
)
from tap_analytics.pagination import Auto, PagingStrategy
from tap_analytics.records.codec import kind_of

if t.TYPE_CHECKING:
    from tap_analytics.config.declarations.defaults import ApiDefaults
    from tap_analytics.config.declarations.fields import Fields
    from tap_analytics.records.decoders import Decoder


# --- the request ------------------------------------------------------------------------------


def _method(reader: ObjectReader, name: str) -> str | None:
    method = (reader.text(name) or "GET").upper()
    if method in {"GET", "POST"}:
        return method
    reader.error(name, f"'{method}' isn't supported. Known: GET, POST.")
    return None


def _template(value: str, place: ConfigPath) -> Text:
    try:
        return parse_template(value)
    except TemplateError as error:
        place.report(f"`{place.path}` {error}")
        return value


def _param(value: object, place: ConfigPath) -> Param | None:
    """Read a parameter: a scalar or a list of them; null sends none."""
    if isinstance(value, list) and all(scalar(item) is not None for item in value):
        return tuple(_template(scalar(item) or "", place) for item in value)
    if (text := scalar(value)) is not None:
        return _template(text, place)
    if value is not None:
        place.report(f"`{place.path}` must be a string, a number, a boolean or a list of them.")
    return None


def _params(reader: ObjectReader, name: str) -> dict[str, Param | Source]:
    found: dict[str, Param | Source] = {}
    for param, value in reader.object(name).items():
        place = reader.at(name).at(param)
        read = _resolve(param, value, place) if isinstance(value, dict) else _param(value, place)
        if read is not None:
            found[param] = read
    return found


_RESOLVE: Fields = {
    "type": Field(choice("resolve"), "`resolve`.", required=True),
    "resource": Field(TEXT, "The resource the values come from.", required=True),
    "field": Field(PATH, "Field of its rows.", required=True),
}


def _resolve(param: str, value: dict[str, t.Any], place: ConfigPath) -> Source | None:
    if value.get("type") == "incremental":
        column = value.get("cursor_path", "…")
        instead = f"`incremental: {{cursor_path: {column}, start_param: {param}}}`"
        place.report(f"`{place.path}.type` 'incremental' isn't supported. Write {instead}.")
        return None
    found = read_fields(ObjectReader(value, place, _RESOLVE), _RESOLVE)
    if len(found) < len(_RESOLVE):
        return None
    return Source(resource=found["resource"], field=found["field"])


def _headers(reader: ObjectReader, name: str) -> dict[str, Text]:
    place = reader.at(name)
    return {each: _template(text, place.at(each)) for each, text in reader.headers(name).items()}


def _json(reader: ObjectReader, name: str) -> object:
    body = reader.given[name]
    if not isinstance(body, (dict, list)):
        reader.error(name, f"must be an object or a list, not {kind_of(body)}.")
    try:
        return t.cast("object", parse_json(body))
    except TemplateError as error:
        reader.error(name, str(error))
        return None


def _data(reader: ObjectReader, name: str) -> dict[str, Param]:
    place = reader.at(name)
    read = {each: _param(value, place.at(each)) for each, value in reader.object(name).items()}
    return {each: param for each, param in read.items() if param is not None}


def _path(reader: ObjectReader, name: str) -> str:
    path = reader.text(name) if reader.given[name] != "" else ""
    if not path:
        return ""
    if "://" in path or path.startswith("//"):
        reader.error(name, "must be relative to `client.base_url`, without a host.")
    # Some servers take a path in the query, as in index.php?/api/v2/users.
    query = path.partition("?")[2]
    if "#" in path or "=" in query.partition("&")[0] or path.endswith("?"):
        reader.error(name, "must not have a query or a fragment. Put queries into `params`.")
    if any(character.isspace() or not character.isprintable() for character in path):
        reader.error(name, "contains white space or control characters. Remove them.")
    return f"/{path.lstrip('/')}"


def _selector(reader: ObjectReader, name: str) -> str | None:
    selector = reader.text(name)
    outer, _ = split_filter(selector)
    if outer and not DOTTED.fullmatch(outer):
        from jsonpath_ng.ext.parser import parse  # noqa: PLC0415 - slow to import, and rarely needed

        try:
            parse(outer)
        except Exception:  # noqa: BLE001 - the lexer and the parser raise classes of their own
            reader.error(
                name,
                f"'{selector}' is neither a dotted path nor JSONPath. Write it like data.items.",
            )
    return selector


def _read_paging(reader: ObjectReader, name: str) -> PagingStrategy:
    return read_paging(reader.given[name], reader.at(name))


def _read_decoder(reader: ObjectReader, name: str) -> Decoder | None:
    return read_decoder(reader.given[name], reader.at(name))


#: Fields of an endpoint that a default endpoint may have.
SHARED_ENDPOINT: Fields = {
    "method": Field(Kind("`GET` or `POST`", _method), "The method.", default="GET"),
    "params": Field(
        Kind("object", _params), "Query parameters; a list is sent as one parameter per item."
    ),
    "headers": Field(Kind("object", _headers), "Further headers."),
    "json": Field(Kind("object or list", _json), "JSON body, with the `method` that sends it."),
    "data": Field(Kind("object", _data), "Fields of a form, another body."),
    "auth": Field(
        Kind(AUTH.name, lambda reader, name: reader.given[name]),
        "How its requests are signed, in place of the `auth` of `client`.",
    ),
    "decoder": Field(
        Kind("[`decoder`](#decoder) or its type", _read_decoder),
        "The format of the response; by its `Content-Type` if it isn't given.",
        in_dlt=False,
    ),
    "data_selector": Field(
        Kind("dotted path or JSONPath", _selector),
        "Where the rows are; without one, the body is the list. `auto` looks for the list in each "
        "response, as dlt does.",
    ),
    "on_missing_rows": Field(
        choice("fail", "empty"),
        "What a response without anything at `data_selector` is: an error, or a page without rows, "
        "for APIs that leave out a list that is empty.",
        default="fail",
        in_dlt=False,
    ),
    "map_key": Field(
        TEXT,
        "Column for the key of each row in a map, where `data_selector` ends in `.*`.",
        in_dlt=False,
    ),
    "paginator": Field(
        Kind("[`paginator`](#paginator) or its type", _read_paging),
        "How it is paged.",
        default=Auto(),
    ),
    "error_handler": Field(
        Kind("[`error_handler`](#error_handler)", read_retry),
        "When a request is tried again, over the `retry` of the API.",
        in_dlt=False,
    ),
    "response_actions": Field(
        Kind("list of [`response_actions`](#response_actions)", read_actions),
        "What is done with responses of some kind; the first that fits counts, before all other "
        "rules.",
        default=(),
    ),
    "incremental": Field(
        Kind("[`incremental`](#incremental)", read_incremental),
        "What tells new rows from old ones.",
    ),
}
ENDPOINT: Fields = {
    "path": Field(Kind("text", _path), "Relative to `base_url`; may be empty.", default=""),
    **SHARED_ENDPOINT,
}


def read_endpoint(
    reader: ObjectReader, name: str, defaults: ApiDefaults
) -> tuple[DeclaredResource, dict[str, Source]]:
    """Return the resource of an endpoint, and its parameters that resolve to other resources."""
    values = read_fields(reader, ENDPOINT)
    given: dict[str, Param | Source] = values.get("params", {})
    params = {name: value for name, value in given.items() if not isinstance(value, Source)}
    path = _with_params(values["path"], params)
    request = RequestParts(
        path=_parsed_path(path, reader),
        params=params,
        headers=values.get("headers", {}),
        json=values.get("json"),
        data=values.get("data"),
    )
    resource = DeclaredResource(
        name=name,
        stream=f"{defaults.api}_{name}",
        path=path,
        method=values["method"],
        sends_body=reader.given.get("method") is not None,
        auth=defaults.auth_of(reader),
        data_selector=values.get("data_selector"),
        on_missing_rows=values["on_missing_rows"],
        map_key=values.get("map_key"),
        decoder=values.get("decoder"),
        paging=fitted(values["paginator"], request, params, reader, page_size=defaults.page_size),
        retry=replace(
            defaults.retry.overridden(values.get("error_handler", {})),
            actions=values["response_actions"],
        ),
        incremental=values.get("incremental"),
        request=request,
        write_disposition="merge",
    )
    return resource, {name: each for name, each in given.items() if isinstance(each, Source)}


def _with_params(path: str, params: dict[str, Param]) -> str:
    """Replace placeholders of a path by the parameters of their names."""
    for name, value in [*params.items()]:
        if isinstance(value, str) and f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
            del params[name]
    return path


def _parsed_path(path: str, reader: ObjectReader) -> Text:
    try:
        return parse_template(path, short=True)
    except TemplateError as error:
        reader.error("path", f"'{path}' {error}")
        return ""


# --- what must fit together -------------------------------------------------------------------


def check_endpoint(resource: DeclaredResource, reader: ObjectReader, defaults: ApiDefaults) -> None:
    """Report parts of an endpoint, with its defaults, that don't fit together."""
    _check_body(resource, reader)
    _check_map(resource, reader)
    if resource.on_missing_rows == "empty" and not resource.data_selector:
        reader.error("on_missing_rows", "needs a `data_selector`. Name where the rows are.")
    check_writers(resource, (resource.auth or defaults.auth).param_names, reader)


def _check_body(resource: DeclaredResource, reader: ObjectReader) -> None:
    bodies = [name for name in ("json", "data") if getattr(resource.request, name) is not None]
    if len(bodies) > 1:
        reader.error("data", "and `json` are bodies both. Remove one.")
    for name in () if resource.sends_body else bodies:
        reader.error(name, "is a body. Set `method` to POST or, where the API has it so, to GET.")


def _check_map(resource: DeclaredResource, reader: ObjectReader) -> None:
    outer = (resource.data_selector or "").removeprefix("$.").removesuffix("*").removesuffix(".")
    is_map = (resource.data_selector or "").endswith("*") and (not outer or DOTTED.fullmatch(outer))
    if resource.map_key and not is_map:
        reader.error("map_key", "needs a `data_selector` that ends in `.*`, such as data.rates.*.")
