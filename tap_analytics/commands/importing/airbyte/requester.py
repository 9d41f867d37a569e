"""Convert authenticators to `auth`, and error handlers to `error_handler`."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.commands.importing.loading import as_list
from tap_analytics.commands.importing.notes import listed, shown
from tap_analytics.config.declarations.retries import NEVER_RETRIED
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.airbyte.components import Component, Object

_RETRIED = {"RETRY", "RATE_LIMITED"}
#: Statuses that an optional stream may respond with.
_OPTIONAL = {403, 404}


def auth_of(authenticator: Component | None) -> Object | None:
    """Return the equivalent `auth`; None without an authenticator or for an unsupported one."""
    if authenticator is None or authenticator.kind == "NoAuth":
        return None
    reader = _READERS.get(authenticator.kind)
    made = reader(authenticator) if reader else None
    if made is None:
        kind = shown(authenticator.kind)
        notes = authenticator.manifest.notes
        notes.unsigned(authenticator.path, f"{kind} isn't supported")
        return None
    authenticator.note_unread()
    return made


def _credential(part: Component, word: str) -> str:
    """Return a credential; one that can't be read becomes a variable."""
    if (value := part.credential(word)) is not None:
        return value
    variable = part.manifest.notes.variable(word)
    if part.get(word) is not None:
        part.note(word, f"is known only at run time: it becomes {variable}.")
    return variable


def _api_key(part: Component) -> Object | None:
    key = _credential(part, "api_token")
    if (inject := part.child("inject_into")) is not None:
        where, name = inject.get("inject_into"), inject.text("field_name")
    else:
        where, name = "header", part.text("header")
    places = {"header": "header", "request_parameter": "query"}
    if not isinstance(where, str) or where not in places or not name:
        return None
    part.ignore("header")
    return {"type": "api_key", "name": name, "api_key": key, "location": places[where]}


def _basic(part: Component) -> Object:
    username = _credential(part, "username")
    has_password = part.get("password") not in (None, "")
    password = _credential(part, "password") if has_password else ""
    return {"type": "http_basic", "username": username, "password": password}


def _oauth(part: Component) -> Object | None:
    if part.text("grant_type") != "client_credentials":
        return None
    url = part.credential("token_refresh_endpoint")
    if url is None:
        return None
    made: Object = {
        "type": "oauth2_client_credentials",
        "access_token_url": url,
        "client_id": _credential(part, "client_id"),
        "client_secret": _credential(part, "client_secret"),
    }
    scopes = part.get("scopes")
    if isinstance(scopes, list) and all(isinstance(scope, str) for scope in scopes):
        made["scopes"] = scopes
    return made


_READERS: dict[str, t.Callable[[Component], Object | None]] = {
    "ApiKeyAuthenticator": _api_key,
    "BasicHttpAuthenticator": _basic,
    "BearerAuthenticator": lambda part: {
        "type": "bearer",
        "token": _credential(part, "api_token"),
    },
    "OAuthAuthenticator": _oauth,
}


@dataclass
class ErrorHandling:
    """Retries, and whether the stream is optional."""

    retried: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    factor: float | None = None
    retries: int | None = None
    longest: float | None = None
    is_optional: bool = False


def handler_of(part: Component | None) -> tuple[Object, bool]:
    """Return an `error_handler`, empty for the default, and whether the stream is optional."""
    handling = ErrorHandling()
    for handler in _handlers(part):
        _read(handler, handling)
    # The CDK retries the default statuses of the tap too, besides those of the manifest.
    default = RetryPolicy().statuses
    statuses = (default | handling.retried) - handling.failed - NEVER_RETRIED
    made = {
        "retry_on_status_codes": sorted(statuses) if statuses != default else None,
        "max_retries": handling.retries,
        "backoff_factor": handling.factor,
        "max_retry_after": handling.longest,
    }
    return {n: value for n, value in made.items() if value is not None}, handling.is_optional


def _handlers(part: Component | None) -> Iterator[Component]:
    if part is None:
        return
    if part.kind == "CompositeErrorHandler":
        for each in part.children("error_handlers"):
            yield from _handlers(each)
    elif part.kind in {"", "DefaultErrorHandler"}:
        yield part
    else:
        part.note("", f"{shown(part.kind)} isn't supported; the tap's default retries apply.")


def _read(part: Component, handling: ErrorHandling) -> None:
    if (retries := part.integer("max_retries")) is not None and handling.retries is None:
        handling.retries = retries
    for strategy in part.children("backoff_strategies"):
        _backoff(strategy, handling)
    for each in part.children("response_filters"):
        _filter(each, handling)
    part.note_unread()


def _backoff(part: Component, handling: ErrorHandling) -> None:
    header = part.get("header")
    if part.kind == "ConstantBackoffStrategy":
        handling.factor = handling.factor or _seconds(part, "backoff_time_in_seconds")
        if handling.factor is not None:
            waits = ", ".join(f"{handling.factor * times:g}" for times in (1, 2, 4))
            part.note("", f"each wait is twice the one before: {waits} s.")
    elif part.kind == "ExponentialBackoffStrategy":
        handling.factor = handling.factor or _seconds(part, "factor")
    elif part.kind in {"WaitTimeFromHeader", "WaitUntilTimeFromHeader"}:
        if part.get("max_waiting_time_in_seconds") is not None and handling.longest is None:
            handling.longest = _seconds(part, "max_waiting_time_in_seconds")
        if not isinstance(header, str) or header.lower() != "retry-after":
            part.note("header", "isn't supported: the tap uses `Retry-After`.")
    else:
        part.note("", f"{shown(part.kind)} isn't supported.")
        return
    part.note_unread()


def _seconds(part: Component, word: str) -> float | None:
    value = part.get(word)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        part.note(word, "isn't a number: left out.")
        return None
    return value


def _filter(part: Component, handling: ErrorHandling) -> None:
    action = str(part.get("action"))
    codes = {code for code in as_list(part.get("http_codes")) if type(code) is int}
    if part.get("predicate") or part.get("error_message_contains"):
        part.note("", "depends on the response body: left out.")
        return
    if action in _RETRIED:
        if never := sorted(codes & NEVER_RETRIED):
            part.note("http_codes", f"{listed(never)} can't be retried: left out.")
        handling.retried |= {code for code in codes if 400 <= code < 600}  # noqa: PLR2004 - what may be retried
    elif action == "FAIL":
        handling.failed |= codes
    elif action == "IGNORE" and codes and codes <= _OPTIONAL:
        part.note("", f"{listed(sorted(codes))} is ignored there; here the stream is optional.")
        handling.is_optional = True
    else:
        part.note("", f"the action {shown(action)} isn't supported.")
    part.note_unread()
