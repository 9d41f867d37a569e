"""Paths in JSON: `meta.next`, `['@odata.nextLink']`, `data[-1].id`."""

from __future__ import annotations

import functools
import re

#: A member: a name behind a dot, or in brackets a quoted name or an index.
_MEMBER = re.compile(r"""\.([^\s.$*?()\[\]{}'"]+)|\[(?:'([^']+)'|"([^"]+)"|(-?[0-9]{1,9}))\]""")


@functools.lru_cache(maxsize=1024)
def parse_path(text: str) -> tuple[str | int, ...] | None:
    """Return the members of a path, indexes as numbers; None for a text that is no path."""
    rest = text.removeprefix("$")
    # The first name has no dot before it.
    rest = rest if rest.startswith((".", "[")) else f".{rest}"
    if text.startswith(".") or rest.startswith(".@"):
        return None
    members: list[str | int] = []
    end = 0
    while end < len(rest):
        found = _MEMBER.match(rest, end)
        if found is None:
            return None
        name, end = found[1] or found[2] or found[3], found.end()
        members.append(int(found[4]) if name is None else name)
    return tuple(members)


def members_of(path: str) -> tuple[str | int, ...]:
    """Return the members of a path; of a text that is none, its parts between dots."""
    return parse_path(path) or tuple(path.split("."))


def has_index(path: str) -> bool:
    """Whether a path leads through a list."""
    return any(isinstance(member, int) for member in members_of(path))
