"""Selects rows and finds errors in a decoded response.

An empty list is a valid result, a selector that finds nothing is a mistake, and an error inside
HTTP 200 is an error. All three are distinguished here.
"""

from __future__ import annotations

import re
import typing as t
from http import HTTPStatus

import msgspec
from singer_sdk.helpers.jsonpath import extract_jsonpath

from tap_analytics.errors import TapError
from tap_analytics.records.codec import kind_of
from tap_analytics.records.path import Match, members_of
from tap_analytics.transport.error_mapping import message_in
from tap_analytics.transport.errors import ErrorInBody, Rejected, Retriable, shorten
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_analytics.records.path import Segment
    from tap_analytics.transport.errors import Cause, TransportError
    from tap_analytics.transport.request import Response

Row = dict[str, t.Any]

#: Codes inside a response that are retried, as they are as a status.
RETRIED = RetryPolicy().statuses
#: Wildcards of a JSONPath.
_WILDCARD = re.compile(r"\[\*\]|(?:^|\.)\*")
#: Members that always mean an error, and those that do where there is no data beside them.
ALWAYS_ERRORS = ("_errors", "API_ERROR")
ERRORS_WITHOUT_DATA = ("errors", "error")
_SHOWN = 200
#: Names of lists of rows that dlt takes first, and the most names of a path to one.
_USUAL = frozenset(
    {
        *("content", "data", "entities", "entries", "items", "objects", "payload", "records"),
        *("results", "rows", "values"),
    }
)
_DEEPEST = 3


#: Returned for a path that doesn't exist.
_NOWHERE: t.Final = object()


def at_path(payload: t.Any, path: Iterable[Segment], default: t.Any = None) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return the value at a path of members and indexes, `default` where there is none."""
    for member in path:
        if isinstance(payload, dict) and member in payload:
            payload = payload[member]
        elif isinstance(member, int) and payload and isinstance(payload, list):
            if not -len(payload) <= member < len(payload):
                return default
            payload = payload[member]
        elif isinstance(member, Match) and isinstance(payload, list):
            payload = member.find(payload)
            if payload is ...:
                return default
        else:
            return default
    return payload


class SelectorError(TapError):
    """A response without rows at the selector; the message names other lists."""


class MissingRowsError(SelectorError):
    """A response that has nothing at the selector."""


class MissingValueError(SelectorError):
    """A row of a parent without the values that name its children in a request.

    `is_absent`: it lacks a field, rather than that it is null.
    """

    def __init__(self, text: str = "", *, is_absent: bool = False) -> None:
        super().__init__(text)
        self.is_absent = is_absent


def select_rows(payload: object, path: Sequence[str]) -> list[Row]:
    """Return the rows at a path of members: a list, one object, or null for none.

    Raises `MissingRowsError` where the path doesn't exist, and `SelectorError` where it holds no
    rows.
    """
    found = at_path(payload, path, _NOWHERE)
    if found is _NOWHERE:
        raise _nowhere(payload, ".".join(path))
    if not path and isinstance(found, dict) and any(lists_in(found)):
        raise _nowhere(payload, "the response itself")
    return as_rows(found, f"`{'.'.join(path)}`" if path else "the response")


def select_jsonpath(payload: object, expression: str) -> list[Row]:
    """Return the rows a JSONPath selects; as strict as `select_rows`."""
    found = list(extract_jsonpath(expression, t.cast("t.Any", payload)))
    if found == [None]:
        return []
    if found:
        rows = found[0] if len(found) == 1 and isinstance(found[0], list) else found
        return as_rows(rows, f"`{expression}`")
    if not _is_empty(payload, expression):
        raise _nowhere(payload, expression)
    return []


def select_map(payload: object, path: Sequence[str], column: str) -> list[Row]:
    """Return the rows of a map at a path of members, one or a list under each key.

    The key becomes a column of rows that lack it. An empty list is an empty map.
    """
    found, where = at_path(payload, path, _NOWHERE), ".".join((*path, "*"))
    if found is _NOWHERE:
        raise _nowhere(payload, where)
    if found is not None and found != [] and not isinstance(found, dict):
        raise SelectorError(
            f"`{where}` leads into {kind_of(found)} where a map of rows is expected."
        )
    rows = []
    for key, value in (found or {}).items():
        for row in as_rows(value, f"`{'.'.join((*path, key))}`"):
            row.setdefault(column, key)
            rows.append(row)
    return rows


def _is_empty(payload: object, expression: str) -> bool:
    """Whether a JSONPath finds nothing because lists on its way are empty."""
    for wildcard in _WILDCARD.finditer(expression):
        before = expression[: wildcard.start()] or "$"
        if before.count("'") % 2 or before.count('"') % 2:
            # The wildcard is part of a quoted name.
            continue
        found = list(extract_jsonpath(before, t.cast("t.Any", payload)))
        if not found or all(each in ([], {}, None) for each in found):
            return bool(found)
    return False


def detect_rows(payload: object) -> list[Row]:
    """Return the rows of a list in a response, found by dlt's rule; without a list, one row.

    It is the first list whose name is usual for rows, else the first list at all.
    """
    found = [*_lists_below(payload)]
    usual = (each for each in found if each[0][-1] in _USUAL)
    path, rows = next(usual, found[0] if found else ((), payload))
    return as_rows(rows, f"`{'.'.join(path)}`" if path else "the response")


def _lists_below(
    payload: object, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], t.Any]]:
    for name, value in payload.items() if isinstance(payload, dict) else ():
        if isinstance(value, list):
            yield (*path, name), value
        elif len(path) + 1 < _DEEPEST:
            yield from _lists_below(value, (*path, name))


def holds_null(payload: object, path: Sequence[str]) -> bool:
    """Whether there is null at a path of members."""
    return at_path(payload, path, _NOWHERE) is None


def dig_field(row: t.Mapping[str, t.Any], path: str, default: t.Any = None) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return a field of a row by its name or, where there is no such name, by dotted path."""
    return row[path] if path in row else at_path(row, members_of(path), default)


