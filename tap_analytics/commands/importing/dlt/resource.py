"""The resources of dlt, with what they are named, keyed and filtered by."""

from __future__ import annotations

import re
import typing as t

from tap_analytics.commands.importing.dlt.endpoint import as_endpoint, read_endpoint
from tap_analytics.commands.importing.dlt.incremental import FILTERS
from tap_analytics.commands.importing.dlt.row_functions import filter_of, steps_of
from tap_analytics.commands.importing.loading import Object, as_list, as_object
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.commands.importing.unread import Unread, check_read, check_words, with_variables
from tap_analytics.config.declarations.resources import DISPOSITIONS, RESOURCE

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.dlt.request import Context
    from tap_analytics.commands.importing.notes import Notes

#: Words of dlt that change no request and no row, only how rows are loaded.
_LOADING = frozenset(
    {
        *("columns", "file_format", "max_table_nesting", "merge_key", "nested_hints"),
        *("parallelized", "parent", "references", "schema_contract", "section", "selected"),
        *("spec", "table_format", "table_name", "validator"),
    }
)
#: Words that a default may have.
DEFAULTS = ("primary_key", "write_disposition", "processing_steps", "endpoint")
_UNKNOWN_PART = re.compile(r"\$\{?[A-Z_][A-Z0-9_]*\}?")


def read_resource(
    given: Object, context: Context, where: str, *, words: Collection[str] = RESOURCE
) -> Object:
    """Return a resource of the tap. Raises `UnsupportedError`."""
    notes = context.notes
    if given.get("selected") is False:
        notes.add(where, "isn't selected there; here the catalog selects streams.")
    loading = [word for word in given if word in _LOADING and word not in words]
    notes.unknown(where, [w for w in loading if w != "selected"], "supported: left out")
    made = {word: value for word, value in given.items() if word not in loading}
    check_words(made, (*words, "incremental"), "resource")
    if "write_disposition" in made:
        _disposition(made, where, notes)
    if "primary_key" in made:
        made["primary_key"] = with_variables(made["primary_key"], notes)
    if "processing_steps" in made:
        made["processing_steps"] = _steps(made["processing_steps"])
    _endpoint(made, context, where)
    _settle_replace(made, where, notes)
    check_read(made)
    return made


def _endpoint(made: Object, context: Context, where: str) -> None:
    endpoint = made.get("endpoint")
    if isinstance(endpoint, Unread):
        raise UnsupportedError(str(endpoint))
    if (incremental := made.pop("incremental", None)) is not None:
        endpoint = {"incremental": incremental, **as_endpoint(endpoint)}
    if isinstance(endpoint, str):
        read = read_endpoint({"path": endpoint}, context, where)
        made["endpoint"] = endpoint if read == {"path": endpoint} else read
    elif isinstance(endpoint, dict):
        made["endpoint"] = read = read_endpoint(endpoint, context, where)
        if filters := as_object(read.get("incremental")).pop(FILTERS, None):
            steps = as_list(made.get("processing_steps", context.steps))
            made["processing_steps"] = [*steps, *({"filter": each} for each in filters)]


def _disposition(made: Object, where: str, notes: Notes) -> None:
    value = made["write_disposition"]
    if isinstance(value, dict) and "strategy" in value:
        notes.add(where, "`write_disposition.strategy` is left out: the target decides it.")
        value = made["write_disposition"] = value.get("disposition", "merge")
    if isinstance(value, Unread):
        notes.add("", f"{value}: left out.")
        del made["write_disposition"]
    elif isinstance(value, str) and value not in DISPOSITIONS:
        notes.add(where, f"write_disposition '{shown(value)}' isn't known to the tap: left out.")
        del made["write_disposition"]


def settle_keys(made: Object, defaults: Object, where: str, notes: Notes) -> None:
    """Let the disposition and the primary key of a resource fit together."""
    disposition = made.get("write_disposition") or defaults.get("write_disposition")
    if disposition == "append" and made.get("primary_key"):
        del made["primary_key"]
        notes.add(where, "`primary_key` is left out: rows are appended.")
    has_key = made.get("primary_key") or defaults.get("primary_key")
    if made.get("write_disposition") == "merge" and not has_key:
        del made["write_disposition"]
        notes.add(where, "has no `primary_key` to merge by: rows are appended, as dlt does.")


def _settle_replace(made: Object, where: str, notes: Notes) -> None:
    endpoint = made.get("endpoint")
    if made.get("write_disposition") != "replace" or not isinstance(endpoint, dict):
        return
    if endpoint.get("incremental"):
        del made["write_disposition"]
        notes.add(where, "`write_disposition` is left out: `incremental` doesn't read all rows.")


def _steps(given: object) -> object:
    """Return processing steps. Raises `UnsupportedError` for those that need code."""
    if not isinstance(given, list):
        return given
    found: list[object] = []
    for step in given:
        steps = step.items() if isinstance(step, dict) else ()
        for word, value in steps:
            if isinstance(value, Unread):
                found += _of_function(word, value)
            else:
                found.append({word: value})
        if not isinstance(step, dict):
            found.append(step)
    return found


def _of_function(word: str, value: Unread) -> list[Object]:
    """Return the steps for a function in Python. Raises `UnsupportedError`."""
    made: list[Object] | None = None
    if word == "filter" and (expression := filter_of(value.node)) is not None:
        made = [{word: expression}]
    elif word in {"map", "add_map"}:
        made = steps_of(value.node)
    if made is None:
        raise UnsupportedError(f"its `{shown(word)}` needs code (line {value.line})")
    return made


# --- names ------------------------------------------------------------------------------------


def new_names(names: list[str]) -> dict[str, str]:
    """Return names of letters, digits and `_` by those of dlt; none is given twice."""
    made: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", _UNKNOWN_PART.sub("", name)).strip("_") or "rows"
        plain = name if re.fullmatch(r"[A-Za-z0-9_]+", name, re.ASCII) else plain
        taken, number, new = {each.lower() for each in made.values()}, 2, plain
        while new.lower() in taken and name not in made:
            new, number = f"{plain}_{number}", number + 1
        made.setdefault(name, new)
    return made
