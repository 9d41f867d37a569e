"""What Meltano selects, as its environment variables say; commands are run without a catalog."""

from __future__ import annotations

import json
import typing as t
from fnmatch import fnmatchcase

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: Meltano's rules of what is selected, and of what of that a run is for: `stream.column`, or
#: `!stream.column`; and names of streams.
SELECT, SELECT_FILTER = "MELTANO_EXTRACT__SELECT", "MELTANO_EXTRACT__SELECT_FILTER"


def meltano_selection(environ: Mapping[str, str]) -> Callable[[str], bool]:
    """Return a function that returns whether Meltano selects a stream; all without Meltano."""
    rules = _patterns(environ.get(SELECT))
    dropped = [rule[1:].partition(".") for rule in rules if rule.startswith("!")]
    streams_dropped = [stream for stream, _, column in dropped if column == "*"]
    filters = _patterns(environ.get(SELECT_FILTER))
    kept = [each for each in filters if not each.startswith("!")]
    streams_dropped += [each[1:] for each in filters if each.startswith("!")]
    return lambda name: (
        _matches(name, _streams(rules) or ["*"])
        and _matches(name, kept or ["*"])
        and not _matches(name, streams_dropped)
    )


def meltano_names(name: str, environ: Mapping[str, str]) -> bool | None:
    """Whether a rule of Meltano names a stream, rather than matching it by a pattern like `*.*`.

    None where the process isn't Meltano's.
    """
    if SELECT not in environ:
        return None
    return name in {*_streams(_patterns(environ[SELECT])), *_patterns(environ.get(SELECT_FILTER))}


def _streams(rules: Iterable[str]) -> list[str]:
    """Return the patterns of streams in the rules that select."""
    return [rule.partition(".")[0] for rule in rules if not rule.startswith("!")]


def _patterns(value: str | None) -> list[str]:
    try:
        found = json.loads(value or "[]")
    except ValueError:
        return []
    return [str(each) for each in found] if isinstance(found, list) else []


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
