"""An entry of `apis` as YAML to read and to change: what is short stands on one line."""

from __future__ import annotations

import json
import typing as t

import yaml
from yaml.representer import SafeRepresenter

#: Characters of an object or a list on one line.
_MOST = 80


def yaml_text(config: dict[str, t.Any]) -> str:
    """Return a configuration as YAML."""
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
    node.flow_style = width <= _MOST
    return width
