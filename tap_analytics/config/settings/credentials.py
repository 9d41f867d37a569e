"""Every secret a configuration holds, found before any of it is used, so that it can be redacted.

Looks at whatever was written, right or wrong: a misspelt setting may hold a good key.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import unquote

from tap_analytics.config.settings.catalog import COMMON

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_analytics.config.settings.catalog import Setting

#: Names of headers, parameters and form fields that carry credentials.
_CREDENTIAL_NAME = re.compile(
    r"auth|token|secret|passw|api[-_]?key|(^|[-_])key$|cookie|credential|signature|session|assertion",
    re.IGNORECASE,
)
#: Words of a declared `auth` that say how, not with what.
_PUBLIC_AUTH = {"type", "name", "location", "token_url", "access_token_url", "client_id", "scopes"}


@dataclass(frozen=True)
class Credentials:
    """Secret values, and the (user name, password) pairs that may be sent as Basic credentials."""

    values: tuple[str, ...]
    basic: tuple[tuple[str, str], ...]


@dataclass
class _Found:
    values: list[str] = field(default_factory=list)
    basic: list[tuple[str, str]] = field(default_factory=list)

    def named(self, values: object) -> None:
        """Take what stands under the name of a credential among headers, parameters, fields."""
        if not isinstance(values, dict):
            return
        for name, value in values.items():
            if isinstance(value, str) and _CREDENTIAL_NAME.search(str(name)):
                # "Bearer x" also without its scheme: the key alone is the secret.
                self.values += [value, value.partition(" ")[2]]

    def address(self, url: object) -> None:
        """Take what a URL carries before its host; it is refused, but it was written."""
        if not isinstance(url, str) or "@" not in url:
            return
        before = url.rpartition("@")[0]
        user, _, password = before.rpartition("//")[2].partition(":")
        self.values += [password, unquote(password)] if password else [user, unquote(user)]


def secrets_of(
    config: Mapping[str, t.Any], *, blocks: Mapping[str, Sequence[Setting]]
) -> Credentials:
    """Return the secrets of a configuration, those of declared APIs included.

    A block doesn't say which of its credentials form a pair, so every pair is named.
    """
    found = _Found()
    for name, settings in blocks.items():
        if isinstance(block := config.get(name), dict):
            _in_block(block, settings, found)
    _in_declared(config.get("apis"), found)
    batch = config.get("batch_config")
    if isinstance(batch, dict) and isinstance(storage := batch.get("storage"), dict):
        found.named(storage.get("params"))
        found.address(storage.get("root"))
    found.named(dict(config))
    return Credentials(
        tuple(dict.fromkeys(value for value in found.values if value.strip())),
        tuple(dict.fromkeys(found.basic)),
    )


def _in_block(block: Mapping[str, t.Any], settings: Sequence[Setting], found: _Found) -> None:
    secret = {setting.name for setting in settings if setting.secret}
    known = {setting.name for setting in (*settings, *COMMON)}
    texts = {
        setting.name: block[setting.name]
        for setting in settings
        if (setting.secret or setting.required) and setting.name != "base_url"
        if isinstance(block.get(setting.name), str)
    }
    found.values += [value for name, value in texts.items() if name in secret]
    found.values += [v for name, v in block.items() if name not in known and isinstance(v, str)]
    found.named(block.get("headers"))
    found.address(block.get("base_url"))
    for user, password in product(texts, (*texts, "")):
        if user != password and not secret.isdisjoint((user, password)):
            found.basic.append((texts[user], texts.get(password, "")))


def _in_declared(value: object, found: _Found) -> None:
    if isinstance(value, list):
        for item in value:
            _in_declared(item, found)
    elif isinstance(value, dict):
        for word, inner in value.items():
            if word == "auth":
                _in_auth(inner, found)
            elif word in {"headers", "params", "json"}:
                found.named(inner)
            elif word == "base_url":
                found.address(inner)
            else:
                _in_declared(inner, found)


def _in_auth(auth: object, found: _Found) -> None:
    if not isinstance(auth, dict):
        return
    texts = {word: value for word, value in auth.items() if isinstance(value, str)}
    found.values += [value for word, value in texts.items() if word not in _PUBLIC_AUTH]
    found.named(auth.get("access_token_request_data"))
    for url in ("token_url", "access_token_url"):
        found.address(texts.get(url))
    for user, password in (("username", "password"), ("client_id", "client_secret")):
        if user in texts:
            found.basic.append((texts[user], texts.get(password, "")))
