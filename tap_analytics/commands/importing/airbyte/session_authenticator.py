"""Convert authenticators that send a token which a login returns to `auth`."""

from __future__ import annotations

import re
import typing as t

from tap_analytics.commands.importing.airbyte.credentials import (
    credential,
    credentials_in,
    place_of,
)
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.records.duration import Duration

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.loading import JsonValue, Object

#: A token after a word of its own.
_PREFIXED = re.compile(r"(?:([^\s{}]+) )?\{\{\s*session_token\s*\}\}")
_BODIES = {
    "RequestBodyJsonObject": "json",
    "RequestBodyUrlEncodedForm": "data",
}


def session_of(part: Component, signed: Object | None) -> Object:
    """Return the equivalent `auth`, with a login that is `signed`; raises `UnsupportedError`."""
    login = part.child("login_requester")
    decoder = part.child("decoder")
    if login is None or login.kind not in {"", "HttpRequester"}:
        raise UnsupportedError("its login is no HttpRequester")
    if decoder is not None and decoder.kind != "JsonDecoder":
        raise UnsupportedError(f"its login is decoded by {shown(decoder.kind)}")
    made: Object = {"type": "session_token", "login": _login(login, signed)}
    made["session_token_path"] = _path(part.values("session_token_path"))
    made |= _placed(part)
    if lifetime := part.text("expiration_duration"):
        duration = Duration.parse(lifetime)
        if duration is None or duration.months:
            what = "isn't a duration: a token is renewed when it is refused."
            part.note("expiration_duration", f"`{shown(lifetime)}` {what}")
        else:
            made["default_token_expiration"] = int(duration.rest.total_seconds())
    return made


def legacy_session_of(part: Component, requester: Component) -> Object:
    """Return the equivalent `auth`; the URL of the login is that of the API and its path."""
    word = "url_base" if requester.get("url_base") else "url"
    # As the CDK does, without a slash between them.
    url = requester.interpolated(f"{requester.get(word)}{part.get('login_url')}", word)
    name, key = part.text("header"), part.text("session_token_response_key")
    if not url or not part.get("login_url") or not name or not key:
        raise UnsupportedError("its login, header or session_token_response_key is computed")
    if part.get("session_token"):
        part.note("session_token", "isn't used: the login gives one.")
    part.ignore("validate_session_url")
    fields = {word: credential(part, word) for word in ("username", "password")}
    return {
        "type": "session_token",
        "login": {"url": url, "json": fields},
        "session_token_path": _path([key]),
        "name": name,
        **({"prefix": ""} if name == "Authorization" else {}),
    }


def _path(names: list[t.Any]) -> str:
    if not names or any(not re.fullmatch(r"[^\s.*{}]+", str(name)) for name in names):
        raise UnsupportedError("its session_token_path isn't a path of members")
    return ".".join(map(str, names))


def _placed(part: Component) -> Object:
    """Return where the token is sent, and what precedes it."""
    sent = part.child("request_authentication")
    if sent is None or sent.kind not in {"ApiKey", "Bearer"}:
        raise UnsupportedError("its request_authentication isn't supported")
    if sent.kind == "Bearer":
        return {}
    form = _PREFIXED.fullmatch(str(sent.get("api_token") or "{{ session_token }}").strip())
    if form is None:
        raise UnsupportedError(f"its token is sent as `{shown(sent.get('api_token'))}`")
    placed = place_of(sent.child("inject_into"))
    is_bearer = placed == {"name": "Authorization", "location": "header"}
    prefix = {"prefix": form[1] or ""} if form[1] or is_bearer else {}
    return {word: value for word, value in placed.items() if value != "header"} | prefix


def _login(part: Component, signed: Object | None) -> Object:
    """Return the request of a login; raises `UnsupportedError`."""
    method = str(part.get("http_method") or "GET").upper()
    if method not in {"GET", "POST"}:
        raise UnsupportedError(f"the method of its login is {shown(method)}")
    made: Object = {"url": _address(part), "method": method}
    if params := credentials_in(part, "request_parameters"):
        made["params"] = params
    if headers := credentials_in(part, "request_headers"):
        made["headers"] = headers
    if method == "POST":
        made |= _body(part)
    part.ignore("request_body_json", "request_body_data", "request_body", "error_handler")
    part.note_unread()
    return made | ({"auth": signed} if signed else {})


def _address(part: Component) -> str:
    base = part.text("url_base") or part.text("url")
    path = part.text("path") if part.get("path") else ""
    if not base or path is None:
        raise UnsupportedError("the URL of its login is computed")
    # As the CDK joins them.
    return f"{base.rstrip('/')}/{path.lstrip('/')}" if path else base


def _body(part: Component) -> Object:
    if (body := part.child("request_body")) is not None:
        if body.kind not in _BODIES:
            raise UnsupportedError(f"the body of its login is a {shown(body.kind)}")
        return {_BODIES[body.kind]: _fields(body, "value", body.get("value"))}
    for word, name in (("request_body_json", "json"), ("request_body_data", "data")):
        if given := part.get(word):
            if not isinstance(given, dict):
                raise UnsupportedError("the body of its login is computed")
            return {name: _fields(part, word, given)}
    return {}


def _fields(part: Component, word: str, value: JsonValue) -> JsonValue:
    """Return a body in which settings are variables."""
    if isinstance(value, dict):
        return {name: _fields(part, f"{word}.{name}", inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_fields(part, word, inner) for inner in value]
    text = part.interpolated(value, word, is_secret=True) if isinstance(value, str) else value
    if isinstance(value, str) and text is None:
        raise UnsupportedError(f"`{shown(word)}` of its login is computed")
    return text
