"""Convert authenticators to `auth`."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.airbyte.components import Component
from tap_analytics.commands.importing.airbyte.credentials import basic_pair, credential, place_of
from tap_analytics.commands.importing.airbyte.jinja_values import Later, Setting
from tap_analytics.commands.importing.airbyte.oauth_authenticator import oauth_of
from tap_analytics.commands.importing.airbyte.request_parts import inject
from tap_analytics.commands.importing.airbyte.session_authenticator import (
    legacy_session_of,
    session_of,
)
from tap_analytics.commands.importing.loading import Object, as_object
from tap_analytics.commands.importing.notes import UnsupportedError, listed, shown
from tap_analytics.config.settings.credentials import CREDENTIAL_NAME

#: Those for which nobody has to register an application.
_SIMPLE = {"ApiKeyAuthenticator", "BasicHttpAuthenticator", "BearerAuthenticator"}


def auth_of(requester: Component, endpoint: Object) -> Object | None:
    """Return the equivalent `auth`; None without an authenticator or for an unsupported one.

    A key that is sent in the body is added to that of the endpoint.
    """
    part = requester.child("authenticator")
    if part is None or part.kind == "NoAuth":
        return None
    try:
        if _is_in_body(part):
            _sign_body(part, endpoint)
            return None
        return _read(part, requester)
    except UnsupportedError as error:
        part.manifest.notes.unsigned(part.path, str(error))
        return None


def _read(part: Component, requester: Component) -> Object:
    """Return the equivalent `auth`; raises `UnsupportedError`."""
    is_custom = part.kind in {"CustomAuthenticator", ""} or part.get("class_name")
    reader = _custom if is_custom else _READERS.get(part.kind)
    if reader is None:
        raise UnsupportedError(f"{shown(part.kind)} isn't supported")
    made = reader(part, requester)
    part.note_unread()
    return made


# --- keys in bodies ---------------------------------------------------------------------------


def _is_in_body(part: Component) -> bool:
    option = part.child("inject_into") if part.kind == "ApiKeyAuthenticator" else None
    return option is not None and option.get("inject_into") in {"body_data", "body_json"}


def _sign_body(part: Component, endpoint: Object) -> None:
    """Add a key to the body; raises `UnsupportedError` where it can't be kept secret there."""
    option = t.cast("Component", part.child("inject_into"))
    other = "json" if option.get("inject_into") == "body_data" else "data"
    key = credential(part, "api_token")
    if not CREDENTIAL_NAME.search(str(option.text("field_name"))) or endpoint.get(other):
        raise UnsupportedError(f"its key is sent in {shown(option.get('inject_into'))}")
    inject(endpoint, option, Later((Setting(key),)))
    part.note_unread()


# --- keys and passwords -----------------------------------------------------------------------


def _api_key(part: Component, _: Component) -> Object:
    option = part.child("inject_into")
    name = part.text("header")
    place = place_of(option) if option or not name else {"name": name, "location": "header"}
    if place == {"name": "Authorization", "location": "header"} and (
        pair := basic_pair(part, "api_token", part.get("api_token"))
    ):
        return {"type": "http_basic", "username": pair[0], "password": pair[1]}
    return {
        "type": "api_key",
        "name": place["name"],
        "api_key": credential(part, "api_token"),
        "location": place["location"],
    }


def _basic(part: Component, _: Component) -> Object:
    username = credential(part, "username")
    has_password = part.get("password") not in (None, "")
    password = credential(part, "password") if has_password else ""
    if ":" in username:
        # Servers read what follows as a part of the password.
        username, more = username.split(":", 1)
        password = f"{more}:{password}"
    return {"type": "http_basic", "username": username, "password": password}


def _bearer(part: Component, _: Component) -> Object:
    return {"type": "bearer", "token": credential(part, "api_token")}


def _one_of_several(part: Component, _: Component) -> Object:
    """Return the authentication by one token, where several take turns."""
    method, name = part.text("auth_method"), part.text("header")
    token = credential(part, "tokens")
    part.note("tokens", "several would share the limits of rates: here it must be one.")
    part.ignore("token_delimiter", "max_wait_time", "quota_status_source", "quotas")
    return {
        "type": "api_key",
        "name": name or "Authorization",
        "api_key": f"{method} {token}" if method else f"Bearer {token}",
        "location": "header",
    }


# --- several authenticators -------------------------------------------------------------------


def _selected(part: Component, requester: Component) -> Object:
    """Return the authentication that the default of a setting chooses, or else the simplest."""
    path = [str(name) for name in part.values("authenticator_selection_path")]
    options = part.child("authenticators")
    names = list(options.value) if options else []
    parts = {name: each for name in names if options and (each := options.child(name))}
    name, made = _first_of(parts, requester, default=_default(part, path))
    others = [each for each in names if each != name]
    setting = f"`config.{'.'.join(path)}`"
    part.note("", f"{setting} is `{shown(name)}`; {listed(others)} would need another `auth`.")
    return made


