"""Every setting, as the schema of the configuration has it."""

from __future__ import annotations

import copy
import typing as t

from handbook.markdown import code, value
from tap_analytics.config.settings import COMMON, TOP
from tap_analytics.streams import APIS
from tap_analytics.tap import TapAnalytics

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

Schema = dict[str, t.Any]
SDK = "https://sdk.meltano.com"
NO_DEFAULTS: Mapping[str, str] = {}


def settings() -> str:
    """Describe every setting: of each API, of all API blocks, of the tap, of the SDK."""
    schema = TapAnalytics.config_jsonschema["properties"]
    common = [setting.name for setting in COMMON]
    whole = ("apis", *(setting.name for setting in TOP))
    parts = []
    for api in APIS:
        block = schema[api.name]
        own = {name: part for name, part in block["properties"].items() if name not in common}
        parts += [
            f"## {api.title}",
            f"An object `{api.name}`: on when one of its settings has a value.",
        ]
        parts += _described(own, prefix=f"{api.name}.", required=block["required"])
    shared = {name: schema[APIS[0].name]["properties"][name] for name in common}
    parts += ["## Every API", "In each of the objects above, and in every entry of `apis`."]
    parts += _described(shared, defaults=_defaults_by_api())
    parts += ["## The tap", *_described({name: schema[name] for name in whole})]
    builtin: Schema = copy.deepcopy(TapAnalytics.config_jsonschema)
    TapAnalytics.append_builtin_config(builtin)
    known = {*whole, *(api.name for api in APIS)}
    rest = ", ".join(code(name) for name in builtin["properties"] if name not in known)
    parts += ["## The Singer SDK", f"The [Singer SDK]({SDK}) adds its own: {rest}."]
    return "\n\n".join(parts)


def _described(
    properties: Mapping[str, Schema],
    *,
    prefix: str = "",
    required: Collection[str] = (),
    defaults: Mapping[str, str] = NO_DEFAULTS,
) -> Iterator[str]:
    """Give each setting a heading, a line about its values, and its description."""
    for name, schema in _flat(properties):
        default = defaults.get(name) or value(schema.get("default"))
        facts = [_kind(schema)]
        facts += ["required"] if name in required else []
        facts += [f"default {default}"] if default else []
        facts += ["secret"] if schema.get("secret") else []
        yield f"### {code(prefix + name)}"
        yield f"{schema['description']}  \n*{', '.join(facts)}*"


def _flat(properties: Mapping[str, Schema], prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Name settings by dotted path; an object of known parts is described by its parts."""
    for name, schema in properties.items():
        if parts := schema.get("properties"):
            yield from _flat(parts, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", schema


def _kind(schema: Schema) -> str:
    if choices := schema.get("enum"):
        return " or ".join(code(choice) for choice in choices if choice is not None)
    if schema.get("format") == "date-time":
        return "date-time"
    kinds: Collection[str] = schema["type"]
    return " or ".join([kinds] if isinstance(kinds, str) else kinds)


def _defaults_by_api() -> dict[str, str]:
    """Return the defaults of settings that all APIs have, by API where they differ."""
    schema = TapAnalytics.config_jsonschema["properties"]
    by_api = {api.name: dict(_flat(schema[api.name]["properties"])) for api in APIS}
    common = set.intersection(*map(set, by_api.values()))
    found: dict[str, str] = {}
    for setting in common:
        values = {name: value(flat[setting].get("default")) for name, flat in by_api.items()}
        differ = len(set(values.values())) > 1
        each = (f"{name} {default}" for name, default in values.items())
        found[setting] = ", ".join(each) if differ else values[APIS[0].name]
    return found