def has_field(row: t.Mapping[str, t.Any], path: str) -> bool:
    """Whether a row has a field, found as by `dig_field`."""
    return dig_field(row, path, _NOWHERE) is not _NOWHERE


def without(row: Row, path: str) -> None:
    """Remove a field of a row, found as by `dig_field`; objects that it is nested in are copied."""
    if path in row:
        del row[path]
        return
    *outer, name = path.split(".")
    if not isinstance(inner := at_path(row, outer), dict) or name not in inner:
        return
    for member in outer:
        row[member] = row = {**row[member]}
    del row[name]


class Parent(t.Protocol):
    """The parts of a parent stream that messages name."""

    name: str
    primary_keys: Sequence[str]


def check_path_value(value: object, needed: str, *, child: str, parent: Parent, row: Row) -> None:
    """Raise `SelectorError` for a value of a parent's row that can't be part of a child's path."""
    if value is None:
        fault = "has no"
    elif isinstance(value, (dict, list, bool, msgspec.Raw)):
        fault = f"has {kind_of(value)} as"
    elif value in {"", ".", ".."}:
        # Such a segment would lead to another endpoint.
        fault = f"has '{value}' as"
    else:
        return
    raise SelectorError(f"{child}: {row_of(parent, row)} {fault} {needed}")


def row_of(parent: Parent, row: Row) -> str:
    """Return how messages name a row of a parent."""
    keys = ", ".join(f"{key}={row.get(key)}" for key in parent.primary_keys)
    return shorten(f"a row of {parent.name}{' with ' if keys else ''}{keys}", _SHOWN)


def as_rows(found: object, where: str) -> list[Row]:
    """Return what a selector found as rows; one object is one row, null is none."""
    if found is None:
        return []
    if isinstance(found, dict):
        return [found]
    if isinstance(found, list):
        odd = next((row for row in found if not isinstance(row, dict)), found)
        if odd is found:
            return found
        raise SelectorError(f"{where} holds {kind_of(odd)} where rows (objects) are expected.")
    raise SelectorError(f"{where} is {kind_of(found)} where a list of rows is expected.")


def error_in(payload: object, *, has_rows: bool) -> tuple[int | None, str] | None:
    """Return (code, message) of an error inside a successful response, or None."""
    if not isinstance(payload, dict):
        return None
    names = ALWAYS_ERRORS if has_rows else (*ALWAYS_ERRORS, *ERRORS_WITHOUT_DATA)
    for name in names:
        if value := payload.get(name):
            first = value[0] if isinstance(value, list) else value
            return _code(first), f"{name}: {_message(first, payload, name)}"
    return None


