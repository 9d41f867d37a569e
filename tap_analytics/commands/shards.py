"""`tap-analytics shards`: divide a sync into parts that several processes read side by side.

What is cheap and exact is divided: streams from each other, windows of time where the API filters
by both ends, ranges of rows where it tells a total, children by the digest of their parent's key. A
list of which only the next page is known is read by one shard.
"""

from __future__ import annotations

import argparse
import math
import os
import typing as t
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec

from tap_analytics.commands import base
from tap_analytics.commands.plan.sample import Basis
from tap_analytics.commands.plan.sync_plan import SyncPlan
from tap_analytics.config.files import read_json_file
from tap_analytics.config.meltano import meltano_selection
from tap_analytics.config.shard import (
    SHARDS,
    WHOLE,
    AnyPart,
    KeyGroup,
    RowRange,
    SchemaOnly,
    Shard,
    ShardedSync,
    TimeRange,
    ValueGroup,
)
from tap_analytics.errors import InputError, explain
from tap_analytics.pagination import NumberedStrategy, Offset
from tap_analytics.pagination.position import MEMBER
from tap_analytics.pagination.strategies.metadata import whole_number
from tap_analytics.records.notation import in_unit, moment_of
from tap_analytics.streams.scope import (
    is_optional,
    keeps_replication_key,
    open_bookmark,
    read_children,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.plan.sync_plan import Estimate
    from tap_analytics.tap import TapAnalytics

#: Requests below which a part isn't worth the start of a process.
SMALLEST = 4


def main(argv: Sequence[str]) -> int:
    """Print the shards as JSON; return 1 if a stream can't be planned and isn't optional."""
    parser = base.parser("shards", "Divide a sync for several processes.", with_json=False)
    parser.add_argument(
        "--count", type=_count, required=True, metavar="N", help="how many shards there are at most"
    )
    parser.add_argument(
        "--folder",
        metavar="FOLDER",
        help="write the shards into a folder, and a configuration file for each",
    )
    parser.add_argument("--catalog", metavar="FILE", help="divide what this catalog selects")
    parser.add_argument("--state", metavar="FILE", help="begin with this state")
    return base.run(_print, parser.parse_args(argv))


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 10_000:  # noqa: PLR2004 - a bound that shows its meaning
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 10000")
    return int(text)


def _print(options: argparse.Namespace) -> int:
    tap = base.open_tap(
        options,
        catalog=read_json_file(options.catalog, "catalog"),
        state=read_json_file(options.state, "state"),
        setup_mapper=False,
    )
    tap.require_api()
    selects = meltano_selection({} if options.catalog else os.environ)
    plan = SyncPlan(tap, selects=selects)
    for each in plan.estimates:
        if each.error and not is_optional(each.stream, each.error):
            raise InputError(f"{each.stream.name} can't be planned: {explain(each.error)}")
    made = divide(tap, plan.estimates, count=options.count)
    if options.folder is None:
        base.put(_json(made).decode())
    else:
        _write(Path(options.folder), made)
    return 0


def _write(folder: Path, made: ShardedSync) -> None:
    configs = folder / "configs"
    configs.mkdir(parents=True, exist_ok=True)
    (folder / SHARDS).write_bytes(_json(made))
    for shard in (made.prepare, *made.shards):
        summary = str(folder / f"{shard.id}.json")
        (configs / f"{shard.id}.json").write_bytes(_json({"shard": shard, "summary_path": summary}))


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"


@dataclass(order=True)
class _Piece:
    """A part of a stream and the streams below it."""

    requests: float
    stream: str = field(compare=False)
    part: AnyPart = field(compare=False)


def divide(tap: TapAnalytics, estimates: Sequence[Estimate], *, count: int) -> ShardedSync:
    """Return shards with about as many requests each, which cover the sync once."""
    run, version = uuid.uuid4().hex, tap.initialized_at
    trees: dict[str, list[Estimate]] = {}
    for each in estimates:
        trees.setdefault(each.root, []).append(each)
    total = sum(each.figures.requests for each in estimates)
    share = max(SMALLEST, math.ceil(total / count))
    pieces = [piece for tree in trees.values() for piece in _pieces(tree, share, most=count)]
    filled = [each for each in _pack(pieces, count) if each]

    def shard(name: str, parts: dict[str, AnyPart], requests: float) -> Shard:
        return Shard(
            run=run,
            id=name,
            count=len(filled),
            version=version,
            streams=parts,
            bookmarks=_bookmarks(tap, parts, trees),
            requests=round(requests),
        )

    return ShardedSync(
        run=run,
        version=version,
        prepare=shard("prepare", dict.fromkeys(trees, SchemaOnly()), 0),
        shards=[
            shard(
                f"{number}-of-{len(filled)}",
                {piece.stream: piece.part for piece in pieces},
                sum(piece.requests for piece in pieces),
            )
            for number, pieces in enumerate(filled, start=1)
        ],
    )


def _bookmarks(
    tap: TapAnalytics, roots: Iterable[str], trees: Mapping[str, Sequence[Estimate]]
) -> dict[str, t.Any]:
    """Return the bookmarks of streams and of those below them, without positions."""
    stored = tap.state.get("bookmarks", {})
    names = [each.stream.name for root in roots for each in trees[root]]
    return {
        name: {member: value for member, value in stored[name].items() if member != MEMBER}
        for name in sorted(names)
        if name in stored
    }


def _pack(pieces: Sequence[_Piece], count: int) -> list[list[_Piece]]:
    """Return the pieces in so many groups of about the same weight, none with a stream twice."""
    groups: list[list[_Piece]] = [[] for _ in range(count)]
    for piece in sorted(pieces, reverse=True):
        free = [each for each in groups if all(one.stream != piece.stream for one in each)]
        min(free, key=lambda each: sum(one.requests for one in each)).append(piece)
    return groups


# --- the parts of one stream ------------------------------------------------------------------


def _pieces(tree: Sequence[Estimate], share: int, *, most: int) -> Iterator[_Piece]:
    """Yield the parts of a stream and those below it, each of about a share of requests.

    As many as there can be, where nothing tells how many requests they take.
    """
    root, below = tree[0], sum(each.figures.requests for each in tree[1:])
    weight = root.figures.requests + below
    is_open = any(each.figures.basis is Basis.AT_LEAST for each in tree)
    number = most if is_open else min(most, math.ceil(weight / share))
    parts = _parts(root, number) if number > 1 and root.error is None else [WHOLE]
    # Each group of children takes the list of all parents.
    shared = root.figures.requests if isinstance(parts[0], KeyGroup) else 0
    for part in parts:
        requests = shared + (weight - shared) / len(parts)
        yield _Piece(requests=requests, stream=root.stream.name, part=part)


def _parts(root: Estimate, number: int) -> Sequence[AnyPart]:
    stream = root.stream
    if _has_window_key(stream):
        # Shards that begin at other moments would read other windows.
        return [WHOLE]
    if lists := len(stream.contexts):
        groups = min(number, lists)
        return [ValueGroup(group=each, of=groups) for each in range(groups)]
    if not stream.primary_keys:
        return [WHOLE]
    if read_children(stream):
        return [KeyGroup(group=each, of=number) for each in range(number)]
    # Row numbers count within one window only.
    ranges = _ranges(root, number) if stream.meets_at is None else []
    return _windows(stream, number) or ranges or [WHOLE]


def _has_window_key(stream: AnalyticsStream) -> bool:
    """Whether the bookmark of a stream, or of one below it, is where windows end."""
    return stream.has_window_key or any(map(_has_window_key, read_children(stream)))


def _windows(stream: AnalyticsStream, number: int) -> list[AnyPart]:
    """Return windows of time where the API filters by both ends and no row lacks the time."""
    bookmark = open_bookmark(stream)
    if bookmark is None or bookmark.key not in stream.primary_keys:
        return []
    window, unit = bookmark.window, bookmark.window.request_unit
    begin, end = moment_of(window.start, unit), moment_of(window.end, unit) or datetime.now(UTC)
    if begin is None or unit is None or begin >= end or not keeps_replication_key(stream):
        return []
    first, last = in_unit(begin, unit), in_unit(end, unit)
    if stream.window(first, last) in (stream.window(first, None), stream.window(None, last)):
        return []
    inner = [_whole_second(begin + (end - begin) / number * each) for each in range(1, number)]
    bounds = [None, *(each.isoformat().replace("+00:00", "Z") for each in inner), None]
    return [TimeRange(start=start, end=end) for start, end in pairwise(bounds)]


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _ranges(root: Estimate, number: int) -> list[AnyPart]:
    """Return ranges of rows where pages are numbered from a known number on, with a total."""
    found, paging = root.figures, root.stream.paging
    if found.basis is not Basis.TOTAL or not isinstance(paging, NumberedStrategy):
        return []
    if not paging.is_whole:
        return []
    first = whole_number(paging.start().get(paging.number_param))
    if (
        first is None
        or root.stream.meets_at is not None
        or root.stream.newest_first
        or getattr(paging, "base_page", 0) is None
    ):
        return []
    size = found.per_page
    step = size if isinstance(paging, Offset) else 1
    pages = math.ceil(found.read / size)
    starts = range(0, pages, math.ceil(pages / number))
    return [
        RowRange(
            start=page * size,
            end=None if following is None else following * size,
            number=first + page * step,
        )
        for page, following in zip(starts, [*starts[1:], None], strict=True)
    ]
