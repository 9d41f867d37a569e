"""What Python code does to resources behind the dict that describes them: `add_filter` and others.

Such a step is put among the `processing_steps` of its resource. An `incremental` that is set so
takes the place of that of the resource.
"""

from __future__ import annotations

import ast
import typing as t

from tap_analytics.commands.importing.loading import JsonValue, Object, as_object
from tap_analytics.commands.importing.notes import shown
from tap_analytics.commands.importing.python_literals import dotted
from tap_analytics.commands.importing.python_names import OF_SCRIPTS, functions_in
from tap_analytics.commands.importing.python_values import Reader
from tap_analytics.commands.importing.unread import Unread, of_function

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_analytics.commands.importing.notes import Notes
    from tap_analytics.commands.importing.python_names import Function

#: Functions of dlt that make resources of a dict.
_SOURCES = {"rest_api_source", "rest_api_resources"}
#: Methods of dlt's resources that change rows.
_STEPS = {"add_filter", "add_map", "add_step", "add_yield_map"}
#: Parts of an `incremental` that belong to the endpoint.
_NO_HINTS = ("start_param", "end_param", "convert", "transform")
#: Maximum number of names and calls between a method and its resource.
_MOST_CALLS = 20


def makes_source(call: ast.Call) -> bool:
    """Whether a call makes resources of a dict."""
    return dotted(call.func).rpartition(".")[2] in _SOURCES


def add_steps(config: Object, tree: ast.Module, notes: Notes) -> None:
    """Add the steps in the code to the resources; one without a name counts for all of them."""
    resources = config.get("resources")
    if not isinstance(resources, list):
        return
    names = [each.get("name") if isinstance(each, dict) else each for each in resources]
    functions = functions_in(tree)
    optional = {id(part) for each in ast.walk(tree) for part in _optional(each)}
    for call, name in _calls(tree, [each for each in names if isinstance(each, str)]):
        for index, each in enumerate(resources):
            if (name is not None and name != names[index]) or not isinstance(each, (dict, str)):
                continue
            is_sure = id(call) not in optional
            if (hint := _hint(call)) is None:
                resources[index] = _with_step(each, call, functions if is_sure else None)
            elif not is_sure:
                text = f"`apply_hints` to '{shown(name)}' under a condition is left out."
                notes.add(f"line {call.lineno}", text)
            else:
                made = Reader(tree, notes, hint).value(hint, "incremental")
                resources[index] = _with_hint(each, made) or _with_step(each, call, functions)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "add_limit":
            notes.add(f"line {node.lineno}", "`add_limit` is left out: all pages are read.")


def _optional(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is run under a condition only."""
    if isinstance(node, ast.If) and ast.unparse(node.test) not in OF_SCRIPTS:
        for statement in (*node.body, *node.orelse):
            yield from ast.walk(statement)


def _hint(call: ast.Call) -> ast.expr | None:
    """Return the `incremental` that a call sets."""
    return next((word.value for word in call.keywords if word.arg == "incremental"), None)


def _with_hint(resource: JsonValue, made: JsonValue) -> Object | None:
    """Return a resource with another `incremental`; None where its parameters aren't in the dict.

    In dlt, what isn't a hint stays: parameters and conversion.
    """
    endpoint = as_object(as_object(resource).get("endpoint"))
    before = as_object(endpoint.get("incremental"))
    if not before or not isinstance(made, dict) or not made.get("cursor_path"):
        return None
    kept = {word: before[word] for word in _NO_HINTS if word in before}
    given = {word: value for word, value in made.items() if word != "type"}
    return {**resource, "endpoint": {**endpoint, "incremental": {**given, **kept}}}


def _with_step(
    resource: JsonValue,
    call: ast.Call,
    functions: Mapping[str, Function | None] | None,
) -> Object:
    """Return a resource with a step; without `functions`, one that may not be run."""
    given = {"name": resource} if isinstance(resource, str) else resource
    method = t.cast("ast.Attribute", call.func).attr
    argument = call.args[0] if call.args and functions is not None else call
    word = "filter" if method == "add_filter" else method
    found = functions.get(argument.id) if functions and isinstance(argument, ast.Name) else None
    unread = Unread(argument, "processing_steps", "is a function", "")
    step = {word: of_function(found, "processing_steps") if found else unread}
    before = given.get("processing_steps")
    return {**given, "processing_steps": [*(before if isinstance(before, list) else ()), step]}


def _calls(tree: ast.Module, names: list[str]) -> Iterator[tuple[ast.Call, str | None]]:
    """Yield the calls that change rows, with the resource they change."""
    given = dict(_meanings(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        is_hint = node.func.attr == "apply_hints" and any(
            word.arg == "incremental" for word in node.keywords
        )
        if node.func.attr not in _STEPS and not is_hint:
            continue
        found = _receiver(node.func.value, names, given)
        if found is not None:
            yield node, found or None


def _meanings(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.target, ast.Name):
            yield node.target.id, node.iter


def _receiver(node: ast.expr, names: list[str], given: dict[str, ast.expr]) -> str | None:
    """Return the resource an expression is; "" for any of them, None for something else."""
    for _ in range(_MOST_CALLS):
        match node:
            case ast.Name(id=name) if name in given:
                node = given[name]
            case ast.Call() if makes_source(node):
                return ""
            case ast.Call(func=ast.Attribute(value=value)):
                node = value
            case ast.Subscript(value=ast.Name() as value):
                node = value
    match node:
        case ast.Attribute(attr=name) if name in names:
            return name
        case ast.Subscript(
            value=ast.Attribute(attr="resources"), slice=ast.Constant(value=str(key))
        ):
            return key
        case ast.Attribute(attr="resources") | ast.Subscript(value=ast.Attribute(attr="resources")):
            return ""
    return None
