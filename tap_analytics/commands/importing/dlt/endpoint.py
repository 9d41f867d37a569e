"""The endpoint of a resource of dlt: its request, its pages, its rows."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.dlt.auth import read_auth
from tap_analytics.commands.importing.dlt.incremental import read_incremental
from tap_analytics.commands.importing.dlt.paginator import read_paginator
from tap_analytics.commands.importing.dlt.request import read_request, settle_params, stripped
from tap_analytics.commands.importing.loading import Object, as_list, as_object, without_nulls
from tap_analytics.commands.importing.notes import UnsupportedError, listed, shown
from tap_analytics.commands.importing.unread import Unread, check_read, check_words, with_variables
from tap_analytics.config.declarations.endpoint import ENDPOINT
from tap_analytics.config.declarations.model import DETECTED
from tap_analytics.config.declarations.retries import NEVER_RETRIED, RETRY

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.dlt.request import Context
    from tap_analytics.commands.importing.notes import Notes

#: Parts whose texts may be variables.
_TEXTS = ("path", "headers", "json", "data")
_METHODS = ("GET", "POST")
#: Parts that say nothing where they are empty.
_MAY_BE_EMPTY = ("auth", "data", "error_handler", "headers", "params", "response_actions")


def as_endpoint(given: object) -> Object:
    """Return an endpoint as an object, also one that is only a path."""
    return {"path": given} if isinstance(given, str) else as_object(given)


def read_endpoint(given: Object, context: Context, where: str) -> Object:
    """Return the endpoint. Raises `UnsupportedError`."""
    made = without_nulls(given)
    check_words(made, ENDPOINT, "endpoint")
    for word in _TEXTS:
        _fill(made, word, context.notes)
    if isinstance(made.get("params"), Unread):
        raise UnsupportedError(str(made["params"]))
    if not made.get("data_selector", "$"):
        del made["data_selector"]
    read_request(made, context, where)
    if "paginator" in made:
        made["paginator"] = read_paginator(
            made["paginator"], "its paginator", context.notes, is_foreign=context.is_foreign
        )
    _settle_detected(made, given, context)
    _check_body(made, context)
    if isinstance(made.get("headers"), dict):
        made["headers"] = stripped(made["headers"], context)
    _handle_errors(made, where, context.notes)
    if isinstance(made.get("incremental"), dict):
        made["incremental"] = read_incremental(made["incremental"], context.notes)
    if "auth" in made:
        made["auth"] = read_auth(made["auth"], f"{where}, auth", context.notes)
    settle_params(made, context, where)
    check_read(made)
    # An empty JSON body is sent.
    return {word: value for word, value in made.items() if value or word not in _MAY_BE_EMPTY}


def _settle_detected(made: Object, given: Object, context: Context) -> None:
    """Say what `auto` is, and null over a default: for dlt, the paginator of the client."""
    if not context.is_foreign:
        return
    is_null = "paginator" in given and given["paginator"] is None
    kind = made.get("paginator")
    if (is_null and "paginator" in context.defaults) or kind in ("auto", {"type": "auto"}):
        if context.fault:
            raise UnsupportedError(context.fault)
        made["paginator"] = context.client_paginator or "auto"
    if "data_selector" in context.defaults and not given.get("data_selector", "$"):
        made["data_selector"] = DETECTED


def _fill(made: Object, word: str, notes: Notes) -> None:
    """Let variables stand for texts of a part, but not for a whole body."""
    value = made.get(word)
    if isinstance(value, Unread) and word != "path":
        raise UnsupportedError(str(value))
    if value is not None:
        made[word] = with_variables(value, notes)


def _check_body(made: Object, context: Context) -> None:
    if {"json", "data"} & set(made) and context.is_foreign and "method" not in context.defaults:
        # dlt sends a body by GET too.
        made.setdefault("method", "GET")
    method = made.get("method", "GET")
    method = method.upper() if isinstance(method, str) else method
    if isinstance(method, str) and method not in _METHODS:
        raise UnsupportedError(f"its method is {shown(method)}")
    if "data" in made and not isinstance(made["data"], dict):
        raise UnsupportedError("its `data` isn't an object of fields")


def _handle_errors(made: Object, where: str, notes: Notes) -> None:
    if isinstance(made.get("error_handler"), dict):
        made["error_handler"] = _handler(made["error_handler"], where, notes)
    if "response_actions" in made:
        made["response_actions"] = _actions(made["response_actions"])


def _handler(handler: Object, where: str, notes: Notes) -> Object:
    made = notes.known(handler, RETRY, f"{where}, error_handler")
    given = as_list(made.get("retry_on_status_codes"))
    # A list, because values may be unhashable.
    if never := [status for status in given if status in sorted(NEVER_RETRIED)]:
        notes.add(where, f"{listed(never)} can't be retried: left out.")
        made["retry_on_status_codes"] = [each for each in given if each not in never]
    return made


def _actions(given: object) -> object:
    """Return response actions; those that need code aren't supported."""
    if not isinstance(given, list):
        return given
    for each in given:
        action = each.get("action") if isinstance(each, dict) else each
        if not isinstance(each, dict) or not isinstance(action, str):
            raise UnsupportedError("its `response_actions` need code")
    # dlt compares numbers.
    return [each for each in given if not isinstance(each.get("status_code"), str)]
