"""Finds the secrets of a configuration before it is used, so that they can be redacted.

Invalid settings count too: a misspelled one may have a valid key.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import parse_qsl, unquote

from tap_analytics.config.settings.catalog import COMMON

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_analytics.config.settings.setting import Setting
    from tap_analytics.transport.redaction import Secrets

#: Names of headers, parameters and form fields that carry credentials.
CREDENTIAL_NAME = re.compile(
    r"auth|token|secret|passw|api[-_]?key|(^|[-_])key$|cookie|credential|signature|session|assertion",
    re.IGNORECASE,
)
#: Fields of a declared `auth` that aren't secret.
_PUBLIC_AUTH = {
    *("type", "name", "location", "prefix", "token_url", "access_token_url", "client_id"),
    *("client_authentication", "scopes", "refresh_token_file"),
    *("auth_endpoint", "algorithm", "subject", "audience", "key_id"),
    *("access_token_path", "session_token_path", "session_token_header"),
}
#: Names in the body of a login whose values aren't secret; of others they may be.
_PUBLIC_LOGIN = re.compile(
    r"user(_?name|_?id)?|login|e?mail|(grant_)?type|client_?id|scopes?|account(_?id)?|tenant(_?id)?"
    r"|domain|version|language",
    re.IGNORECASE,
)


@dataclass
class Credentials:
    """Secret values, and the (user name, password) pairs that may be sent as Basic credentials."""

    values: list[str] = field(default_factory=list)
    basic: list[tuple[str, str]] = field(default_factory=list)

    def add(self, *values: str) -> None:
        """Add values that aren't blank."""
        self.values += [value for value in values if value.strip()]

    def add_named(self, values: object) -> None:
        """Add values whose header, parameter or field has the name of a credential."""
        for name, value in values.items() if isinstance(values, dict) else ():
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str) and CREDENTIAL_NAME.search(str(name)):
                    # "Bearer x" also without its scheme.
                    self.add(each, each.partition(" ")[2])

    def register(self, secrets: Secrets) -> None:
        """Have the values redacted from now on."""
        for value in self.values:
            secrets.add(value)
        for username, password in self.basic:
            secrets.add_basic(username, password)

    def add_url(self, url: object) -> None:
        """Add the user info of a URL, although such a URL is refused."""
        if isinstance(url, str) and "@" in url:
            before = url.rpartition("@")[0]
            user, _, password = before.rpartition("//")[2].partition(":")
            self.add(password or user, unquote(password or user))

    def add_query(self, url: object) -> None:
        """Add the values of a query whose parameters have the names of credentials."""
        if isinstance(url, str):
            self.add_named(dict(parse_qsl(url.partition("?")[2])))


def secrets_of(
    config: Mapping[str, t.Any], *, blocks: Mapping[str, Sequence[Setting]]
) -> Credentials:
    """Return the secrets of a configuration, including those of declared APIs.

    Any two credentials of a block may be a Basic pair, so every pair is returned.
    """
    found = Credentials()
    for name, settings in blocks.items():
        if isinstance(block := config.get(name), dict):
            _in_block(block, settings, found)
    _in_declared(config.get("apis"), found)
    batch = config.get("batch_config")
    if isinstance(batch, dict) and isinstance(storage := batch.get("storage"), dict):
        found.add_named(storage.get("params"))
        found.add_url(storage.get("root"))
    found.add_url(config.get("rate_limit_store"))
    found.add_named(config)
    return found


def _in_block(block: Mapping[str, t.Any], settings: Sequence[Setting], found: Credentials) -> None:
    secret = {setting.name for setting in settings if setting.secret}
    known = {setting.name for setting in (*settings, *COMMON)}
    texts = {
        setting.name: block[setting.name]
        for setting in settings
        if (setting.secret or setting.required) and setting.name != "base_url"
        if isinstance(block.get(setting.name), str)
    }
    found.add(*(value for name, value in texts.items() if name in secret))
    found.add(*(v for name, v in block.items() if name not in known and isinstance(v, str)))
    found.add_named(block.get("headers"))
    found.add_url(block.get("base_url"))
    for user, password in product(texts, (*texts, "")):
        if user != password and not secret.isdisjoint((user, password)):
            found.basic.append((texts[user], texts.get(password, "")))


def _in_declared(value: object, found: Credentials) -> None:
    if isinstance(value, list):
        for item in value:
            _in_declared(item, found)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "auth":
                _in_auth(inner, found)
            elif key in {"headers", "params", "json", "data"}:
                found.add_named(inner)
            elif key == "base_url":
                found.add_url(inner)
            else:
                _in_declared(inner, found)


def _in_auth(auth: object, found: Credentials) -> None:
    for each in auth if isinstance(auth, list) else ():
        _in_auth(each, found)
    if not isinstance(auth, dict):
        return
    texts = {name: value for name, value in auth.items() if isinstance(value, str)}
    found.add(*(value for name, value in texts.items() if name not in _PUBLIC_AUTH))
    found.add_named(auth.get("access_token_request_data"))
    _in_login(auth.get("login"), found)
    for url in ("token_url", "access_token_url", "auth_endpoint"):
        found.add_url(texts.get(url))
        found.add_query(texts.get(url))
    for user, password in (("username", "password"), ("client_id", "client_secret")):
        if user in texts:
            found.basic.append((texts[user], texts.get(password, "")))


def _in_login(login: object, found: Credentials) -> None:
    if not isinstance(login, dict):
        return
    found.add_named(login.get("headers"))
    found.add_url(login.get("url"))
    found.add_query(login.get("url"))
    _in_auth(login.get("auth"), found)
    for body in (login.get("params"), login.get("json"), login.get("data")):
        found.add(*_unknown_texts(body))


def _unknown_texts(body: object, name: str = "") -> Iterator[str]:
    """Yield the texts of a body but those whose name says that they aren't secret."""
    if isinstance(body, dict):
        for each, inner in body.items():
            yield from _unknown_texts(inner, str(each))
    elif isinstance(body, list):
        for inner in body:
            yield from _unknown_texts(inner, name)
    elif isinstance(body, str) and not _PUBLIC_LOGIN.fullmatch(name):
        yield body
