"""Convert a configuration of dlt's REST source to an entry of `apis`.

Most keys are the same. Keys with another place or form are rewritten; unsupported keys are left out
and noted.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import parse_qs

from tap_analytics.commands.importing.loading import as_list, as_object
from tap_analytics.commands.importing.notes import listed, shown
from tap_analytics.config.declarations import CLIENT, ENTRY
from tap_analytics.config.declarations.auths import AUTHS
from tap_analytics.config.declarations.endpoint import ENDPOINT
from tap_analytics.config.declarations.incremental import INCREMENTAL
from tap_analytics.config.declarations.paginators import PAGINATORS
from tap_analytics.config.declarations.resources import DISPOSITIONS, RESOURCE
from tap_analytics.config.declarations.retries import NEVER_RETRIED, RETRY

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.notes import Notes

Object = dict[str, t.Any]

_DEFAULTS = ("primary_key", "write_disposition", "endpoint")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}", re.ASCII)
_PARENT = re.compile(r"\{resources\.([A-Za-z_]\w*)\.([A-Za-z_][\w.]*)\}", re.ASCII)
_START = re.compile(r"\{\{?\s*incremental\.(?:start_value|last_value)\s*\}?\}")
#: Former dlt names of paginators.
_ALIASES = {"json_response": "json_link", "page": "page_number"}


def entry_of(config: Object, notes: Notes) -> Object:
    """Return an `apis` entry for a configuration with `client` and `resources`."""
    kept = notes.known(config, ENTRY, "the description")
    client = kept.get("client")
    if client is not None and not isinstance(client, dict):
        notes.add("client", "isn't an object: left out.")
    kept["client"] = _client(as_object(client), notes)
    optional: list[str] = []
    defaults = kept.get("resource_defaults")
    if isinstance(defaults, dict):
        kept["resource_defaults"] = _resource(
            defaults, "resource_defaults", notes, optional=[], words=_DEFAULTS
        )
    kept["resources"] = resources = [*as_list(kept.get("resources"))]
    for index, given in enumerate(resources):
        if isinstance(given, dict):
            name = given.get("name")
            where = f"resource '{shown(name)}'" if isinstance(name, str) else f"resources[{index}]"
            resources[index] = _resource(given, where, notes, optional=optional)
    notes.described = notes.taken = len(resources)
    if optional:
        kept["optional_streams"] = optional
    return kept


def _client(client: Object, notes: Notes) -> Object:
    made = notes.known(client, CLIENT, "client")
    if made.get("auth") is not None:
        made["auth"] = _auth(made["auth"], notes)
        if made["auth"] is None:
            del made["auth"]
    if "paginator" in made:
        made["paginator"] = _paginator(made["paginator"], "client.paginator", notes)
    return made


def _auth(auth: object, notes: Notes) -> Object | None:
    if not isinstance(auth, dict):
        notes.unsigned("client.auth", "isn't an object")
        return None
    # For dlt, `token` without a type means bearer.
    given = {"type": "bearer", **auth} if "token" in auth else auth
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in AUTHS:
        notes.unsigned("client.auth", f"the type '{shown(kind)}' isn't known to the tap")
        return None
    return notes.known(given, ("type", *AUTHS[kind].fields), "client.auth")


def _paginator(paginator: object, where: str, notes: Notes) -> object:
    given = {"type": paginator} if isinstance(paginator, str) else paginator
    if not isinstance(given, dict):
        return paginator
    kind = given.get("type")
    kind = _ALIASES.get(kind, kind) if isinstance(kind, str) else ""
    if kind not in PAGINATORS:
        return paginator
    made = {**given, "type": kind}
    if given.get("type") != kind:
        notes.add(where, f"the type '{given['type']}' is called '{kind}'.")
        if "next_key" in made:
            made["next_url_path"] = made.pop("next_key")
    if kind == "offset" and made.get("offset_param") == "page":
        notes.add(where, "the first two pages show what `offset_param: page` counts.")
    known = ("type", *PAGINATORS[kind].fields)
    made = notes.known(made, known, where)
    return made["type"] if isinstance(paginator, str) else made


def _resource(
    resource: Object,
    where: str,
    notes: Notes,
    *,
    optional: list[str],
    words: Collection[str] = RESOURCE,
) -> Object:
    if resource.get("selected") is False:
        notes.add(where, "isn't selected there; here the catalog selects streams.")
    quiet = {word: value for word, value in resource.items() if word != "selected"}
    made = notes.known(quiet, words, where)
    if "write_disposition" in made:
        _disposition(made, where, notes)
    if made.get("write_disposition") == "append" and "primary_key" in made:
        del made["primary_key"]
        notes.add(where, "`primary_key` is left out: rows are appended.")
    if isinstance(made.get("endpoint"), dict):
        made["endpoint"] = _endpoint(made["endpoint"], where, notes)
        ignored = _ignored(resource["endpoint"], where, notes)
        if ignored and isinstance(resource.get("name"), str):
            optional.append(f"{notes.api}_{resource['name']}")
    return made


def _disposition(made: Object, where: str, notes: Notes) -> None:
    value = made["write_disposition"]
    if isinstance(value, dict) and "strategy" in value:
        notes.add(where, "`write_disposition.strategy` is left out: the target decides it.")
        value = made["write_disposition"] = value.get("disposition", "merge")
    if isinstance(value, str) and value not in DISPOSITIONS:
        notes.add(where, f"write_disposition '{shown(value)}' isn't known to the tap: left out.")
        del made["write_disposition"]


def _endpoint(endpoint: Object, where: str, notes: Notes) -> Object:
    given = dict(endpoint)
    if _is_optional(endpoint):
        given.pop("response_actions")
    made = notes.known(given, ENDPOINT, where)
    if isinstance(made.get("params"), dict):
        made["params"] = _params(made, where, notes)
    if isinstance(made.get("path"), str):
        _query_in_path(made, where, notes)
        _parents_in_path(made, where, notes)
    if "paginator" in made:
        made["paginator"] = _paginator(made["paginator"], f"{where}, paginator", notes)
        _one_limit(made, where, notes)
    if isinstance(made.get("error_handler"), dict):
        made["error_handler"] = _handler(made["error_handler"], where, notes)
    if isinstance(made.get("incremental"), dict):
        _incremental(made, made["incremental"], where, notes)
    return {word: value for word, value in made.items() if value != {} or word == "json"}


def _params(endpoint: Object, where: str, notes: Notes) -> Object:
    kept: Object = {}
    for name, value in endpoint["params"].items():
        if isinstance(value, dict) and value.get("type") == "incremental":
            notes.add(where, f"`params.{shown(name)}` is `incremental` with a start_param.")
            endpoint["incremental"] = {**value, "start_param": name}
            endpoint["incremental"].pop("type")
        elif isinstance(value, str) and _START.fullmatch(value.strip()):
            notes.add(where, f"`params.{shown(name)}` is `incremental.start_param`.")
            incremental = as_object(endpoint.get("incremental"))
            endpoint["incremental"] = {**incremental, "start_param": name}
        elif isinstance(value, dict) and value.get("type") == "resolve":
            kept[name] = notes.known(value, ("type", "resource", "field"), where)
        else:
            kept[name] = value
    return kept


def _query_in_path(endpoint: Object, where: str, notes: Notes) -> None:
    """Move the query of a path to the parameters."""
    path, has_query, query = endpoint["path"].strip().partition("?")
    endpoint["path"] = path
    if not has_query:
        return
    found = parse_qs(query, keep_blank_values=True)
    values = {name: each[0] if len(each) == 1 else each for name, each in found.items()}
    endpoint["params"] = {**values, **as_object(endpoint.get("params"))}
    notes.add(where, f"the query of its path is {listed(found)} of `params`.")


def _parents_in_path(endpoint: Object, where: str, notes: Notes) -> None:
    """Replace `{resources.posts.id}` by a placeholder and a `resolve` parameter."""
    params = dict(as_object(endpoint.get("params")))

    def placeholder(match: re.Match[str]) -> str:
        name = f"{match[1]}_{match[2]}".replace(".", "_")
        params[name] = {"type": "resolve", "resource": match[1], "field": match[2]}
        notes.add(where, f"`{match[0]}` in the path is the placeholder `{{{name}}}`.")
        return f"{{{name}}}"

    endpoint["path"] = path = _PARENT.sub(placeholder, endpoint["path"])
    in_path = set(_PLACEHOLDER.findall(path))
    for name, value in list(params.items()):
        if isinstance(value, dict) and value.get("type") == "resolve" and name not in in_path:
            notes.add(
                where,
                f"`params.{shown(name)}` comes from a parent, which is supported only in the path.",
            )
    if params:
        endpoint["params"] = params


def _one_limit(endpoint: Object, where: str, notes: Notes) -> None:
    paginator, params = as_object(endpoint["paginator"]), as_object(endpoint.get("params"))
    name = paginator.get("limit_param", "limit")
    if paginator.get("limit") and name in params:
        del params[name]
        notes.add(where, f"`params.{shown(name)}` is left out: the paginator has a limit.")


def _handler(handler: Object, where: str, notes: Notes) -> Object:
    made = notes.known(handler, RETRY, f"{where}, error_handler")
    given = as_list(made.get("retry_on_status_codes"))
    # A list, because values may be unhashable.
    if never := [status for status in given if status in sorted(NEVER_RETRIED)]:
        notes.add(where, f"{listed(never)} can't be retried: left out.")
        made["retry_on_status_codes"] = [each for each in given if each not in never]
    return made


def _incremental(endpoint: Object, given: Object, where: str, notes: Notes) -> None:
    made = notes.known(given, INCREMENTAL, f"{where}, incremental")
    column = made.get("cursor_path")
    column = column.removeprefix("$.") if isinstance(column, str) else None
    if not column or not re.fullmatch(r"[^\s$*?()\[\]{}'\"]+", column):
        endpoint.pop("incremental")
        what = "has no cursor_path" if column is None else "its cursor isn't a column of the rows"
        notes.add(where, f"`incremental` {what}: left out, so all rows are read.")
        return
    endpoint["incremental"] = {**made, "cursor_path": column}


def _ignored(endpoint: Object, where: str, notes: Notes) -> bool:
    """Return whether response actions make the stream optional, with a note."""
    if not _is_optional(endpoint):
        return False
    ignored = [each["status_code"] for each in endpoint["response_actions"]]
    notes.add(where, f"{listed(ignored)} is ignored there; here its stream is optional.")
    return True


def _is_optional(endpoint: Object) -> bool:
    actions = [as_object(each) for each in as_list(endpoint.get("response_actions"))]
    return bool(actions) and all(
        each.get("action") == "ignore"
        and "content" not in each
        and each.get("status_code") in (403, 404)
        for each in actions
    )
