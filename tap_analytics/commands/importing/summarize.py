"""The notes of an import as lines to read: what is left out first, the same text once.

`--json` has each note as it was made.
"""

from __future__ import annotations

import re
import typing as t
from collections import defaultdict

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LEFT_OUT = re.compile(r"(?:.*?: )??the stream ('.+?') is left out: (.+)")
_VARIABLE = re.compile(
    r"(?:(`config\.\S+`) becomes|client: has no (base_url): it becomes) (\$\w+)\."
)
#: The place of a note, a path in the description, and what it says.
_PLACED = re.compile(r"([\w. \[\]-]+): (.+)")
#: The most places that are named of a note.
_PLACES = 3


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
