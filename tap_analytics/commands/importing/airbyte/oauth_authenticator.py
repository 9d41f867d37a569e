"""Convert OAuthAuthenticator to `auth`.

The request for a token is the same as that of Airbyte's CDK: a form with the grant, the client and
`refresh_request_body`.
"""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.airbyte.credentials import (
    basic_pair,
    credential,
    credentials_in,
    refuse,
)
from tap_analytics.commands.importing.notes import UnsupportedError, listed, shown
from tap_analytics.transport.request import FORM_TYPE

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.loading import Object

#: Names of the fields of a form that the tap can't change.
_FIXED = {
    "client_id_name": "client_id",
    "client_secret_name": "client_secret",
    "refresh_token_name": "refresh_token",
    "grant_type_name": "grant_type",
}
#: Fields of the form that `refresh_request_body` doesn't replace.
_OWN = {"grant_type", "refresh_token", "scopes"}
_CLIENT = {"client_id", "client_secret"}
_CLAIMS = {"iss", "sub", "aud", "kid", "typ", "type", "$parameters"}
#: What tells for how long a token is used; without it, that is until a response is 401.
_EXPIRY = (
    *("expires_in_name", "token_expiry_date", "token_expiry_date_format"),
    "token_expiry_is_time_of_expiration",
)


def oauth_of(part: Component) -> Object:
    """Return the equivalent `auth`; raises `UnsupportedError`."""
    _note_expiry(part)
    part.ignore("access_token_value", "scopes", "use_profile_assertion", "grant_type")
    if part.get("token_refresh_endpoint") is None and part.get("access_token_value"):
        return {"type": "bearer", "token": credential(part, "access_token_value")}
    if part.get("use_profile_assertion") in (True, "true", "True"):
        return _assertion(part)
    for word, name in _FIXED.items():
        if part.text(word) not in (None, name):
            raise UnsupportedError(f"its {word} is `{shown(part.get(word))}`")
    refuse(part, ["send_refresh_request_as_query_params", "profile_assertion"])
    made = _grant(part)
    path = part.text("access_token_name")
    if path and path != "access_token":
        if "." in path:
            raise UnsupportedError(f"its access_token_name is `{shown(path)}`")
        made["access_token_path"] = path
    return made


def _note_expiry(part: Component) -> None:
    given = [word for word in _EXPIRY if part.get(word) not in (None, "", False, "expires_in")]
    if given:
        part.note("", f"{listed(given)}: here a token is renewed when a response is 401.")


def _grant(part: Component) -> Object:
    """Return the authentication by refresh token, or by the client's credentials alone."""
    grant = part.text("grant_type") or "refresh_token"
    made: Object = {
        "type": "oauth2_client_credentials",
        "access_token_url": _url(part),
        "client_id": credential(part, "client_id"),
        "client_secret": credential(part, "client_secret"),
    }
    form: Object = {}
    if grant == "refresh_token" and part.get("refresh_token"):
        made["type"] = "oauth2_refresh_token"
        made["refresh_token"] = credential(part, "refresh_token")
        _rotate(part, made)
    else:
        refuse(part, ["refresh_token_updater"])
        token = part.get("refresh_token")
        if token is not None:
            form["refresh_token"] = credential(part, "refresh_token") if token else ""
        if grant != "client_credentials":
            form["grant_type"] = grant
    if is_in_header := _headers(part, (made["client_id"], made["client_secret"])):
        made["client_authentication"] = "header"
    kept = _OWN if is_in_header else _OWN | _CLIENT
    if scopes := [str(scope) for scope in part.values("scopes")]:
        # The CDK names it so, with a field for each.
        form["scopes"] = scopes if scopes[1:] else scopes[0]
    extra = credentials_in(part, "refresh_request_body")
    form |= {name: value for name, value in extra.items() if name not in kept}
    return made | ({"access_token_request_data": form} if form else {})


def _rotate(part: Component, made: Object) -> None:
    """Name a file that keeps the refresh tokens that the API gives with each token."""
    updater = part.child("refresh_token_updater")
    if updater is None:
        return
    if (name := updater.text("refresh_token_name")) not in (None, "refresh_token"):
        raise UnsupportedError(f"its new refresh tokens are in `{shown(name)}`")
    made["refresh_token_file"] = variable = part.manifest.notes.variable("refresh_token_file")
    part.note("refresh_token_updater", f"{variable} is a file that keeps the latest refresh token.")


def _headers(part: Component, client: tuple[str, str] | None) -> bool:
    """Whether the client's name and secret are sent in a header; raises `UnsupportedError`."""
    word, is_in_header = "refresh_request_headers", False
    headers = part.get(word) or {}
    for name, value in headers.items() if isinstance(headers, dict) else ():
        known = name.lower()
        if known == "authorization" and client is not None:
            is_in_header = basic_pair(part, f"{word}.{name}", value) == client
            if is_in_header:
                continue
        if known == "accept":
            part.note(f"{word}.{name}", "is left out.")
        elif known != "content-type" or value != FORM_TYPE:
            raise UnsupportedError(f"`{shown(name)}` of its {word} isn't supported")
    return is_in_header


def _url(part: Component) -> str:
    word = "token_refresh_endpoint"
    return part.text(word) or credential(part, word)


def _assertion(part: Component) -> Object:
    """Return the authentication of a service account; raises `UnsupportedError`."""
    token = part.child("profile_assertion")
    if token is None or token.kind != "JwtAuthenticator":
        raise UnsupportedError("its profile_assertion isn't a JwtAuthenticator")
    refuse(part, ["refresh_token_updater", "send_refresh_request_as_query_params"])
    refuse(token, ["base64_encode_secret_key", "header_prefix", "additional_jwt_headers"])
    _headers(part, None)
    made = {
        "type": "oauth_jwt",
        "auth_endpoint": _url(part),
        "client_id": _claim(token, "jwt_payload", "iss"),
        "private_key": credential(token, "secret_key"),
        "private_key_passphrase": token.get("passphrase") and credential(token, "passphrase"),
        "algorithm": token.text("algorithm"),
        "scopes": _scopes(token),
        "subject": _claim(token, "jwt_payload", "sub"),
        "audience": _claim(token, "jwt_payload", "aud"),
        "key_id": _claim(token, "jwt_headers", "kid"),
    }
    token.ignore("token_duration", "request_option")
    token.note_unread()
    if made["client_id"] is None:
        raise UnsupportedError("its assertion has no `iss`")
    return {word: value for word, value in made.items() if value}


def _claim(token: Component, word: str, name: str) -> str | None:
    """Return a claim of an assertion, or a part of its header."""
    part = token.child(word)
    if part is None or part.get(name) is None:
        return None
    refuse(part, [each for each in part.value if each not in _CLAIMS])
    return credential(part, name)


def _scopes(token: Component) -> str | None:
    claims = credentials_in(token, "additional_jwt_payload")
    if set(claims) - {"scope"}:
        raise UnsupportedError("its assertion has further claims")
    return claims.get("scope")
