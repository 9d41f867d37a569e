"""Convert a configuration of dlt's REST source to an entry of `apis`.

Most keys are the same. Keys with another place or form are rewritten; a resource is left out, with
a note, if it needs what the tap doesn't have.
"""

from __future__ import annotations

import re
import typing as t

from tap_analytics.commands.importing.dlt.auth import read_auth
from tap_analytics.commands.importing.dlt.endpoint import as_endpoint
from tap_analytics.commands.importing.dlt.incremental import leaves_out
from tap_analytics.commands.importing.dlt.paginator import read_paginator
from tap_analytics.commands.importing.dlt.request import Context, stripped
from tap_analytics.commands.importing.dlt.resource import (
    DEFAULTS,
    new_names,
    read_resource,
    settle_keys,
)
from tap_analytics.commands.importing.loading import JsonValue, Object, as_object, leaves
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.commands.importing.unread import UNPACKED, Unread, unread_in, with_variables
from tap_analytics.config.declarations import CLIENT, ENTRY
from tap_analytics.config.declarations.model import DETECTED
from tap_analytics.errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.notes import Notes

_READ = ("client", "resource_defaults", "resources")
#: Parts of an endpoint that dlt merges otherwise than the tap.
_MERGED_OTHERWISE = ("headers", "json")
_PARENT = re.compile(r"(?<!\{)\{\+?resources\.([^.{}]+)\.")


def entry_of(config: Object, notes: Notes) -> Object:
    """Return an `apis` entry for a configuration with `client` and `resources`."""
    kept = notes.known({w: v for w, v in config.items() if w != UNPACKED}, ENTRY, "the description")
    others = {word: value for word, value in kept.items() if word not in _READ}
    kept |= with_variables(others, notes)
    context = Context(notes=notes, is_foreign="name" not in config)
    kept["client"] = _client(kept.get("client"), context)
    resources = kept.get("resources")
    given = [resources] if isinstance(resources, Unread) else resources
    if not isinstance(given, list):
        return {"client": kept["client"], "resources": []}
    defaults = kept.pop("resource_defaults", config.get(UNPACKED))
    if not isinstance(defaults, dict) and (unread := next(unread_in(defaults), None)):
        # Whatever they are, each resource has them.
        given, defaults = [unread for _ in given], None
    made, given = _defaults(as_object(defaults), given, context)
    kept["resources"] = _resources(given, made, context)
    if context.is_foreign and not all(_is_selected(each, made) for each in kept["resources"]):
        made = {**made, "endpoint": {**as_object(made.get("endpoint")), "data_selector": DETECTED}}
    if defaults is not None and not isinstance(defaults, dict):
        # An error of the entry.
        kept["resource_defaults"] = defaults
    elif made:
        kept["resource_defaults"] = made
    notes.described, notes.taken = len(given), len(kept["resources"])
    for unread in unread_in(kept):
        raise InputError(f"{unread}. Write a value instead.")
    return kept


def _is_selected(resource: JsonValue, defaults: Object) -> bool:
    """Whether a resource says where its rows are."""
    own = as_object(as_object(resource).get("endpoint"))
    return bool({**as_object(defaults.get("endpoint")), **own}.get("data_selector"))


# --- the client -------------------------------------------------------------------------------


def _client(given: object, context: Context) -> Object:
    notes = context.notes
    if isinstance(given, Unread):
        notes.unsigned("", str(given))
    if not isinstance(given, dict):
        notes.add("client", "isn't an object: left out.")
        return {}
    made = _client_words(given, notes)
    if isinstance(made.get("headers"), dict):
        made["headers"] = context.headers = stripped(made["headers"], context)
    if "auth" in made and (auth := read_auth(made.pop("auth"), "client.auth", notes)) is not None:
        made["auth"] = auth
        is_query = isinstance(auth, dict) and auth.get("location") in {"query", "param"}
        context.signed = (auth["name"],) if is_query else ()
    if "paginator" in made:
        _client_paginator(made, context)
    base_url = made.get("base_url")
    context.base_url = base_url.rstrip("/") if isinstance(base_url, str) else ""
    context.is_folder = context.is_foreign and base_url != context.base_url
    return made


def _client_words(given: Object, notes: Notes) -> Object:
    """Return the parts of a client that the tap has, with variables for their texts."""
    if UNPACKED in given:
        notes.unsigned("client", f"unpacks {given[UNPACKED]}")
    session = given.get("session")
    if isinstance(session, Unread) and not given.get("auth"):
        notes.unsigned("", str(session))
    words = {word: value for word, value in given.items() if word != UNPACKED and value is not None}
    made = notes.known(words, CLIENT, "client")
    if "base_url" in made:
        made["base_url"] = with_variables(made["base_url"], notes)
    headers = made.get("headers")
    if isinstance(headers, dict):
        headers = made["headers"] = with_variables(headers, notes)
    for unread in unread_in(headers):
        # They may sign the requests.
        notes.unsigned("", str(unread))
        made.pop("headers", None)
    return made


def _client_paginator(made: Object, context: Context) -> None:
    """Set the paginator of resources that have none; one that can't be read leaves them out."""
    try:
        made["paginator"] = context.paginator = context.client_paginator = read_paginator(
            made["paginator"], "client.paginator", context.notes, is_foreign=context.is_foreign
        )
    except UnsupportedError as error:
        del made["paginator"]
        context.fault = str(error)


