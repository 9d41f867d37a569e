"""Path and parameters of a request of dlt, with the values of parents in them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from tap_analytics.commands.importing.dlt.incremental import of_param
from tap_analytics.commands.importing.dlt.paginator import (
    limit_param,
    without_limit,
    written_params,
)
from tap_analytics.commands.importing.loading import JsonValue, Object, as_object, mapped
from tap_analytics.commands.importing.normalize_entry import is_secret
from tap_analytics.commands.importing.notes import UnsupportedError, listed, shown
from tap_analytics.commands.importing.unread import UNPACKED, with_variables
from tap_analytics.config.declarations.object_reader import scalar
from tap_analytics.config.declarations.parents import guess
from tap_analytics.records.path import parse_path

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.commands.importing.notes import Notes

_PARENT = re.compile(r"(?<!\{)\{resources\.([^.{}]+)\.([^{}]+)\}")
_PLACEHOLDER = re.compile(r"(?<!\{)\{([^{}]*)\}(?!\})")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
#: A path that dlt takes for that of one object, not of a list.
_SINGLE = re.compile(r"(?:.*/)?[^/]*\{[a-zA-Z0-9.\-_]+\}[^/]*/?", re.DOTALL)
#: What generators write where a value is missing.
_TO_FILL_IN = "FILL_ME_IN"
#: Where a request has texts.
_PARTS = ("path", "params", "headers", "json", "data")


@dataclass(kw_only=True)
class Context:
    """What is around the endpoints of an API."""

    notes: Notes
    base_url: str = ""
    #: Whether it ends with a slash.
    is_folder: bool = False
    #: The headers of the client.
    headers: Object = field(default_factory=dict)
    #: The default endpoint, as it was read.
    defaults: Object = field(default_factory=dict)
    #: The default steps of processing.
    steps: object = None
    #: The paginator of endpoints that have none.
    paginator: object = None
    #: That of the client.
    client_paginator: object = None
    #: Parameters that sign requests.
    signed: tuple[str, ...] = ()
    #: The new names of resources by those of dlt.
    names: Mapping[str, str] = field(default_factory=dict)
    #: Why resources without a paginator are left out.
    fault: str = ""
    #: Whether the quirks of dlt count, which an entry of `apis` hasn't.
    is_foreign: bool = True


def read_request(endpoint: Object, context: Context, where: str) -> None:
    """Rewrite the request of an endpoint. Raises `UnsupportedError`."""
    if isinstance(endpoint.get("path"), str):
        if context.is_foreign and _SINGLE.fullmatch(endpoint["path"].partition("?")[0].strip()):
            _read_single(endpoint, context)
        endpoint["path"] = _relative(endpoint["path"].strip(), context)
        if not endpoint["path"] and context.is_folder:
            # The slash at the end of the address, which the tap puts before each path.
            endpoint["path"] = "/"
    if isinstance(endpoint.get("params"), dict):
        _params(endpoint, context, where)
    if isinstance(endpoint.get("data"), dict):
        endpoint["data"] = {name: _sent(each, context) for name, each in endpoint["data"].items()}
    for word in _PARTS:
        if word in endpoint:
            endpoint[word] = _linked(endpoint[word], context)
    if isinstance(endpoint.get("path"), str):
        _query_in_path(endpoint, where, context.notes)
        if context.is_foreign:
            _keep_slashes(endpoint)
        endpoint["path"] = re.sub(r"\s", "%20", endpoint["path"])
        _check_placeholders(endpoint, context)


def _read_single(endpoint: Object, context: Context) -> None:
    for word, value in (("data_selector", "$"), ("paginator", "single_page")):
        if not endpoint.get(word) and not context.defaults.get(word):
            endpoint[word] = value


def _relative(path: str, context: Context) -> str:
    if "://" not in path.partition("?")[0]:
        return path.partition("#")[0]
    if not context.base_url or not f"{path}/".startswith(f"{context.base_url}/"):
        raise UnsupportedError("its path is a URL outside of `base_url`")
    return path.removeprefix(context.base_url)


def stripped(headers: Object, context: Context) -> Object:
    """Return headers with names without white space around them.

    Raises `UnsupportedError` where null removes a header of the client.
    """
    sent = {name.lower() for name in context.headers}
    for name, value in headers.items():
        if value is None and name.strip().lower() in sent:
            raise UnsupportedError(f"its header `{shown(name)}` is removed")
    return {name.strip(): value for name, value in headers.items()}


# --- parameters -------------------------------------------------------------------------------


def _params(endpoint: Object, context: Context, where: str) -> None:
    params = endpoint["params"]
    if UNPACKED in params:
        raise UnsupportedError(str(params[UNPACKED]))
    kept: Object = {}
    for name, given in params.items():
        value = _filled_in(name, given, where, context.notes)
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "incremental":
            endpoint["incremental"] = of_param(name, value, endpoint)
            context.notes.add(where, f"`params.{shown(name)}` is `incremental` with a start_param.")
        elif kind == "resolve":
            _resolved(name, value, endpoint, kept, context)
        elif not _bound(name, value, endpoint, context):
            kept[name] = _sent(with_variables(value, context.notes), context)
    endpoint["params"] = kept


def _filled_in(name: str, value: object, where: str, notes: Notes) -> JsonValue:
    """Return a variable for what generated configurations leave to be filled in."""
    if value != _TO_FILL_IN:
        return value
    variable = notes.variable(name)
    notes.add(where, f"`params.{shown(name)}` is to be filled in: it becomes {variable}.")
    return variable


def _resolved(name: str, value: Object, endpoint: Object, kept: Object, context: Context) -> None:
    """Keep a parameter that fills the path, or write its source into the path."""
    path = endpoint.get("path", "") if isinstance(endpoint.get("path"), str) else ""
    resource, field_name = str(value.get("resource")), _field(str(value.get("field")))
    before = path.partition("?")[0]
    if _IDENTIFIER.fullmatch(name) and f"{{{name}}}" in before:
        resource = context.names.get(resource, resource)
        kept[name] = {"type": "resolve", "resource": resource, "field": field_name}
    elif f"{{{name}}}" in path:
        source = f"{{resources.{resource}.{field_name}}}"
        endpoint["path"] = path.replace(f"{{{name}}}", source)
        context.notes.add("", f"`{{{shown(name)}}}` in a path is `{shown(source)}`.")
    else:
        raise UnsupportedError(f"its parameter `{shown(name)}` isn't in the path")


def _bound(name: str, value: object, endpoint: Object, context: Context) -> bool:
    """Whether a parameter is a part of the path, which is filled with it."""
    path = endpoint.get("path")
    if not isinstance(path, str) or f"{{{name}}}" not in path or not context.is_foreign:
        return False
    text = scalar(with_variables(value, context.notes))
    if text is None or is_secret("params", name, text):
        return False
    written = text.replace("{", "{{").replace("}", "}}") if "${" not in text else text
    endpoint["path"] = path.replace(f"{{{name}}}", written)
    return True


def _sent(value: JsonValue, context: Context) -> JsonValue:
    """Return a value as dlt sends it: booleans as in Python, no null of a list."""
    if isinstance(value, bool) and context.is_foreign:
        return str(value)
    if not isinstance(value, list):
        return value
    return [_sent(each, context) for each in value if each is not None]


def settle_params(endpoint: Object, context: Context, where: str) -> None:
    """Leave out parameters that something else sets. Raises `UnsupportedError`."""
    defaults = as_object(context.defaults.get("params"))
    params: Object = {**defaults, **as_object(endpoint.get("params"))}
    own = as_object(endpoint.get("params"))
    paginator = endpoint.get("paginator") or context.paginator
    incremental = as_object(endpoint.get("incremental"))
    written: dict[str, str] = {}
    for name, is_first in written_params(paginator).items():
        if is_first:
            written[name] = "the paginator sets it"
    for word in ("start_param", "end_param"):
        written[str(incremental.get(word))] = "`incremental` sets it"
    written |= dict.fromkeys(context.signed if "auth" not in endpoint else (), "`auth` sets it")
    for name, why in written.items():
        if own.get(name) is not None:
            context.notes.add(where, f"`params.{shown(name)}` is left out: {why}.")
        own = {each: value for each, value in own.items() if each != name}
        if name in defaults:
            own[name] = None
    limit: t.Any = params.get(limit_param(paginator) or "")
    is_number = (scalar(limit) or "").isdecimal() and str(limit).strip("0")
    if limit is not None and not as_object(paginator).get("limit") and not is_number:
        endpoint["paginator"] = without_limit(paginator)
    if own or "params" in endpoint:
        endpoint["params"] = own


# --- texts ------------------------------------------------------------------------------------


def _linked(value: JsonValue, context: Context) -> JsonValue:
    """Return a value with placeholders of parents in the notation of the tap."""

    def source(found: re.Match[str]) -> str:
        name = context.names.get(found[1], found[1])
        return f"{{resources.{name}.{_field(found[2])}}}"

    return mapped(value, lambda leaf: _PARENT.sub(source, leaf) if isinstance(leaf, str) else leaf)


def _field(path: str) -> str:
    """Return the path of a parent's field. Raises `UnsupportedError` for a search."""
    members = parse_path(path.strip())
    if members is None or set("!:?") & set(path):
        raise UnsupportedError(f"the field `{shown(path)}` of its parent isn't a plain path")
    is_plain = all(isinstance(each, str) and "." not in each for each in members)
    return ".".join(map(str, members)) if is_plain else path.strip()


