"""A manifest's authenticator, as the `auth` of a client."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.notes import shown

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.commands.importing.airbyte.components import Component, Object


def auth_of(authenticator: Component | None) -> Object | None:
    """Return the `auth` that does what an authenticator does; None for none, told if it can't."""
    if authenticator is None or authenticator.kind == "NoAuth":
        return None
    reader = _READERS.get(authenticator.kind)
    made = None if reader is None else reader(authenticator)
    if made is None:
        kind = shown(authenticator.kind)
        authenticator.note("", f"{kind} isn't taken, so requests aren't signed: write `auth`.")
        return None
    authenticator.tell_unread()
    return made


def _credential(part: Component, *words: str) -> str:
    """Return the first of some words that is there; what can't be read becomes a variable."""
    for word in words:
        if part.get(word) is not None:
            if (value := part.credential(word)) is not None:
                return value
            variable = part.manifest.notes.variable(word)
            part.note(word, f"can't be read without running it: it becomes {variable}.")
            return variable
    return part.manifest.notes.variable(words[0])


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


def _bearer(part: Component) -> Object:
    return {"type": "bearer", "token": _credential(part, "api_token")}


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
    part.ignore("scopes", "access_token_name", "expires_in_name")
    return made


_READERS: dict[str, Callable[[Component], Object | None]] = {
    "ApiKeyAuthenticator": _api_key,
    "BasicHttpAuthenticator": _basic,
    "BearerAuthenticator": _bearer,
    "OAuthAuthenticator": _oauth,
}