# --- defaults ---------------------------------------------------------------------------------


def _defaults(
    given: Object, resources: list[t.Any], context: Context
) -> tuple[Object, list[t.Any]]:
    """Return the defaults, and the resources with those that can't be defaults here."""
    endpoint = as_object(given.get("endpoint"))
    own = [as_object(as_object(each).get("endpoint")) for each in resources]
    is_merged = leaves_out(endpoint) or any(
        word in endpoint and word in each for word in _MERGED_OTHERWISE for each in own
    )
    try:
        if not is_merged:
            made = read_resource(given, context, "resource_defaults", words=DEFAULTS)
            context.defaults = as_object(made.get("endpoint"))
            context.steps = made.get("processing_steps")
            context.paginator = context.defaults.get("paginator") or context.paginator
            return made, resources
    except UnsupportedError as error:
        context.notes.add("resource_defaults", f"{error}.")
    shared = {word: value for word, value in given.items() if word in DEFAULTS[:2]}
    try:
        made = read_resource(shared, context, "resource_defaults", words=DEFAULTS)
    except UnsupportedError:
        made = shared = {}
    others = {word: value for word, value in given.items() if word not in shared}
    return made, [_merged(others, each) for each in resources]


def _merged(defaults: Object, resource: JsonValue) -> JsonValue:
    """Return a resource with defaults, as dlt merges them."""
    if isinstance(resource, str):
        resource = {"name": resource}
    if not isinstance(resource, dict):
        return resource
    first, own = as_object(defaults.get("endpoint")), as_endpoint(resource.get("endpoint"))
    endpoint = {**first, **own}
    for word in ("json", "params"):
        if isinstance(first.get(word), dict) and isinstance(own.get(word), dict):
            endpoint[word] = {**first[word], **own[word]}
    return {**defaults, **resource, "endpoint": endpoint}


# --- resources --------------------------------------------------------------------------------


def _resources(given: list[t.Any], defaults: Object, context: Context) -> list[t.Any]:
    names = [_name(each) for each in given]
    context.names = new_names([name for name in names if name is not None])
    found: Object = {}
    for index, (each, name) in enumerate(zip(given, names, strict=True)):
        where = f"resources[{index}]" if name is None else f"resource '{shown(name)}'"
        new = context.names.get(name or "", where)
        try:
            found[new] = _resource(each, defaults, context, where, is_new=new not in found)
        except UnsupportedError as error:
            context.notes.add(where, f"is left out: {error}.")
    _drop_orphans(found, context)
    return [*found.values()]


def _name(resource: object) -> str | None:
    name = resource.get("name") if isinstance(resource, dict) else resource
    if isinstance(resource, dict) and (isinstance(name, Unread) or name == ""):
        return (name.name if isinstance(name, Unread) else "") or "rows"
    return name if isinstance(name, str) and name else None


def _resource(
    given: JsonValue,
    defaults: Object,
    context: Context,
    where: str,
    *,
    is_new: bool,
) -> JsonValue:
    """Return a resource. Raises `UnsupportedError`."""
    if isinstance(given, Unread):
        raise UnsupportedError(str(given))
    if not is_new:
        raise UnsupportedError("another resource has its name")
    if context.is_foreign and not _name(given):
        raise UnsupportedError("it has no name")
    name = _name(given)
    before = given.get("name") if isinstance(given, dict) else given
    if name is not None and (new := context.names[name]) != before:
        context.notes.add(where, f"is called '{new}', for the names of streams.")
        resource = {"name": name} if isinstance(given, str) else given
        # Without a path, the name is the path.
        given = {**_merged({"endpoint": {"path": before}}, resource), "name": new}
    made = read_resource(given, context, where) if isinstance(given, dict) else given
    endpoint = made.get("endpoint") if isinstance(made, dict) else None
    if context.fault and not as_object(endpoint).get("paginator") and not context.paginator:
        raise UnsupportedError(context.fault)
    if isinstance(made, dict):
        settle_keys(made, defaults, where, context.notes)
    return made


def _drop_orphans(found: Object, context: Context) -> None:
    """Leave out resources whose parents aren't there."""
    parents = {name: [*_parents(each)] for name, each in found.items()}
    while orphans := [n for n in found if any(parent not in found for parent in parents[n])]:
        for name in orphans:
            lacking = next(parent for parent in parents[name] if parent not in found)
            del found[name]
            where = f"resource '{shown(name)}'"
            context.notes.add(where, f"is left out: so is its parent '{shown(lacking)}'.")


def _parents(resource: JsonValue) -> Iterator[str]:
    """Yield the resources that a resource takes values from."""
    endpoint = as_endpoint(as_object(resource).get("endpoint"))
    parts = [endpoint.get(word) for word in ("path", "params", "headers", "json", "data")]
    for leaf in leaves(parts):
        yield from _PARENT.findall(leaf) if isinstance(leaf, str) else ()
    for value in as_object(endpoint.get("params")).values():
        if isinstance(value, dict) and isinstance(value.get("resource"), str):
            yield value["resource"]
