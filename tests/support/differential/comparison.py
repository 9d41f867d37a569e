"""What differs between a tool and the tap that imports its description, beyond what is named."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from support.differential.construct import Construct, Description, Rows
    from support.differential.tap import Imported
    from support.differential.tools import Outcome


def differences(construct: Construct, tool: str, found: Imported, other: Outcome) -> list[str]:
    """Return a line for each difference, and for each that is named but isn't there."""
    description = t.cast("Description", construct.description(tool))
    if found.missing:
        is_named = description.left_out and any(
            description.left_out in note for note in found.notes
        )
        return [] if is_named else [*found.missing, *found.notes]
    if description.left_out:
        return [f"the import takes it, it is said: {description.left_out}"]
    asked, theirs = Counter(found.requests), Counter(other.requests)
    return [
        *_unnamed("only the tap asks", asked - theirs, description.more),
        *_unnamed("only the tool asks", theirs - asked, description.fewer),
        *other_rows("the tap", construct, found.rows),
        *not_again("the tap", construct, found.changed),
        *_ends(construct, found),
        *_losses(construct, description, other),
    ]


def _unnamed(what: str, requests: Counter[str], named: Mapping[str, str]) -> Iterable[str]:
    for request in requests:
        if not any(re.fullmatch(pattern, request) for pattern in named.values()):
            yield f"{what}: {request}"
    for reason, pattern in named.items():
        if not any(re.fullmatch(pattern, request) for request in requests):
            yield f"{what}, it is said for {reason}: {pattern}"


def other_rows(what: str, construct: Construct, rows: Rows) -> list[str]:
    """Return a line for each row that is missing, and for each that the API hasn't."""
    lines = []
    for stream, truth in construct.rows.items():
        expected, found = _bag(truth), _bag(_without(rows[stream], construct.columns))
        lines += [f"{what} lacks of {stream}: {row}" for row in (expected - found).elements()]
        lines += [f"{what} has in {stream}: {row}" for row in (found - expected).elements()]
    return lines


def not_again(what: str, construct: Construct, rows: Rows) -> list[str]:
    """Return a line for each row that a second run lacks, and for each that is in neither."""
    lines = []
    for stream, truth in construct.changed.items():
        expected, found = _bag(truth), _bag(_without(rows.get(stream, ()), construct.columns))
        known = _bag(construct.rows[stream])
        lines += [f"{what} lacks of {stream}, second run: {row}" for row in expected - found]
        lines += [f"{what} has in {stream}, second run: {row}" for row in found - expected - known]
    return lines


def _ends(construct: Construct, found: Imported) -> Iterable[str]:
    for stream, verdict in found.verdicts.items():
        expected, failure = construct.verdicts.get(stream), found.failures[stream]
        if expected and verdict != expected:
            yield f"{stream} is {verdict}, it is said to be {expected}"
        elif not expected and (failure or verdict not in {"verified", "consistent"}):
            yield f"{stream} is {verdict}: {failure}"


def _losses(construct: Construct, description: Description, other: Outcome) -> Iterable[str]:
    lost = [
        *other_rows("the tool", construct, other.rows),
        *not_again("the tool", construct, other.changed),
        *filter(None, [other.error]),
    ]
    if description.loses and not lost:
        yield f"the tool has all rows, it is said: {description.loses}"
    elif not description.loses:
        yield from lost


def _without(rows: Iterable[Mapping[str, t.Any]], columns: Iterable[str]) -> list[t.Any]:
    return [{name: value for name, value in row.items() if name not in columns} for row in rows]


def _bag(rows: Iterable[Mapping[str, t.Any]]) -> Counter[str]:
    return Counter(
        json.dumps(row, sort_keys=True, ensure_ascii=False, default=float) for row in rows
    )
