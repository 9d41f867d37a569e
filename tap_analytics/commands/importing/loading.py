"""Read JSON, YAML and Python safely, limited in size and without running code, as plain values."""

from __future__ import annotations

import ast
import json
import math
import sys
import typing as t
import warnings
from pathlib import Path

import yaml
from typing_extensions import override

from tap_analytics.errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Any value of JSON or YAML, and an object.
JsonValue = t.Any
Object = dict[str, JsonValue]

#: Four times the size of large manifests.
MOST_BYTES = 5 * 1024 * 1024
#: Maximum number of values of a file, with aliases and references expanded.
MOST_VALUES = 100_000
_MOST_BITS = 256

TOO_DEEP = "It is nested too deeply. Keep only the description of the API."
_NO_VALUE = "It has a number or a text that can't be sent to an API. Remove it."
TOO_LARGE = (
    "It is too large, or its references are when expanded. Keep only the description of the API."
)


def read_text(path: str) -> str:
    """Return the text of a file, or of standard input for `-`."""
    try:
        if path == "-":
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise InputError(
                f"The file {path} is larger than {MOST_BYTES // 1024 // 1024} MiB. Keep only the "
                "description of the API."
            )
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            f"The file {path} can't be read: it is not UTF-8 text. Save it as UTF-8."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it isn't a valid file name"
        raise InputError(
            f"The file {path} can't be read: {reason}. Check its path and permissions."
        ) from None


def load_json(text: str) -> JsonValue:
    """Return a JSON object; None for anything else."""
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        return None
    return _checked(value)


def load_yaml(text: str) -> JsonValue:
    """Return YAML as plain JSON values.

    Raises `InputError` for invalid YAML and if it is too large with aliases expanded.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        # Checked before construction, because merging aliases copies their values.
        _measure(node, {})
        return _checked(loader.construct_document(node))
    except yaml.YAMLError as error:
        raise InputError(f"It is not YAML: {_reason(error)}. Correct it there.") from None
    except (ValueError, OverflowError, TypeError, AttributeError):
        raise InputError(_NO_VALUE) from None


def _checked(value: object) -> JsonValue:
    try:
        return plain(value)
    except ValueError:
        raise InputError(_NO_VALUE) from None


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # untyped
    """Loads plain values; dates stay text."""

    _composed = 0
    yaml_implicit_resolvers: t.ClassVar[dict[str, t.Any]] = {
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    @override
    def compose_node(self, parent: t.Any, index: t.Any) -> t.Any:
        self._composed += 1
        if self._composed > MOST_VALUES:
            raise InputError(TOO_LARGE)
        return super().compose_node(parent, index)


def _measure(node: yaml.Node, sizes: dict[int, int | None]) -> int:
    """Return the number of values of a node with aliases expanded."""
    known = sizes.get(id(node), 0)
    if known is None:
        raise InputError(
            "It contains itself: an alias is inside its own anchor. Write out its value."
        )
    if known:
        return known
    sizes[id(node)] = None
    parts = node.value if isinstance(node, yaml.CollectionNode) else ()
    if isinstance(node, yaml.MappingNode):
        parts = [each for pair in parts for each in pair]
    sizes[id(node)] = size = 1 + sum(_measure(each, sizes) for each in parts)
    if size > MOST_VALUES:
        raise InputError(TOO_LARGE)
    return size


def _reason(error: yaml.YAMLError) -> str:
    """Return the error in one line, without content of the file."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return "it has characters that YAML doesn't allow"
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}: " if mark else ""
    is_tag = isinstance(error, yaml.constructor.ConstructorError)
    if is_tag and "constructor for" in str(error.problem):
        return f"{where}only tags of plain values are supported"
    return f"{where}the syntax is invalid"


def plain(value: JsonValue) -> JsonValue:
    """Return a value as JSON; raises `ValueError` if it isn't one or an integer is too large."""
    match value:
        case dict():
            return {_key(name): plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case str():
            # Raises for a lone surrogate, which JSON can escape.
            return value.encode().decode()
        case None | bool():
            return value
        case int() if value.bit_length() <= _MOST_BITS:
            return value
        case float() if math.isfinite(value):
            return value
    raise ValueError("no plain value")


def _key(name: object) -> str:
    written = plain(name)
    return written if isinstance(written, str) else json.dumps(written)


def parse_python(code: str, mode: str = "exec") -> t.Any:  # noqa: ANN401 - depends on the mode
    """Return the syntax tree of Python code; raises only `SyntaxError` or `RecursionError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code, mode=mode)
        except ValueError as error:
            raise SyntaxError(str(error)) from None
        except MemoryError:
            raise RecursionError from None


def leaves(value: JsonValue) -> Iterator[t.Any]:
    """Yield the values in a value that are neither objects nor lists."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    else:
        yield value


def mapped(value: JsonValue, change: Callable[[t.Any], t.Any]) -> JsonValue:
    """Return a value with others in the place of its leaves."""
    if isinstance(value, dict):
        return {name: mapped(inner, change) for name, inner in value.items()}
    return [mapped(each, change) for each in value] if isinstance(value, list) else change(value)


def member_at(value: JsonValue, path: Iterable[str]) -> JsonValue:
    """Return the value at a path of names; `...` if there is none."""
    for name in path:
        value = value.get(name, ...) if isinstance(value, dict) else ...
    return value


def without_nulls(value: Object) -> Object:
    """Return an object without the members that are null."""
    return {name: inner for name, inner in value.items() if inner is not None}


def as_object(value: JsonValue) -> Object:
    """Return an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: JsonValue) -> list[t.Any]:
    """Return a list, an empty one for anything else."""
    return value if isinstance(value, list) else []
