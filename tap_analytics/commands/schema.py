"""`tap-analytics schema`: the streams with their keys and relations, as a diagram or as JSON."""

from __future__ import annotations

import re
import typing as t

import msgspec

from tap_analytics.commands.base import parser, put, run, show
from tap_analytics.config.files import read_config
from tap_analytics.streams import APIS
from tap_analytics.streams.relations import relations
from tap_analytics.tap import TapAnalytics

if t.TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from tap_analytics.streams.relations import Column, Reference, Relation

DESCRIPTION = (
    "Print the streams with their keys and relations, as a Mermaid diagram: the streams of the "
    "configured APIs, or all built-in streams if none is configured. Makes no request."
)


def main(argv: Sequence[str]) -> int:
    """Print the diagram; return 1 if the configuration is invalid."""
    options = parser("schema", DESCRIPTION)
    options.add_argument(
        "--columns", action="store_true", help="show all columns, not only those that link streams"
    )
    return run(_print, options.parse_args(argv))


def _print(options: argparse.Namespace) -> int:
    given = read_config(options.config or ["ENV"])
    # Without a mapper no schema is inferred, so no request is made.
    tap = TapAnalytics(config=given.config, parse_env_config=given.parse_env, setup_mapper=False)
    found = relations(tap.apis.values() or APIS)
    if options.json:
        show({"streams": msgspec.to_builtins(found)}, as_json=True)
    else:
        put("".join(f"{line}\n" for line in mermaid(found, columns=options.columns)))
    return 0


# --- Mermaid ----------------------------------------------------------------------------------


def mermaid(found: Sequence[Relation], *, columns: bool) -> Iterator[str]:
    """Yield the lines of an entity-relationship diagram."""
    names = {relation.name for relation in found}
    yield "erDiagram"
    for relation in found:
        shown = relation.columns if columns else relation.linking
        if not shown:
            yield f"    {relation.name}"
            continue
        yield f"    {relation.name} {{"
        for column in shown:
            yield f"        {_attribute(column, relation)}"
        yield "    }"
    for relation in found:
        for each in relation.references:
            if each.stream in names:
                yield f"    {_line(each, relation)}"


def _attribute(column: Column, relation: Relation) -> str:
    """Return a column in Mermaid syntax; a name Mermaid can't write is repeated in the comment."""
    linked = {each.root for each in relation.references}
    marks = ["PK"] if column.name in relation.keys else []
    marks += ["FK"] if column.name in linked else []
    name = _identifier(column.name)
    comment = "" if name == column.name else " ".join(column.name.replace('"', "'").split())
    if column.name == relation.bookmark:
        comment = f"{comment}, bookmark".removeprefix(", ")
    parts = [_identifier("_or_".join(column.types) or "any"), name, ", ".join(marks)]
    return " ".join(filter(None, [*parts, f'"{comment}"' if comment else ""]))


def _line(each: Reference, relation: Relation) -> str:
    """Return a relation in Mermaid syntax: solid to the parent stream, dashed to any other."""
    there = "}o" if each.is_list else "||" if each.column in relation.keys else "|o"
    line = "--" if each.stream == relation.parent else ".."
    return f'{each.stream} {there}{line}o{{ {relation.name} : "{each.column}"'


def _identifier(text: str) -> str:
    """Return a Mermaid identifier: letters, digits, `_` and `-`, not starting with a digit."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"
