"""The fields of `auth`, by its `type`."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from tap_analytics.config.declarations.fields import (
    CREDENTIAL,
    FORM,
    HEADER_NAME,
    HEADERS,
    OBJECT,
    PATH,
    SECONDS,
    TEXT,
    TEXTS,
    URL_WITH_QUERY,
    Field,
    Kind,
    Variant,
    choice,
    read_fields,
    read_variant,
)
from tap_analytics.config.declarations.object_reader import ConfigPath, ObjectReader
from tap_analytics.config.settings.checks import header_problem
from tap_analytics.records.writer import ENCODER
from tap_analytics.transport import jwt_bearer
from tap_analytics.transport.auth import (
    ApiKeyCookie,
    ApiKeyHeader,
    ApiKeyQuery,
    Authenticator,
    Basic,
    Bearer,
    NoAuth,
)
from tap_analytics.transport.combined import Together
from tap_analytics.transport.jwt_bearer import OAuthJwt
from tap_analytics.transport.oauth import OAuth2, OAuth2ClientCredentials, OAuth2RefreshToken
from tap_analytics.transport.request import FORM_TYPE, Request
from tap_analytics.transport.token_file import TokenFile
from tap_analytics.transport.tokens import SessionToken

if t.TYPE_CHECKING:
    from tap_analytics.config.declarations.fields import Fields


def _required(kind: Kind, meaning: str) -> Field:
    return Field(kind, meaning, required=True, default="")


# --- keys and passwords -----------------------------------------------------------------------


def _api_key(reader: ObjectReader, values: dict[str, t.Any]) -> Authenticator:
    name, key, location = values["name"], values["api_key"], values["location"]
    if location in {"query", "param"}:
        return ApiKeyQuery(name, key)
    if name and (text := header_problem(name, None)):
        reader.error("name", text)
    if location == "header":
        return ApiKeyHeader(name, key)
    if ";" in key:
        reader.error("api_key", "must not contain ';', which ends a cookie.")
    return ApiKeyCookie(name, key)


def _basic(reader: ObjectReader, values: dict[str, t.Any]) -> Authenticator:
    if ":" in values["username"]:
        reader.error("username", "must not contain ':', which ends a user name.")
    return Basic(values["username"], values["password"])


_PASSWORD = Kind("credential", functools.partial(ObjectReader.credential, may_be_empty=True))
_LOCATION = choice("header", "query", "cookie")
_BASIC: Variant[Authenticator] = Variant(
    makes=Basic,
    make=_basic,
    meaning="User name and password.",
    fields={
        "username": _required(CREDENTIAL, "The user name."),
        "password": _required(_PASSWORD, "The password; may be empty."),
    },
)
_KEYS: dict[str, Variant[Authenticator]] = {
    "api_key": Variant(
        makes=ApiKeyHeader,
        make=_api_key,
        meaning="A key in a header, in the query or in a cookie.",
        fields={
            "name": _required(TEXT, "Name of the header, parameter or cookie."),
            "api_key": _required(CREDENTIAL, "The key."),
            "location": Field(
                choice("header", "query", "cookie", "param"),
                "Where the key is sent; `param` is the query too.",
                default="header",
            ),
        },
    ),
    "basic": _BASIC,
    "http_basic": _BASIC,
    "bearer": Variant(
        makes=Bearer,
        meaning="A token in the `Authorization` header.",
        fields={"token": _required(CREDENTIAL, "The token.")},
    ),
}


# --- OAuth 2 ----------------------------------------------------------------------------------


def _oauth2(reader: ObjectReader, values: dict[str, t.Any], *, makes: type[OAuth2]) -> OAuth2:
    urls = [values.pop(name, None) for name in ("access_token_url", "token_url")]
    if all(urls):
        reader.error("token_url", "and `access_token_url` say the same. Remove one.")
    elif "access_token_url" not in reader and "token_url" not in reader:
        reader.missing("access_token_url")
    form = values.pop("access_token_request_data", {})
    if (path := values.pop("access_token_path", None)) is not None:
        values["access_token_path"] = tuple(path.split("."))
    if (file := values.pop("refresh_token_file", None)) is not None:
        values["file"] = TokenFile(Path(file).expanduser())
    return makes(token_url=next(filter(None, urls), ""), form=form, **values)


_TOKEN_URL = Field(URL_WITH_QUERY, "Where the token is requested.")
_EXPIRATION = Field(
    SECONDS,
    "Seconds for which a token is used whose response doesn't say how long; without it, until a "
    "response is 401.",
)
_OAUTH2: Fields = {
    "access_token_url": _TOKEN_URL,
    "token_url": Field(URL_WITH_QUERY, "Another name of it.", in_dlt=False),
    "client_id": _required(CREDENTIAL, "Name of the client."),
    "client_secret": _required(CREDENTIAL, "Its secret."),
    "client_authentication": Field(
        choice("body", "header"),
        "Where name and secret are sent: in the form, or as Basic credentials.",
        in_dlt=False,
    ),
    "scopes": Field(TEXTS, "What the token is for.", default=(), in_dlt=False),
    "access_token_request_data": Field(FORM, "Further fields of the request for a token."),
    "access_token_path": Field(
        PATH, "Where the token is in the response; `access_token` without it.", in_dlt=False
    ),
    "default_token_expiration": _EXPIRATION,
}
_OAUTH2_GRANTS: dict[str, Variant[Authenticator]] = {
    "oauth2_client_credentials": Variant(
        makes=OAuth2ClientCredentials,
        make=functools.partial(_oauth2, makes=OAuth2ClientCredentials),
        meaning="A token that the credentials of a client give.",
        fields=_OAUTH2,
    ),
    "oauth2_refresh_token": Variant(
        makes=OAuth2RefreshToken,
        make=functools.partial(_oauth2, makes=OAuth2RefreshToken),
        meaning="A token that a refresh token gives, which a user has authorized.",
        in_dlt=False,
        fields={
            **_OAUTH2,
            "client_secret": Field(CREDENTIAL, "Its secret, if it has one.", default=""),
            "refresh_token": _required(CREDENTIAL, "The refresh token."),
            "refresh_token_file": Field(
                TEXT,
                "File that keeps the refresh token which replaces it, for APIs that give a new "
                "one with each token. Only its owner can read it. With another `refresh_token`, "
                "its content is void.",
            ),
        },
    ),
}


# --- assertions -------------------------------------------------------------------------------


def _pem(reader: ObjectReader, name: str) -> str | None:
    text = reader.text(name)
    # As variables hold it.
    return text and text.replace("\\n", "\n").strip() + "\n"


def _jwt(reader: ObjectReader, values: dict[str, t.Any]) -> Authenticator:
    pem, passphrase = values.pop("private_key"), values.pop("private_key_passphrase", None)
    algorithm, key = values["algorithm"], None
    if not jwt_bearer.is_installed():
        reader.error("type", "'oauth_jwt' needs packages: install `tap-analytics[jwt]`.")
    elif pem and not pem.startswith("$"):  # a variable, where an import is checked
        try:
            key = jwt_bearer.load_key(pem, passphrase)
            jwt_bearer.sign({}, key, algorithm)
        except (TypeError, ValueError):
            what = f"can't sign by {algorithm}: it must be a PEM key of that kind"
            reader.error("private_key", f"{what}, and `private_key_passphrase` its own if any.")
    return OAuthJwt(key=key, **values)


_JWT: Variant[Authenticator] = Variant(
    makes=OAuthJwt,
    make=_jwt,
    meaning="A token that an assertion gives, signed by the private key of a service account. "
    "Needs the extra `tap-analytics[jwt]`.",
    fields={
        "auth_endpoint": _required(URL_WITH_QUERY, "Where the token is requested."),
        "client_id": _required(CREDENTIAL, "Name of the client or service account."),
        "private_key": _required(
            Kind("credential", _pem), "Its private key, as PEM; `\\n` is a line break."
        ),
        "private_key_passphrase": Field(CREDENTIAL, "What the key is encrypted with."),
        "algorithm": Field(
            choice(*t.get_args(jwt_bearer.Algorithm)),
            "How the key signs.",
            default="RS256",
            in_dlt=False,
        ),
        "scopes": Field(TEXTS, "What the token is for.", default=()),
        "subject": Field(TEXT, "Whom it acts for; `client_id` if it isn't given.", in_dlt=False),
        "audience": Field(
            TEXT, "Who the assertion is for; `auth_endpoint` if it isn't given.", in_dlt=False
        ),
        "key_id": Field(TEXT, "Name of the key, as `kid`.", in_dlt=False),
        "default_token_expiration": _EXPIRATION,
    },
)


# --- logins -----------------------------------------------------------------------------------

LOGIN: Fields = {
    "url": _required(URL_WITH_QUERY, "Where the login is sent."),
    "method": Field(choice("POST", "GET"), "The method.", default="POST"),
    "params": Field(FORM, "Query parameters.", default={}),
    "headers": Field(HEADERS, "Further headers.", default={}),
    "json": Field(OBJECT, "JSON body."),
    "data": Field(FORM, "Fields of a form."),
    "auth": Field(
        Kind(
            "[`auth`](#auth) without a request of its own",
            lambda reader, name: _read(reader.given[name], reader.at(name), _KEYS),
        ),
        "How the login is signed.",
        default=NoAuth(),
    ),
}


def _login(reader: ObjectReader, name: str) -> dict[str, t.Any]:
    """Return the request of the login, and how it is signed, by the fields of `SessionToken`."""
    inner = ObjectReader(reader.given[name], reader.at(name), LOGIN)
    values = read_fields(inner, LOGIN)
    bodies = {each: values[each] for each in ("json", "data") if each in values}
    if len(bodies) > 1:
        inner.error("data", "and `json` are bodies both. Remove one.")
    elif bodies and values["method"] == "GET":
        inner.error(next(iter(bodies)), "is a body, which only POST sends. Remove it.")
    headers, body = tuple(values["headers"].items()), None
    if "data" in bodies:
        headers = (("Content-Type", FORM_TYPE), *headers)
        body = urlencode(bodies["data"], doseq=True).encode()
    elif "json" in bodies:
        body = ENCODER.encode(bodies["json"])
    params = parse_qsl(urlencode(values["params"], doseq=True), keep_blank_values=True)
    request = Request(method=values["method"], url=values["url"], headers=headers, body=body)
    return {"login": replace(request, params=tuple(params)), "login_auth": values["auth"]}


def _session(reader: ObjectReader, values: dict[str, t.Any]) -> Authenticator:
    path, header = values.pop("session_token_path", None), values.pop("session_token_header", None)
    if path and header:
        reader.error("session_token_header", "and `session_token_path` say both. Remove one.")
    elif "session_token_path" not in reader and "session_token_header" not in reader:
        reader.missing("session_token_path")
    name, location = values["name"], values["location"]
    if location != "query" and (text := header_problem(name, None)):
        reader.error("name", text)
    bearer = "Bearer" if (name, location) == ("Authorization", "header") else ""
    prefix = values.pop("prefix", bearer)
    return SessionToken(
        **(values.pop("login") or {"login": Request(url="")}),
        path=tuple((path or "").split(".")),
        header=header,
        prefix=f"{prefix} " if prefix else "",
        **values,
    )


_SESSION: Variant[Authenticator] = Variant(
    makes=SessionToken,
    make=_session,
    meaning="A token that a login returns.",
    in_dlt=False,
    fields={
        "login": _required(Kind("[`login`](#login)", _login), "The request for the token."),
        "session_token_path": Field(PATH, "Where the token is in the body."),
        "session_token_header": Field(HEADER_NAME, "The header that has it, instead."),
        "name": Field(
            TEXT,
            "Name of the header, parameter or cookie that carries it.",
            default="Authorization",
        ),
        "location": Field(_LOCATION, "Where it is sent.", default="header"),
        "prefix": Field(
            Kind("text", lambda reader, name: reader.given[name] and reader.text(name)),
            "Precedes the token, with a blank; `Bearer` in an `Authorization` header.",
        ),
        "default_token_expiration": _EXPIRATION,
    },
)

AUTHS: dict[str, Variant[Authenticator]] = {
    **_KEYS,
    **_OAUTH2_GRANTS,
    "oauth_jwt": _JWT,
    "session_token": _SESSION,
}
_NAMES = frozenset(name for auth in AUTHS.values() for name in auth.fields)


def read_auth(reader: ObjectReader, name: str) -> Authenticator:
    """Read `auth`, one or a list of them; if given it must be complete."""
    value, where = reader.given[name], reader.place
    if not isinstance(value, list):
        return _read(value, where.at(name), AUTHS)
    parts = [_read(each, where.item(name, at), AUTHS) for at, each in enumerate(value)]
    if not parts:
        reader.error(name, "is empty. Write an authentication, or leave it out.")
    places: dict[tuple[str, str], int] = {}
    for at, part in enumerate(parts):
        if (first := places.setdefault(part.place, at)) != at:
            both = f"is written where `{where.item(name, first).path}` is"
            where.report(f"`{where.item(name, at).path}` {both}. Remove one of them.")
    return Together(tuple(parts))


AUTH = Kind("[`auth`](#auth) or list of them, all of which sign", read_auth)


def _read(
    value: object, place: ConfigPath, known: dict[str, Variant[Authenticator]]
) -> Authenticator:
    return read_variant(value, place, known, shown=_NAMES) or NoAuth()