def failure_in(payload: object) -> str | None:
    """Return the member of a successful response that says that it failed, or None."""
    if not isinstance(payload, dict):
        return None
    for name in ("success", "ok"):
        if payload.get(name) is False:
            return f"{name}: false"
    status = payload.get("status")
    is_failure = isinstance(status, str) and status.lower() in {"error", "fail", "failed"}
    return f"status: {status}" if is_failure else None


def raise_error(payload: object, *, has_rows: bool, label: str) -> None:
    """Raise the error in a successful response; retriable depending on its code."""
    error = error_in(payload, has_rows=has_rows)
    if error is None:
        return
    code, message = error
    what = f"{label} answered 200 with an error: {message}"
    if code in RETRIED:
        cause: Cause = "throttled" if code == HTTPStatus.TOO_MANY_REQUESTS else "server"
        raise Retriable(what, hint="Try again later.", cause=cause, status=code)
    if code == HTTPStatus.UNAUTHORIZED:
        raise ErrorInBody(what, hint="Check the credentials.", cause="credentials", status=code)
    if "VERSION" in message:
        raise ErrorInBody(what, hint="Check `base_url`: it carries the API's version.", status=code)
    raise ErrorInBody(what, hint="Check `base_url` and the parameters of the request.", status=code)


def unreadable(response: Response, found: str, *, label: str, api: str) -> TransportError:
    """Return the error of a body that can't be decoded; `found` is what it looks like."""
    kind = shorten(response.headers.get("Content-Type", "") or "no content type", 80)
    return Retriable(
        f"{label} answered {response.status} with {found} ({kind})",
        hint=f"Check `base_url` of {api}, and whether a proxy or a login answers.",
        cause="body",
        status=response.status,
    )


def not_json(response: Response, known: str, *, label: str, decoder: str | None) -> TransportError:
    """Return the error of a body in a known format; `decoder` reads it once it is declared."""
    kind = shorten(response.headers.get("Content-Type", "") or "no content type", 80)
    what, hint = "which isn't supported yet", "Ask the API for JSON in one piece: by a parameter, "
    hint += "a path, or an `Accept` header in `headers`."
    if decoder:
        what, hint = "not JSON", f"Set `decoder` of the endpoint to `{decoder}`."
    return Rejected(
        f"{label} answered {response.status} with {known} ({kind}), {what}",
        hint=hint,
        cause="body",
        status=response.status,
    )


def _message(first: object, payload: dict[str, t.Any], name: str) -> str:
    text = message_in(first) or str(first)
    described = payload.get(f"{name}_DESCRIPTION")
    return shorten(f"{text} ({described})" if described else text, _SHOWN)


def _code(error: object) -> int | None:
    """Return the first number among an error's code and status; a code may be a word."""
    given = [str(error.get(name)) for name in ("code", "status")] if isinstance(error, dict) else []
    return next((int(text) for text in given if text.isascii() and text.isdigit()), None)


def lists_in(payload: object, prefix: str = "") -> Iterator[str]:
    """Name the paths below a response that hold a list of objects, or an empty list."""
    if not isinstance(payload, dict):
        return
    for name, value in payload.items():
        if isinstance(value, list) and (not value or isinstance(value[0], dict)):
            yield f"{prefix}{name}"
        elif isinstance(value, dict):
            yield from lists_in(value, f"{prefix}{name}.")


def _nowhere(payload: object, where: str) -> MissingRowsError:
    if isinstance(payload, list):
        hint = "the response itself is a list"
    elif paths := ", ".join(f"`{path}`" for path in lists_in(payload)):
        hint = f"the response holds a list at {paths}"
    elif isinstance(payload, dict):
        members = ", ".join(f"`{name}`" for name in list(payload)[:8]) or "nothing"
        hint = f"the response is an object with {members}"
    else:
        hint = f"the response is {kind_of(payload)}"
    return MissingRowsError(f"found no rows at `{where}`; {shorten(hint, _SHOWN)}.")