def _first_of(
    parts: t.Mapping[str, Component], requester: Component, *, default: object
) -> tuple[str, Object]:
    """Return the authentication of the default or else of the simplest, and its name."""
    ranked = sorted(parts, key=lambda name: (name != default, parts[name].kind not in _SIMPLE))
    reasons = []
    for name in ranked:
        try:
            return name, _read(parts[name], requester)
        except UnsupportedError as error:
            reasons.append(str(error))
    raise UnsupportedError("; ".join(reasons) or "it has no authenticators")


def _default(part: Component, path: list[str]) -> object:
    """Return the default of a setting of the connector."""
    spec = as_object(part.manifest.value.get("spec"))
    found = as_object(spec.get("connection_specification"))
    for name in path:
        found = as_object(as_object(found.get("properties")).get(name))
    return found.get("default")


# --- classes of connectors --------------------------------------------------------------------

#: What to declare instead, in most cases.
_LOGIN = "`{type: session_token, login: {url: …, json: {…}}, session_token_path: …}`"
_OAUTH_WORDS = {
    *("client_id", "client_secret", "refresh_token", "token_refresh_endpoint", "grant_type"),
    *("scopes", "refresh_request_body", "refresh_request_headers", "refresh_token_updater"),
    *("access_token_name", "expires_in_name", "token_expiry_date_format"),
}


def _custom(part: Component, requester: Component) -> Object:
    """Return the authentication by the known authenticator whose words a class has.

    Raises `UnsupportedError` where it has others. A class that signs otherwise is answered 401.
    """
    name = shown(part.get("class_name") or part.kind or "an authenticator without a type")
    words = [word for word in part.value if word not in {"type", "class_name", "$parameters"}]
    parts = {word: each for word in words if (each := part.child(word))}
    if set(words) == {"username", "password"}:
        made, what = _basic(part, requester), "a BasicHttpAuthenticator"
    elif (signer := _as_oauth(part, words)) is not None:
        # Without a class, OAuthAuthenticator sends the client in the form.
        made = oauth_of(signer) | {"client_authentication": "header"}
        what = "an OAuthAuthenticator whose client is sent in a header"
    elif len(parts) > 1 and len(parts) == len(words):
        chosen, made = _first_of(parts, requester, default=None)
        others = listed(word for word in words if word != chosen)
        what = f"its `{shown(chosen)}`; {others} would need another `auth`"
    else:
        raise UnsupportedError(f"{name} needs code (a login is {_LOGIN})")
    part.note("", f"{name} is read as {what}. If responses are 401, it needs code.")
    part.ignore(*words)
    return made


def _as_oauth(part: Component, words: list[str]) -> Component | None:
    """Return a class that has the words of an OAuthAuthenticator as one.

    With `grant_type`, others are fields of the form (RFC 6749, section 4.5); what isn't one, a
    token URL has to ignore (section 3.2).
    """
    urls = [word for word in words if word.endswith("_endpoint")]
    others = {word: part.value[word] for word in words if word not in {*_OAUTH_WORDS, *urls}}
    if not {"client_id", "client_secret"}.issubset(words) or len(urls) != 1:
        return None
    if "grant_type" not in words and (others or urls != ["token_refresh_endpoint"]):
        return None
    body = {**others, **as_object(part.get("refresh_request_body"))}
    value = part.value | {"token_refresh_endpoint": part.get(urls[0]), "refresh_request_body": body}
    return Component(part.manifest, (value, part.path, {}), part.parameters)


_READERS: dict[str, t.Callable[[Component, Component], Object]] = {
    "ApiKeyAuthenticator": _api_key,
    "BasicHttpAuthenticator": _basic,
    "BearerAuthenticator": _bearer,
    "LegacySessionTokenAuthenticator": legacy_session_of,
    "OAuthAuthenticator": lambda part, _: oauth_of(part),
    "RateLimitedMultipleTokenAuthenticator": _one_of_several,
    "SelectiveAuthenticator": _selected,
    "SessionTokenAuthenticator": lambda part, _: session_of(part, _login_auth(part)),
}


def _login_auth(part: Component) -> Object | None:
    login = part.child("login_requester")
    signer = login and login.child("authenticator")
    if login is None or signer is None or signer.kind == "NoAuth":
        return None
    if signer.kind not in _SIMPLE:
        raise UnsupportedError(f"its login is signed by {shown(signer.kind)}")
    return _read(signer, login)
