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
    left_out, others, placed, variables = _grouped(notes)
    for reason, streams in left_out.items():
        whole = streams[0] if len(streams) == 1 else None
        names = ", ".join(_LEFT_OUT.sub(r"\1", each) for each in streams)
        yield whole or f"left out because {reason.removesuffix('.')}: {names}."
    for text in others:
        places = placed.get(text, ())
        more = len(places) - _PLACES
        named = ", ".join(places[:_PLACES])
        named += f" and {more} more" if more > 0 else ""
        yield f"{named}: {text}" if places else text
    if variables:
        pairs = ", ".join(f"{variable} for {value}" for value, variable in variables)
        yield f"variables to set: {pairs}."


def _grouped(
    notes: Iterable[str],
) -> tuple[dict[str, list[str]], list[str], dict[str, list[str]], list[tuple[str, str]]]:
    """Return streams left out by reason, other texts, the places of these, and variables."""
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    placed: defaultdict[str, list[str]] = defaultdict(list)
    variables: list[tuple[str, str]] = []
    others: dict[str, None] = {}
    for note in notes:
        if found := _LEFT_OUT.fullmatch(note):
            left_out[found[2]].append(note)
        elif found := _VARIABLE.fullmatch(note):
            variables.append((found[1] or f"`{found[2]}`", found[3]))
        elif found := _PLACED.fullmatch(note):
            others[found[2]] = None
            placed[found[2]].append(found[1])
        else:
            others[note] = None
    return left_out, [*others], placed, variables
