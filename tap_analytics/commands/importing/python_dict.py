"""Find the dict that describes an API in Python code, by its keys."""

from __future__ import annotations

import ast
import textwrap
import typing as t

from tap_analytics.commands.importing.loading import Object, parse_python
from tap_analytics.commands.importing.python_classes import is_dict
from tap_analytics.commands.importing.python_literals import dotted
from tap_analytics.commands.importing.python_steps import add_steps, makes_source
from tap_analytics.commands.importing.python_values import Reader
from tap_analytics.commands.importing.unread import UNPACKED, Unread

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_analytics.commands.importing.notes import Notes


def code_blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield the code blocks of a Markdown document, with the number of their first line."""
    code: list[str] = []
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith(("```", "~~~")):
            if first:
                yield first, textwrap.dedent("\n".join(code))
            code, first = [], 0 if first else number + 1
        elif first:
            code.append(line)


def notebook_code(notebook: Object) -> str:
    """Return the code of a Jupyter notebook, without the commands of the shell in it."""
    cells = [each for each in notebook["cells"] if isinstance(each, dict)]
    sources = [each.get("source") for each in cells if each.get("cell_type") == "code"]
    lines = "\n".join("".join(map(str, each)) for each in sources if isinstance(each, (str, list)))
    return "\n".join(
        line if not line.lstrip().startswith(("!", "%")) else "" for line in lines.split("\n")
    )


def find(code: str, notes: Notes, *, first_line: int = 1) -> Object | None:
    """Return the dict with `client` and `resources` in Python code, or None if it has none.

    Raises `InputError` for a dict with forbidden calls or above the size limits, and `SyntaxError`.
    """
    tree = parse_python(code)
    ast.increment_lineno(tree, first_line - 1)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.expr) and _describes(n)]
    inner = {id(part) for node in found for part in ast.walk(node) if part is not node}
    outer = sorted((node for node in found if id(node) not in inner), key=lambda node: node.lineno)
    if (value := _passed(tree, notes, found)) is not None:
        return value
    if not outer:
        return None
    # The others may be examples with parts left out.
    outer = [node for node in outer if not _is_sketch(node)] or outer
    if len(outer) > 1:
        others = ", ".join(str(node.lineno) for node in outer[1:])
        text = f"this description is imported; there are others at line {others}."
        notes.add(f"line {outer[0].lineno}", text)
    reader = Reader(tree, notes, outer[0])
    value = reader.value(reader.meaning(outer[0]), "")
    if not isinstance(value, dict):
        return None
    for call in reader.changing(outer[0]):
        value[UNPACKED] = Unread(call, "", f"is changed by `{dotted(call.func)}`", "")
    add_steps(value, tree, notes)
    return value


def _passed(tree: ast.Module, notes: Notes, described: Sequence[ast.expr]) -> Object | None:
    """Return a dict that is put together of others and passed to dlt."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not makes_source(node):
            continue
        reader = Reader(tree, notes, node)
        for argument in node.args[:1]:
            meant = reader.named(argument)
            is_called = isinstance(meant, ast.Call) and reader.is_called_once(meant)
            is_other = isinstance(meant, (ast.Dict, ast.BinOp)) and meant not in described
            if described and not is_called and not is_other:
                continue
            value = reader.value(argument, "")
            if isinstance(value, dict) and {"client", "resources"} <= value.keys():
                add_steps(value, tree, notes)
                return value
    return None


def _is_sketch(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Constant) and part.value is ... for part in ast.walk(node))


def _describes(node: ast.expr) -> bool:
    keys: set[object] = set()
    if isinstance(node, ast.Dict):
        keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
    elif isinstance(node, ast.Call) and is_dict(dotted(node.func)):
        keys = {word.arg for word in node.keywords}
    return {"client", "resources"} <= keys
