"""Complete an entry: name, base URL, variables for secrets, shared defaults."""

from __future__ import annotations

import re
import typing as t
from pathlib import PurePath
from urllib.parse import urlsplit

from tap_analytics.commands.importing.loading import JsonValue, Object, as_list
from tap_analytics.commands.importing.notes import listed
from tap_analytics.config import settings
from tap_analytics.transport import jwt_bearer
from tap_analytics.transport.redaction import Secrets

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.notes import Notes

#: An environment variable, as a value or inside one.
VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*\}?", re.ASCII)
_ORDER = (
    *("name", "client", "headers", "page_size", "requests_per_second", "retry"),
    *("optional_streams", "resource_defaults", "resources"),
)
_EXAMPLES = re.compile(r"(?:.*\.)?(?:example\.(?:com|org|net)|example|invalid|test)")
#: A variable, alone or after the name of an auth scheme.
_FILLED_IN = re.compile(r"(?:[A-Za-z-]+[ ])?\$(?:[A-Z][A-Z0-9_]*|\{[A-Z][A-Z0-9_]*(?::-)?\})")
#: Text allowed around a variable.
_AROUND = re.compile(r"[A-Za-z =:/_.,\"'-]{0,40}")
#: Fields that are URLs.
_URLS = {"base_url", "token_url", "access_token_url", "auth_endpoint", "url"}
#: File names that don't name the API; the name of the folder is tried next.
_GENERIC_NAMES = {
    "manifest",
    "source",
    "sources",
    "config",
    "main",
    "pipeline",
    "init",
    "readme",
    "",
}
#: Keys of endpoints that are moved to `resource_defaults` if all resources agree.
_SHARED = (
    *("data_selector", "paginator", "error_handler", "response_actions", "headers", "method"),
)
#: Shorter secrets may be ordinary words, and are replaced only where they were found.
_DISTINCT = 8


def name_for(path: str, reserved: Collection[str]) -> str:
    """Return a name for the API from the file name, unlike any prefix of a built-in stream."""
    here = PurePath(path)
    for part in (here.stem, here.parent.name, here.parent.parent.name):
        name = re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_")
        name = re.sub(r"^(?:source|tap)_|_(?:source|pipeline|manifest|api)$", "", name)
        if name not in _GENERIC_NAMES:
            break
    else:
        name = "imported"
    if any(stream.startswith(f"{name}_") for stream in reserved):
        return f"{name}_api"
    return name


def normalize(
    entries: list[Object], notes: Notes, *, base_url: str | None
) -> tuple[list[Object], Secrets]:
    """Return the entries to print, and the secrets found in them; `base_url` is for the first."""
    secrets = Secrets()
    made = []
    for number, entry in enumerate(entries, 1):
        name = notes.api if number == 1 else f"{notes.api}_{number}"
        if number > 1:
            host = entry["client"].get("base_url", "").partition("://")[2].partition("/")[0]
            names = listed(each["name"] for each in entry["resources"])
            notes.add("", f"the entry '{name}' has what is at {host or 'another host'}: {names}.")
        made.append(_normalized(entry, name, notes, secrets, base_url if number == 1 else None))
    return made, secrets


def _normalized(
    entry: Object, name: str, notes: Notes, secrets: Secrets, base_url: str | None
) -> Object:
    """Return an entry to print, and register its secrets."""
    _address(entry["client"], notes, base_url)
    found = settings.secrets_of({"apis": [entry]}, blocks={})
    literal = [value for value in found.values if _is_literal(value, notes)]
    entry = _without(entry, literal, notes)
    for value in literal:
        if len(value) >= _DISTINCT:
            secrets.add(value)
    _share(entry)
    entry["name"] = name
    return {word: entry[word] for word in _ORDER if word in entry}


