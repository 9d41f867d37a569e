"""The streams of a manifest and their parents, each a resource of its own.

A parent that is described as one of the streams is that stream. One of the same name that would
have other rows, because it is filtered for example, becomes a resource of another name.

The CDK reads a stream with two routers for each pair of rows of their parents. Where one parent is
read below the other, only a row and what it was read below belong together, and the tap asks for
no other pairs. Parents that aren't in one line leave the stream out.
"""

from __future__ import annotations

import copy
import json
import re
import typing as t
from dataclasses import dataclass, field, replace

from tap_analytics.commands.importing.airbyte.cursor import has_window_key
from tap_analytics.commands.importing.airbyte.declarative_stream import ImportedStream, read_stream
from tap_analytics.commands.importing.airbyte.partition_router import DEEPEST, PAIRS
from tap_analytics.commands.importing.airbyte.stream_parts import name_of
from tap_analytics.commands.importing.loading import JsonValue, mapped, member_at
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.config.declarations.templates import RESOURCES

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.notes import Notes

_PARENT = re.compile(rf"\{{\+?{RESOURCES}\.(\w+)\.")
#: Parts of a resource that don't decide which rows it has.
_DESCRIPTIVE = ("name", "schema", "description")


@dataclass
class StreamGraph:
    """Collects the resources of a manifest."""

    notes: Notes
    #: Resources by name.
    found: dict[str, ImportedStream] = field(default_factory=dict)
    #: The streams that the manifest lists, by name.
    _listed: dict[str, Component] = field(default_factory=dict)
    #: Names of resources, by what decides on their rows.
    _names: dict[str, str] = field(default_factory=dict)
    _read: dict[str, ImportedStream | UnsupportedError] = field(default_factory=dict)
    #: What is noted of each description that was read: empty for its own notes.
    _reasons: dict[str, str] = field(default_factory=dict)

    def add_all(self, streams: list[Component]) -> None:
        """Add the streams that can be said, and the parents that they have."""
        for stream in streams:
            name = name_of(stream)
            if self._listed.setdefault(name, stream) is not stream:
                what = f"the stream '{shown(name)}' is left out: the one before it has its name."
                self.notes.add(stream.path, what)
        for name, stream in self._listed.items():
            try:
                self._names.setdefault(self._identity(self._readable(stream)), name)
            except UnsupportedError as error:
                what = f"the stream '{shown(name)}' is left out: {error}."
                self._reasons[_key(stream)] = f"{stream.path}: {what}"
        for name, stream in self._listed.items():
            if isinstance(self._read[_key(stream)], UnsupportedError):
                continue
            try:
                self._add(name, stream)
            except UnsupportedError:
                what = "is left out: its parent is left out"
                own = self._reasons[_key(stream)]
                self._reasons[_key(stream)] = own or f"the stream '{shown(name)}' {what}."
        self.notes.settle(self._reasons)

    def _readable(self, stream: Component) -> ImportedStream:
        """Return a stream as read; raises `UnsupportedError`."""
        key = _key(stream)
        if key not in self._read:
            self._reasons[key] = ""
            with self.notes.pending(key):
                try:
                    self._read[key] = read_stream(stream)
                except UnsupportedError as error:
                    self._read[key] = error
        found = self._read[key]
        if isinstance(found, UnsupportedError):
            raise found
        return found

    def _identity(self, imported: ImportedStream, depth: int = 0) -> str:
        """Return what decides on the rows of a stream, those of its parents included."""
        if depth > DEEPEST:
            return ""
        own = {name: each for name, each in imported.resource.items() if name not in _DESCRIPTIVE}
        above = []
        for parent in imported.parents:
            try:
                above.append(self._identity(self._readable(parent), depth + 1))
            except UnsupportedError as error:
                above.append(str(error))
        request = [own, imported.base_url, imported.auth, above]
        return json.dumps(request, sort_keys=True, default=str)

    def _add(self, name: str, stream: Component, depth: int = 0) -> None:
        """Add a stream below its parents; raises `UnsupportedError`."""
        imported = self._readable(stream)
        if depth > DEEPEST:
            raise UnsupportedError("it has too many generations of parents")
        given = [self._add_parent(parent, depth) for parent in imported.parents]
        try:
            ancestors = self._ancestors(imported, given)
            nearest = self._nearest(given) if len(given) > 1 else None
        except UnsupportedError as error:
            self._refuse(stream, imported, error)
            raise
        if nearest is not None:
            what = f"is read once for each row of '{nearest}', with the values that belong to it"
            text = f"the stream '{shown(name)}' {what}, where Airbyte asks for every pair of rows."
            self.notes.add(stream.path, text)
        resource = _renamed(copy.deepcopy(imported.resource), ancestors)
        self.found[name] = replace(
            imported, resource=resource | {"name": name}, ancestors=ancestors
        )
        self._reasons.pop(_key(stream), None)

    def _add_parent(self, parent: Component, depth: int) -> str:
        """Add a parent, unless that is done; returns its name. Raises `UnsupportedError`."""
        above = self._parent(parent)
        name = self._name(above)
        if name not in self.found:
            if name not in self._listed:
                what = "a resource" if name == above.name else f"the resource '{name}'"
                text = f"the parent '{shown(above.name)}' becomes {what}."
                self.notes.add(parent.path, text)
            self._add(name, self._listed.get(name, parent), depth + 1)
        return name

    def _refuse(self, stream: Component, imported: ImportedStream, error: UnsupportedError) -> None:
        """Leave out a stream because of its parents."""
        self._read[_key(stream)] = error
        what = f"the stream '{shown(imported.name)}' is left out: {error}."
        self._reasons[_key(stream)] = f"{stream.path}: {what}"

    def _ancestors(self, imported: ImportedStream, given: list[str]) -> dict[str, str]:
        """Return the resources above a stream; raises `UnsupportedError`."""
        ancestors: dict[str, str] = {}
        for parent, name in zip(imported.parents, given, strict=True):
            if has_window_key(self.found[name].resource):
                raise UnsupportedError("its parent has rows of windows, which it would read again")
            above = self._readable(parent)
            own = above.name
            _check_fields(imported, above)
            for old, new in [(own, name), *self.found[name].ancestors.items()]:
                if ancestors.setdefault(old, new) != new:
                    raise UnsupportedError(f"two of its parents have the name '{shown(old)}'")
        return ancestors

    def _nearest(self, given: list[str]) -> str:
        """Return the parent that is below the others; raises `UnsupportedError` if none is."""
        for name in given:
            if {name, *self._above(name)}.issuperset(given):
                return name
        raise UnsupportedError(PAIRS)

    def _above(self, name: str) -> set[str]:
        """Return the resources that the requests of one, and of those above it, name."""
        imported = self.found[name]
        text = json.dumps(imported.resource, default=str)
        named = {*_PARENT.findall(text)}.intersection(imported.ancestors.values())
        return named.union(*map(self._above, named))

    def _parent(self, parent: Component) -> ImportedStream:
        try:
            return self._readable(parent)
        except UnsupportedError as error:
            name = name_of(parent)
            if name not in self._listed or _key(self._listed[name]) != _key(parent):
                self.notes.add(parent.path, f"the parent '{shown(name)}' is left out: {error}.")
            raise

    def _name(self, imported: ImportedStream) -> str:
        """Return the name of the resource of a parent."""
        identity, plain, number = self._identity(imported), imported.name, 1
        if identity not in self._names:
            name = plain
            while name in self._listed or name in self._names.values():
                name = f"{plain}_parent" if number == 1 else f"{plain}_parent_{number}"
                number += 1
            self._names[identity] = name
        return self._names[identity]