def _keep_slashes(endpoint: Object) -> None:
    """Let values of parents keep their slashes in a path, as dlt doesn't encode them.

    Raises `UnsupportedError` for a path that is nothing but such a value, which may be a URL.
    """
    resolved = [
        name
        for name, value in as_object(endpoint.get("params")).items()
        if isinstance(value, dict) and value.get("type") == "resolve"
    ]
    path = endpoint["path"]
    names = {name for name in _PLACEHOLDER.findall(path) if name.startswith("resources.")}
    for name in sorted({*names, *resolved}):
        if path.strip("/") == f"{{{name}}}":
            raise UnsupportedError("its path is a value of its parent, which may be a URL")
        endpoint["path"] = endpoint["path"].replace(f"{{{name}}}", f"{{+{name}}}")


def _query_in_path(endpoint: Object, where: str, notes: Notes) -> None:
    """Move the query of a path to the parameters."""
    path, has_query, query = endpoint["path"].partition("?")
    endpoint["path"] = path
    if not has_query:
        return
    found = parse_qs(query, keep_blank_values=True)
    values = {name: each[0] if len(each) == 1 else each for name, each in found.items()}
    endpoint["params"] = {**values, **as_object(endpoint.get("params"))}
    notes.add(where, f"the query of its path is {listed(found)} of `params`.")


def _check_placeholders(endpoint: Object, context: Context) -> None:
    params = {**as_object(context.defaults.get("params")), **as_object(endpoint.get("params"))}
    for name in _PLACEHOLDER.findall(endpoint["path"].replace("${", "").replace("{+", "{")):
        is_known = "." in name or name in params
        if not is_known and guess(name, [*context.names.values()]) is None:
            raise UnsupportedError(f"`{{{shown(name)}}}` in its path has no value")