def _address(client: Object, notes: Notes, base_url: str | None) -> None:
    if base_url is not None:
        client["base_url"] = base_url
        return
    url = client.get("base_url")
    if not isinstance(url, str) or not url.strip():
        client["base_url"] = notes.variable("base_url")
        notes.add("client", f"has no base_url: it becomes {client['base_url']}.")
        return
    scheme, slashes, rest = url.partition("://")
    before, at, _ = rest.partition("/")[0].rpartition("@")
    if slashes and at:
        notes.add("client", "its base_url contains credentials: left out; set `auth` instead.")
        url = f"{scheme}://{rest[len(before) + 1 :]}"
    # Paths are appended with a slash.
    client["base_url"] = url.rstrip("/")
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return
    if _EXAMPLES.fullmatch(host):
        notes.add("client", "its base_url is an example: set the real one with --base-url.")


# --- literal secrets --------------------------------------------------------------------------


def _is_literal(value: str, notes: Notes) -> bool:
    """Whether a value is more than a variable with an auth scheme, as in `Bearer $X`."""
    if value.lower() in {"true", "false"} or _FILLED_IN.fullmatch(value):
        return False
    known = {name.strip("${}") for name in notes.variables}
    rest = VARIABLE.sub(lambda found: "" if found[0].strip("${}") in known else found[0], value)
    return rest == value or not _AROUND.fullmatch(rest)


def _without(entry: Object, literals: list[str], notes: Notes) -> JsonValue:
    """Replace literal secrets by variables."""
    secrets = sorted(set(literals), key=len, reverse=True)
    variables: dict[str, str] = {}

    def replaced(text: str, secret: str, where: str, word: str) -> str:
        if secret not in variables:
            variables[secret] = notes.new_variable(word)
        notes.add(where, f"may contain a secret: it becomes {variables[secret]}.")
        return text.replace(secret, variables[secret])

    def clean(value: JsonValue, where: str = "", parent: str = "", word: str = "") -> JsonValue:
        if isinstance(value, dict):
            return {
                name: clean(inner, f"{where}.{name}".removeprefix("."), word, name)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [clean(inner, f"{where}[{i}]", parent, word) for i, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        if value in secrets and is_secret(parent, word, value):
            return replaced(value, value, where, word)
        for secret in secrets:
            if len(secret) >= _DISTINCT and secret in value:
                value = replaced(value, secret, where, word)
        return value

    return clean(entry)


def is_secret(parent: str, word: str, value: str) -> bool:
    """Whether a value is a secret at this place; a short one may be harmless elsewhere."""
    nested: Object = {parent: {word: value}}
    if parent == "access_token_request_data":
        nested = {"auth": nested}
    return value in settings.secrets_of({"apis": [nested]}, blocks={}).values


# --- shared defaults -----------------------------------------------------------------


def _share(entry: Object) -> None:
    """Move keys that are equal in all resources to the defaults."""
    resources = as_list(entry.get("resources"))
    defaults = entry.setdefault("resource_defaults", {})
    endpoints: list[t.Any] = [each.get("endpoint") for each in resources if isinstance(each, dict)]
    shared = defaults.setdefault("endpoint", {}) if isinstance(defaults, dict) else None
    is_alike = len(resources) > 1 and len(endpoints) == len(resources)
    if is_alike and isinstance(shared, dict) and all(isinstance(each, dict) for each in endpoints):
        for word in _SHARED:
            values = [each.get(word) for each in endpoints]
            if (
                word not in shared
                and values[0] is not None
                and values.count(values[0]) == len(values)
            ):
                shared[word] = values[0]
                for endpoint in endpoints:
                    del endpoint[word]
        for resource in resources:
            if set(resource["endpoint"]) == {"path"}:
                resource["endpoint"] = resource["endpoint"]["path"]
    if shared == {}:
        del defaults["endpoint"]
    if defaults == {}:
        del entry["resource_defaults"]


# --- checking ---------------------------------------------------------------------------------


def filled(value: JsonValue, word: str = "") -> JsonValue:
    """Return an entry with placeholders for variables, so that it can be validated."""
    if isinstance(value, dict):
        return {name: filled(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, word) for inner in value]
    if not isinstance(value, str):
        return value
    if word == "private_key" and VARIABLE.fullmatch(value):
        return jwt_bearer.sample_key()
    if word in _URLS and value.startswith("$"):
        value = VARIABLE.sub("https://api.example.com", value, count=1)
    # Of days that are a setting, `lag` is a duration.
    return VARIABLE.sub("1" if word == "lag" else "filled", value)