def _check_fields(imported: ImportedStream, parent: ImportedStream) -> None:
    """Raise `UnsupportedError` for a request with a field that the parent's rows lack."""
    text = json.dumps(imported.resource, default=str)
    for name in parent.computed:
        if re.search(rf"resources\.{parent.name}\.{re.escape(name)}[.\[}}]", text):
            raise UnsupportedError(f"`{shown(name)}` of its parent is computed")
    for name, value in _added_objects(parent):
        place = rf"resources\.{parent.name}\.{re.escape(name)}((?:[.\[][^}}]*)?)}}"
        for rest in re.findall(place, text):
            if not isinstance(member_at(value, rest.split(".")[1:]), str):
                raise UnsupportedError(f"`{shown(name)}` of its parent is an object")


def _added_objects(parent: ImportedStream) -> Iterator[tuple[str, t.Any]]:
    for step in parent.resource.get("processing_steps", ()):
        for name, value in step.get("add_fields", {}).items():
            if isinstance(value, dict | list):
                yield name, value


def _key(stream: Component) -> str:
    """Return what tells descriptions apart: the place, and the parameters that are handed down."""
    return f"{stream.path} {json.dumps(stream.parameters, sort_keys=True, default=str)}"


def _renamed(value: JsonValue, names: dict[str, str]) -> JsonValue:
    """Return a resource with other names of parents in its placeholders."""
    changed = {old: new for old, new in names.items() if old != new}

    def rename(leaf: object) -> object:
        if isinstance(leaf, str):
            for old, new in changed.items():
                for start in (f"{{{RESOURCES}.", f"{{+{RESOURCES}."):
                    leaf = leaf.replace(f"{start}{old}.", f"{start}{new}.")
        return leaf

    return mapped(value, rename)
