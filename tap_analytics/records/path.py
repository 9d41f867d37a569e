"""Paths in JSON: `meta.next`, `['@odata.nextLink']`, `data[-1].id`, `links[?@.rel=='next']`."""

from __future__ import annotations

import functools
import re
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Sequence

#: A member: a name behind a dot, or in brackets a quoted name or an index.
_MEMBER = re.compile(r"""\.([^\s.$*?()\[\]{}'"]+)|\[(?:'([^']+)'|"([^"]+)"|(-?[0-9]{1,9}))\]""")
#: A filter, with the parentheses that older dialects of JSONPath want.
_MATCH = re.compile(
    r"""\[\?(\()?\s*@\.([^\s.$*?=()\[\]{}'"]+)\s*==\s*(?:'([^']*)'|"([^"]*)")\s*(?(1)\))\]"""
)

#: What is between paths of which the first with a value counts, outside of brackets.
_OR = re.compile(r"\s*\|\s*(?![^\[\]]*\])")


@dataclass(frozen=True)
class Match:
    """The first object of a list in which a member has a value."""

    name: str
    value: str

    def find(self, items: Sequence[object]) -> object:
        """Return the object; `...` if there is none."""
        fitting = (each for each in items if isinstance(each, dict))
        return next((each for each in fitting if each.get(self.name) == self.value), ...)


Segment = str | int | Match


@functools.lru_cache(maxsize=1024)
def parse_path(text: str) -> tuple[Segment, ...] | None:
    """Return the members of a path, indexes as numbers; None for a text that is no path."""
    rest = text.removeprefix("$")
    # The first name has no dot before it.
    rest = rest if rest.startswith((".", "[")) else f".{rest}"
    if text.startswith(".") or rest.startswith(".@"):
        return None
    members: list[Segment] = []
    end = 0
    while end < len(rest):
        if matched := _MATCH.match(rest, end):
            members.append(Match(matched[2], matched[3] or matched[4] or ""))
            end = matched.end()
            continue
        found = _MEMBER.match(rest, end)
        if found is None:
            return None
        name, end = found[1] or found[2] or found[3], found.end()
        members.append(int(found[4]) if name is None else name)
    return tuple(members)


def members_of(path: str) -> tuple[Segment, ...]:
    """Return the members of a path; of a text that is none, its parts between dots."""
    return parse_path(path) or tuple(path.split("."))


def alternatives(text: str) -> tuple[str, ...]:
    """Return the paths in a text such as `meta.next | links.next`."""
    return tuple(_OR.split(text))


def has_index(text: str) -> bool:
    """Whether a path, or one of several, leads through a list."""
    return any(isinstance(each, int) for path in alternatives(text) for each in members_of(path))


def counts_from_end(text: str) -> bool:
    """Whether a path, or one of several, leads through the last items of a list."""
    members = (each for path in alternatives(text) for each in members_of(path))
    return any(isinstance(each, int) and each < 0 for each in members)
