"""XML as a JSON value: elements by name, several of one name as a list, and texts.

An attribute is a member with `@` before its name, and the text beside attributes or elements is
`#text`. An element without any of them is null. Names keep their prefixes. This is the usual
mapping, that of `xmltodict`.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from xml.parsers.expat import ExpatError, ParserCreate

from tap_analytics.records.codec import BodyError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.records.payload import Row


@dataclass(frozen=True, kw_only=True)
class Xml:
    """One XML document; all values are texts."""

    accept: t.ClassVar[str] = "application/xml, text/xml, */*;q=0.1"

    #: Where the rows are: an empty element on the way there holds none of them.
    path: Sequence[str] = ()

    def decode(self, body: bytes) -> Row:
        """Return the value of a body; raises `BodyError`."""
        reader = _Reader()
        parser = ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = reader.start
        parser.EndElementHandler = reader.end
        parser.CharacterDataHandler = reader.text
        parser.EntityDeclHandler = _refuse
        try:
            parser.Parse(body, True)  # noqa: FBT003 - its parameters have no names
        except ExpatError as error:
            raise BodyError(f"XML that can't be read ({error})") from None
        return t.cast("Row", _with_list(reader.members, self.path))


def _refuse(*_: object) -> None:
    # A few of them can be made to fill the memory.
    raise BodyError("XML that declares entities")


@dataclass
class _Reader:
    """Collects the members of the element that is open."""

    members: Row = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    #: Members and texts of the elements around it.
    outer: list[tuple[Row, list[str]]] = field(default_factory=list)

    def start(self, _: str, attributes: dict[str, str]) -> None:
        self.outer.append((self.members, self.texts))
        self.members = {f"@{name}": value for name, value in attributes.items()}
        self.texts = []

    def text(self, text: str) -> None:
        self.texts.append(text)

    def end(self, name: str) -> None:
        text, members = "".join(self.texts).strip() or None, self.members
        if members and text:
            _add(members, "#text", text)
        self.members, self.texts = self.outer.pop()
        _add(self.members, name, members or text)


def _add(members: Row, name: str, value: Row | str | None) -> None:
    if name not in members:
        members[name] = value
    elif isinstance(members[name], list):
        members[name].append(value)
    else:
        members[name] = [members[name], value]


def _with_list(value: t.Any, path: Sequence[str]) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return a value with a list without rows in the place of an empty element on a path."""
    if path and isinstance(value, dict) and path[0] in value:
        inner = value[path[0]]
        value[path[0]] = _empty(path[1:]) if inner is None else _with_list(inner, path[1:])
    return value


def _empty(path: Sequence[str]) -> t.Any:  # noqa: ANN401 - any JSON value
    return {path[0]: _empty(path[1:])} if path else []
