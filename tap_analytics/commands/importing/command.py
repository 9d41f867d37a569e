"""`tap-analytics import`: print the `apis` entry for a description of an API."""

from __future__ import annotations

import copy
import json
import sys
import typing as t

import yaml
from yaml.representer import SafeRepresenter

from tap_analytics.commands.base import parser, put, run, show
from tap_analytics.commands.importing import import_file
from tap_analytics.commands.importing.normalize_entry import filled
from tap_analytics.commands.importing.notes import one_line, summarize
from tap_analytics.config import settings
from tap_analytics.streams import BLOCKS, RESERVED, declared_apis
from tap_analytics.tap import TapAnalytics
from tap_analytics.transport import redaction

if t.TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tap_analytics.commands.importing.loading import Object

#: Maximum length in characters of an object or a list on one line of YAML.
_MOST_INLINE = 80


def main(argv: Sequence[str]) -> int:
    """Print the entry; return 1 if there is none, it isn't valid, or something is missing."""
    made = parser(
        "import",
        "Print the `apis` entry for an API described for another tool: a configuration of dlt's "
        "REST source, as Python, JSON, YAML or in a Markdown document, or a low-code manifest of "
        "Airbyte. No code in the file is run. Notes on what was changed or left out are "
        "printed to standard error, or with --json in the output.",
        configured=False,
    )
    made.add_argument("file", metavar="FILE", help="the description; - reads standard input")
    made.add_argument("--name", help="name of the API, instead of the file's")
    made.add_argument("--base-url", metavar="URL", help="address of the API, instead of the file's")
    made.add_argument(
        "--plugin",
        metavar="MODULE",
        help="take streams of a manifest that need code in Python, by classes of this module",
    )
    made.add_argument("--yaml", action="store_true", help="print YAML, for meltano.yml")
    made.add_argument(
        "--partial",
        action="store_true",
        help="exit with 0 although streams are left out, or nothing signs the requests",
    )
    return run(_import, made.parse_args(argv))


def _import(options: argparse.Namespace) -> int:
    imported, secrets = import_file(
        options.file,
        name=options.name,
        base_url=options.base_url,
        plugin=options.plugin,
        reserved=RESERVED,
    )
    redaction.install(secrets)
    config = {"apis": [imported.entry, *imported.others]}
    problems = ["No stream can be imported."]
    if imported.entry.get("resources"):
        problems = [*_problems(config), *(() if options.partial else imported.missing)]
    if options.json:
        problem = {"problems": problems} if problems else {}
        said = {"headline": imported.headline, "notes": list(imported.notes), **problem}
        show({**config, **said}, as_json=True)
        return 1 if problems else 0
    if options.yaml:
        put(_yaml_text(config))
    else:
        show(config, as_json=True)
    is_taken = bool(imported.entry.get("resources"))
    shown = [each for each in imported.notes if is_taken or "left out" in each]
    notes = (imported.headline, *summarize(shown))
    for kind, lines in (("note", notes), ("error", problems)):
        for line in lines:
            sys.stderr.write(f"{kind}: {redaction.clean_line(line)}\n")
    return 1 if problems else 0


def _problems(config: Object) -> list[str]:
    """Return the problems of an entry, with placeholders for its variables."""
    schema = copy.deepcopy(TapAnalytics.config_jsonschema)
    TapAnalytics.append_builtin_config(schema)
    given = settings.clean(filled(config), blocks=BLOCKS)
    found = settings.problems(given, schema, blocks=BLOCKS)
    found = found or declared_apis(given, reserved=RESERVED)[1]
    return [one_line(problem) for problem in found]


def _yaml_text(config: Object) -> str:
    """Return a configuration as YAML to read and to change: what is short stands on one line."""
    # A copy without shared objects, which YAML would write as anchors and aliases.
    plain = json.loads(json.dumps(config))
    node = SafeRepresenter(sort_keys=False).represent_data(plain)
    _set_style(node)
    # Unprintable characters are written as escapes.
    readable = json.dumps(plain, ensure_ascii=False).isprintable()
    text = yaml.serialize(node, Dumper=yaml.SafeDumper, allow_unicode=readable, width=100)
    return str(text)


def _set_style(node: yaml.Node) -> int:
    """Write short objects and lists inside a node in flow style; return its characters."""
    if isinstance(node, yaml.ScalarNode):
        return len(node.value)
    is_object = isinstance(node, yaml.MappingNode)
    parts = [part for pair in node.value for part in pair] if is_object else node.value
    width = sum(len(", ") + _set_style(part) for part in parts)
    node.flow_style = width <= _MOST_INLINE
    return width
