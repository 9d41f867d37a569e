"""The fields of `auth`, by its `type`."""

from __future__ import annotations

import functools
import typing as t

from tap_analytics.config.declarations.fields import (
    CREDENTIAL,
    FORM,
    TEXT,
    TEXTS,
    URL,
    Field,
    Kind,
    Variant,
    choice,
    read_variant,
)
from tap_analytics.config.declarations.object_reader import ConfigPath, ObjectReader
from tap_analytics.config.settings.checks import header_problem
from tap_analytics.transport.auth import (
    ApiKeyHeader,
    ApiKeyQuery,
    Authenticator,
    Basic,
    Bearer,
    NoAuth,
    OAuth2ClientCredentials,
)


def _api_key(reader: ObjectReader, values: dict[str, t.Any]) -> Authenticator:
    name, key = values["name"], values["api_key"]
    if values["location"] == "query":
        return ApiKeyQuery(name, key)
    if name and (text := header_problem(name, None)):
        reader.error("name", text)
    return ApiKeyHeader(name, key)


def _basic(reader: ObjectReader, values: dict[str, t.Any]) -> Authenticator:
    if ":" in values["username"]:
        reader.error("username", "must not contain ':', which ends a user name.")
    return Basic(values["username"], values["password"])


def _oauth2(reader: ObjectReader, values: dict[str, t.Any]) -> Authenticator:
    urls = [values.pop(name, None) for name in ("access_token_url", "token_url")]
    if all(urls):
        reader.error("token_url", "and `access_token_url` say the same. Remove one.")
    elif "access_token_url" not in reader and "token_url" not in reader:
        reader.missing("access_token_url")
    form = values.pop("access_token_request_data", {})
    return OAuth2ClientCredentials(token_url=next(filter(None, urls), ""), form=form, **values)


def _required(kind: Kind, meaning: str) -> Field:
    return Field(kind, meaning, required=True, default="")


_PASSWORD = Kind("credential", functools.partial(ObjectReader.credential, may_be_empty=True))
_TOKEN_URL = Field(URL, "Where the token is requested.")
_BASIC: Variant[Authenticator] = Variant(
    makes=Basic,
    make=_basic,
    meaning="User name and password.",
    fields={
        "username": _required(CREDENTIAL, "The user name."),
        "password": _required(_PASSWORD, "The password; may be empty."),
    },
)
AUTHS: dict[str, Variant[Authenticator]] = {
    "api_key": Variant(
        makes=ApiKeyHeader,
        make=_api_key,
        meaning="A key in a header or in the query.",
        fields={
            "name": _required(TEXT, "Name of the header or parameter."),
            "api_key": _required(CREDENTIAL, "The key."),
            "location": Field(
                choice("header", "query"), "Where the key is sent.", default="header"
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
    "oauth2_client_credentials": Variant(
        makes=OAuth2ClientCredentials,
        make=_oauth2,
        meaning="A token that the credentials of a client give.",
        fields={
            "access_token_url": _TOKEN_URL,
            "token_url": Field(URL, "Another name of it.", in_dlt=False),
            "client_id": _required(CREDENTIAL, "Name of the client."),
            "client_secret": _required(CREDENTIAL, "Its secret."),
            "scopes": Field(TEXTS, "What the token is for.", default=()),
            "access_token_request_data": Field(FORM, "Further fields of the request for a token."),
        },
    ),
}
_NAMES = frozenset(name for auth in AUTHS.values() for name in auth.fields)


def read_auth(value: object, place: ConfigPath) -> Authenticator:
    """Read `auth`; if given it must be complete."""
    if value is None:
        return NoAuth()
    return read_variant(value, place, AUTHS, shown=_NAMES) or NoAuth()
