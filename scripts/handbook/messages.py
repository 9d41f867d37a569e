"""Every message of the tap, found in its code: what it raises, warns of, and tells of settings.

A message stands where it is raised, so the code is the only list of them there is. What is read:

- calls of the tap's own error classes, and of those of click, argparse and the SDK;
- `logger.warning` and `logger.error`;
- problems of a configuration: `Problem(…)`, `report(…)`, `wrong(word, …)`, `parser.error(…)`;
- parts of messages, `Fault(…)`, which follow the name of what is wrong;
- what is added to the texts of others, `joined(…)`, and the rows of a table, `_Failure(…)`.

A value that is filled in is shown as ⟨name⟩, and what depends as ⟦this | that⟧. A call that only
passes a text on is no message. `python -m handbook.messages`, in `scripts`, prints all as JSON.
"""

from __future__ import annotations

import ast
import functools
import json
import sys
import typing as t
from dataclasses import asdict
from pathlib import Path

from handbook.reading import Message, Reader, last, says_what_to_do

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["PACKAGE", "Message", "collect", "error_classes", "says_what_to_do"]

PACKAGE = Path(__file__).resolve().parents[2] / "tap_analytics"
#: Classes that are errors of the tap, whatever is derived from them, and where others come from.
ROOTS = frozenset({"TapError", "TransportError"})
FOREIGN = frozenset({"argparse", "click", "singer_sdk.exceptions"})


def collect(package: Path = PACKAGE) -> list[Message]:
    """Return the messages of a package, in the order of its modules; the demo is none of it."""
    trees = _parsed(package)
    classes = error_classes(package)
    constants = _constants(trees.values())
    found: dict[tuple[str, str, str, str], Message] = {}
    for path, tree in trees.items():
        module = path.relative_to(package).as_posix()
        for each in Reader(module, tree, classes=classes, constants=constants).messages():
            found.setdefault((each.module, each.kind, each.text, each.hint), each)
    return list(found.values())


@functools.cache
def _parsed(package: Path) -> Mapping[Path, ast.Module]:
    paths = sorted(p for p in package.rglob("*.py") if "demo" not in p.relative_to(package).parts)
    return {path: ast.parse(path.read_text("utf-8")) for path in paths}


def error_classes(package: Path = PACKAGE) -> dict[str, str]:
    """Return the classes whose text users read, each with the first sentence of its docstring."""
    bases: dict[str, set[str]] = {}
    said: dict[str, str] = {}
    for node in (node for tree in _parsed(package).values() for node in ast.walk(tree)):
        if isinstance(node, ast.ClassDef):
            bases[node.name] = {last(base) for base in node.bases}
            said[node.name] = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
        elif isinstance(node, ast.ImportFrom) and node.module in FOREIGN:
            said |= {a.name: "" for a in node.names if a.name.endswith(("Error", "Exception"))}
    known = ROOTS | {name for name in said if name not in bases}
    while more := {name for name, above in bases.items() if above & known} - known:
        known |= more
    return {name: said.get(name, "") for name in known}


def _constants(trees: Iterable[ast.Module]) -> dict[str, ast.expr]:
    """Return the constants of all modules by name; only those that mean one thing everywhere."""
    found: dict[str, list[ast.expr]] = {}
    for node in (node for tree in trees for node in tree.body):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id.strip("_").isupper():
                found.setdefault(target.id, []).append(node.value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def main() -> None:
    """Print the messages as JSON."""
    json.dump([asdict(message) for message in collect()], sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
