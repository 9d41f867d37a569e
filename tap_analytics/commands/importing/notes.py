"""Notes of an import: what was changed or left out, one line each, without duplicates.

`--json` has each note as it was made; others are summarized, so that the same text stands once.
"""

from __future__ import annotations

import contextlib
import re
import typing as t
from collections import defaultdict
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from tap_analytics.commands.importing.loading import Object

#: Maximum number of lines; further notes are only counted.
MOST = 500
_SHOWN = 60
_LISTED = 12
_LEFT_OUT = re.compile(r"(?:.*?: )??the stream ('.+?') is left out: (.+)")
_VARIABLE = re.compile(
    r"(?:(`config\.\S+`) becomes|client: has no (base_url): it becomes) (\$\w+)\."
)
#: The place of a note, a path in the description, and what it says.
_PLACED = re.compile(r"([\w. \[\]-]+): (.+)")
#: The most places that are named of a note.
_PLACES = 3


class UnsupportedError(Exception):
    """A part of a stream that isn't supported; the message names it."""


@dataclass
class Notes:
    """The notes of one import in order, and its `$VARIABLE`s."""

    #: Name of the API, the prefix of the variables.
    api: str
    #: The module that has, or will have, a class for what needs code; None leaves that out.
    plugin: str | None = None
    lines: list[str] = field(default_factory=list)
    #: The variables in use.
    variables: set[str] = field(default_factory=set)
    left_out: int = 0
    #: Number of streams described, and of those taken.
    described: int = 0
    taken: int = 0
    #: Whether an authenticator was left out.
    is_unsigned: bool = False
    _pending: dict[str, list[str]] = field(default_factory=dict)

    def add(self, where: str, text: str) -> None:
        """Add a note; `where` is a line, a resource or a path in a manifest."""
        line = one_line(f"{where}: {text}" if where else text)
        if line in self.lines:
            return
        if len(self.lines) < MOST:
            self.lines.append(line)
        else:
            self.left_out += 1

    @contextlib.contextmanager
    def pending(self, stream: str) -> Iterator[None]:
        """Keep what is noted of a stream until it is known whether it is taken."""
        before, self.lines = self.lines, []
        try:
            yield
        finally:
            self._pending[stream], self.lines = self.lines, before

    def settle(self, refused: Mapping[str, str]) -> None:
        """Add the notes of streams that are taken, of others only why they are `refused`.

        An empty reason leaves out all notes.
        """
        for stream, lines in self._pending.items():
            for line in filter(None, [refused[stream]] if stream in refused else lines):
                self.add("", line)
        self._pending.clear()

    @contextlib.contextmanager
    def provisional(self) -> Iterator[Callable[[], None]]:
        """Drop the notes that are added meanwhile, unless what is yielded is called."""
        before, kept = [*self.lines], []
        try:
            yield lambda: kept.append(True)
        finally:
            if not kept:
                self.lines = before

    def unknown(self, where: str, words: Collection[str], what: str) -> None:
        """Add a note on keys that aren't known or supported."""
        if words:
            self.add(where, f"{listed(words)} {'isn' if len(words) == 1 else 'aren'}'t {what}.")

    def known(self, given: Mapping[str, t.Any], words: Collection[str], where: str) -> Object:
        """Return an object without keys that the tap doesn't support, and note those."""
        unknown = [word for word in given if word not in words]
        self.unknown(where, unknown, "supported: left out")
        return {word: value for word, value in given.items() if word in words}

    def variable(self, name: str) -> str:
        """Return the variable for a value that is missing in the file, or is secret."""
        words = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()[:_SHOWN]
        prefix = re.sub(r"[^A-Z0-9]+", "_", self.api.upper()).strip("_").removesuffix("_API")
        prefix = f"API_{prefix}".rstrip("_") if not prefix or prefix[0].isdecimal() else prefix
        variable = f"${prefix}_{words.removeprefix(f'{prefix}_') or 'VALUE'}"
        self.variables.add(variable)
        return variable

    def new_variable(self, name: str) -> str:
        """Return a variable that isn't in use yet."""
        taken, number = set(self.variables), 1
        while (variable := self.variable(name if number == 1 else f"{name}_{number}")) in taken:
            number += 1
        return variable

    def unsigned(self, where: str, text: str) -> None:
        """Add a note on an authenticator that is left out."""
        self.add(where, f"{text}, so requests carry no credential: set `auth`.")
        self.is_unsigned = True

    def all(self) -> tuple[str, ...]:
        """Return all notes, and the number of further ones."""
        more = (f"{self.left_out} more notes aren't shown.",) if self.left_out else ()
        return (*self.lines, *more)


def one_line(text: str) -> str:
    """Return a text on one line, without control characters."""
    return "".join(c if c.isprintable() else " " for c in text)


def shown(name: object) -> str:
    """Return a name from the file, shortened and on one line."""
    text = one_line(str(name)[: _SHOWN + 1])
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def listed(names: Iterable[object]) -> str:
    """Return names as a list, shortened if long."""
    known = [f"`{shown(name)}`" for name in names]
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return ", ".join(known[:_LISTED]) + more


# --- notes as lines to read -----------------------------------------------------------------------


def summarize(notes: Iterable[str]) -> Iterator[str]:
    """Yield the lines; notes that differ in their place, or in the stream, become one."""
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    variables: dict[str, str] = {}
    #: Places by text; none for a text without a place.
    others: defaultdict[str, list[str]] = defaultdict(list)
    for note in notes:
        if found := _LEFT_OUT.fullmatch(note):
            left_out[found[2]].append(note)
        elif found := _VARIABLE.fullmatch(note):
            variables.setdefault(found[3], found[1] or f"`{found[2]}`")
        elif found := _PLACED.fullmatch(note):
            others[found[2]].append(found[1])
        else:
            others[note] = []
    yield from (_left_out(reason, streams) for reason, streams in left_out.items())
    yield from (_placed(text, places) for text, places in others.items())
    if variables:
        pairs = ", ".join(f"{variable} for {value}" for variable, value in variables.items())
        yield f"variables to set: {pairs}."


def _left_out(reason: str, notes: list[str]) -> str:
    if len(notes) == 1:
        return notes[0]
    names = ", ".join(_LEFT_OUT.sub(r"\1", each) for each in notes)
    return f"left out because {reason.removesuffix('.')}: {names}."


def _placed(text: str, places: list[str]) -> str:
    more = len(places) - _PLACES
    named = ", ".join(places[:_PLACES]) + (f" and {more} more" if more > 0 else "")
    return f"{named}: {text}" if places else text
