"""Every field of a declared API, as the readers of its objects have it."""

from __future__ import annotations

import typing as t

from handbook.markdown import code, table, value
from tap_analytics.config.declarations import CLIENT, ENTRY
from tap_analytics.config.declarations.auths import AUTHS, LOGIN
from tap_analytics.config.declarations.decoders import DECODERS
from tap_analytics.config.declarations.endpoint import ENDPOINT
from tap_analytics.config.declarations.incremental import INCREMENTAL
from tap_analytics.config.declarations.paginators import PAGINATORS, SHARED
from tap_analytics.config.declarations.processing import STEPS
from tap_analytics.config.declarations.resources import RESOURCE
from tap_analytics.config.declarations.retries import RESPONSE_ACTION, RETRY

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_analytics.config.declarations.fields import Field, Fields, Variant

OBJECTS: Mapping[str, Fields | Mapping[str, Variant[t.Any]]] = {
    "apis": ENTRY,
    "client": CLIENT,
    "auth": AUTHS,
    "login": LOGIN,
    "resources": RESOURCE,
    "processing_steps": STEPS,
    "endpoint": ENDPOINT,
    "decoder": DECODERS,
    "incremental": INCREMENTAL,
    "error_handler": RETRY,
    "response_actions": RESPONSE_ACTION,
    "paginator": PAGINATORS,
}
HEAD = "Field | Value | Default | Meaning"


def declarations() -> str:
    """Describe every object with its fields, by type where it has several."""
    parts: list[str] = []
    for name, content in OBJECTS.items():
        parts.append(f"## {code(name)}")
        if content in (AUTHS, PAGINATORS, DECODERS):
            parts += _variants(t.cast("Mapping[str, Variant[t.Any]]", content))
        else:
            parts.append(_table(t.cast("Fields", content)))
    return "\n\n".join(parts)


def _variants(variants: Mapping[str, Variant[t.Any]]) -> Iterator[str]:
    """Yield a table for all types, and one for each type with fields of its own."""
    by_variant: dict[int, list[str]] = {}
    for kind, variant in variants.items():
        by_variant.setdefault(id(variant), []).append(kind)
    distinct = {tuple(kinds): variants[kinds[0]] for kinds in by_variant.values()}
    rows = [(", ".join(map(code, kinds)), each.meaning) for kinds, each in distinct.items()]
    yield table("`type` | Meaning", rows)
    if variants is PAGINATORS:
        yield "**All types**"
        yield _table(SHARED, makes=PAGINATORS["cursor"].makes)
    for kinds, variant in distinct.items():
        if own := {name: each for name, each in variant.fields.items() if name not in SHARED}:
            yield f"**{', '.join(map(code, kinds))}**"
            yield _table(own, makes=variant.makes)


def _table(fields: Fields, *, makes: type | None = None) -> str:
    return table(HEAD, (_row(name, each, makes) for name, each in fields.items()))


def _row(name: str, field: Field, makes: type | None) -> tuple[str, str, str, str]:
    default = field.default or getattr(makes, name, None)
    shown = "**required**" if field.required else value(default if _is_plain(default) else None)
    mark = "" if field.in_dlt else " ⁺"
    return code(name) + mark, field.kind.name, shown, field.meaning


def _is_plain(default: object) -> bool:
    return isinstance(default, (str, int, float))
