"""What Python code does to resources behind the dict that describes them: `add_filter` and others.

Such a step is put among the `processing_steps` of its resource, as one that needs code.
"""

from __future__ import annotations

import ast
import typing as t

from tap_analytics.commands.importing.unread import Unread

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.notes import Notes

#: Methods of dlt's resources that change rows.
_STEPS = {"add_filter", "add_map", "add_step", "add_yield_map"}
#: Maximum number of names and calls between a method and its resource.
_MOST_CALLS = 20


def add_steps(config: dict[str, t.Any], tree: ast.Module, notes: Notes) -> None:
    """Add the steps in the code to the resources; one without a name counts for all of them."""
    resources = config.get("resources")
    if not isinstance(resources, list):
        return
    names = [each.get("name") if isinstance(each, dict) else each for each in resources]
    for call, name in _calls(tree, [each for each in names if isinstance(each, str)]):
        for index, each in enumerate(resources):
            if (name is None or name == names[index]) and isinstance(each, (dict, str)):
                resources[index] = _with_step(each, call)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "add_limit":
            notes.add(f"line {node.lineno}", "`add_limit` is left out: all pages are read.")


def _with_step(resource: t.Any, call: ast.Call) -> dict[str, t.Any]:  # noqa: ANN401 - dict or name
    given = {"name": resource} if isinstance(resource, str) else resource
    method = t.cast("ast.Attribute", call.func).attr
    argument = call.args[0] if call.args else call
    word = "filter" if method == "add_filter" else method
    step = {word: Unread(argument, "processing_steps", "is a function", "")}
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
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            yield node.target.id, node.iter


def _receiver(node: ast.expr, names: list[str], given: dict[str, ast.expr]) -> str | None:
    """Return the resource an expression is; "" for any of them, None for something else."""
    for _ in range(_MOST_CALLS):
        if isinstance(node, ast.Name) and node.id in given:
            node = given[node.id]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
    if isinstance(node, ast.Attribute) and node.attr in names:
        return node.attr
    is_member = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute)
    if is_member and node.value.attr == "resources":  # type: ignore[attr-defined] # checked above
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None  # type: ignore[attr-defined] # checked above
        return key if isinstance(key, str) else ""
    return "" if isinstance(node, ast.Attribute) and node.attr == "resources" else None
