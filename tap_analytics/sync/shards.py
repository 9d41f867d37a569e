"""Concludes the shards of a sync: what one of them alone may not do.

A shard writes rows and positions to resume from. Bookmarks and versions depend on the whole, so
they move here, once every part is there, proven, and meets the next one.
"""

from __future__ import annotations

import typing as t
from itertools import pairwise

import msgspec

from tap_analytics.config.shard import SHARDS, KeyGroup, ShardedSync, ValueGroup, Whole
from tap_analytics.errors import SyncFailedError, TapError
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.records.notation import parse_iso
from tap_analytics.reporting.numbers import plural
from tap_analytics.reporting.report.summary import Summary
from tap_analytics.streams.scope import open_bookmark, read_children
from tap_analytics.sync.completion import move_bookmark
from tap_analytics.sync.version import TableVersion

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from singer_sdk.streams import Stream

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.config.shard import AnyPart, PartResult, Shard
    from tap_analytics.reporting.report.summary import StreamSummary
    from tap_analytics.reporting.run import Run


#: Lines that a conclusion logs at most.
MOST_LINES = 8


class ShardError(TapError):
    """Shards that can't be concluded."""


def conclude_shards(run: Run, streams: Iterable[Stream], folder: str) -> None:
    """Write what follows from the shards of a sync, whose files are in a folder or below a URL.

    Raises `SyncFailedError` if a shard is missing, failed or not proven, and `ShardError` for files
    that can't be read; then nothing is written.
    """
    sharded, summaries = _read(folder)
    names = {name for shard in sharded.shards for name in shard.streams}
    roots = [
        stream for stream in t.cast("Iterable[AnalyticsStream]", streams) if stream.name in names
    ]
    if missing := names - {root.name for root in roots}:
        raise ShardError(f"The shards read streams this tap doesn't have: {', '.join(missing)}.")
    conclusion = Conclusion(run, roots, sharded, summaries)
    problems = [*conclusion.problems()]
    for line in problems[:MOST_LINES]:
        run.logger.error("%s", line)
    if problems:
        raise SyncFailedError(f"{len(problems)} problems with the shards of run {sharded.run}")
    conclusion.write()
    shards = plural(len(sharded.shards), "shard")
    run.logger.info("Concluded %s of run %s.", shards, sharded.run)


def _read(folder: str) -> tuple[ShardedSync, list[Summary]]:
    """Return the shards and the summaries that are there."""
    # Slow to import, and seldom needed.
    import fsspec  # noqa: PLC0415

    sharded, summaries = None, []
    try:
        files = fsspec.open_files(f"{folder.rstrip('/')}/*.json", mode="rb")
        for each in files:
            with each as file:
                content = file.read()
            if each.path.rsplit("/", maxsplit=1)[-1] == SHARDS:
                sharded = msgspec.json.decode(content, type=ShardedSync)
            else:
                summaries.append(msgspec.json.decode(content, type=Summary))
    except (OSError, ImportError, ValueError, msgspec.MsgspecError) as error:
        raise ShardError(f"The shards in {folder} can't be read: {error}.") from None
    if sharded is None:
        raise ShardError(
            f"{folder} has no {SHARDS}. Write there what `tap-analytics shards` prints, and the "
            "summary of each shard beside it."
        )
    return sharded, summaries


class Conclusion:
    """Concludes the shards of a sync from their summaries.

    `roots` are the streams without a parent that the shards read.
    """

    def __init__(
        self,
        run: Run,
        roots: Sequence[AnalyticsStream],
        sharded: ShardedSync,
        summaries: Iterable[Summary],
    ) -> None:
        self._run = run
        self._streams = roots
        self._sharded = sharded
        self._summaries = _latest(sharded, summaries)

    def problems(self) -> Iterator[str]:
        """Yield a line for each shard that is missing, failed or not proven."""
        yield from self._problems_of_shards()
        for root in self._streams:
            parts = self._parts(root)
            if not parts:
                yield f"{root.name}: no shard reads it. Run `tap-analytics shards` again."
            yield from _gaps(root.name, parts)
            for stream in _tree(root):
                yield from self._problems_of(stream, [shard for shard, _ in parts])

    def write(self) -> None:
        """Write the SCHEMA and ACTIVATE_VERSION of each stream, and the STATE."""
        for root in self._streams:
            shards = [shard for shard, _ in self._parts(root)]
            for stream in _tree(root):
                found = [self._result(shard, stream) for shard in shards]
                if any(each is None or each.part is None for each in found):
                    # One that `optional_streams` names.
                    self._run.logger.warning("%s was not read; nothing of it moves.", stream.name)
                    continue
                self._conclude(stream, [each.part for each in found if each and each.part])
        with self._run.writer.lock:
            self._run.state_output.write()

    def _conclude(self, stream: AnalyticsStream, parts: Sequence[PartResult]) -> None:
        stream._write_schema_message()  # noqa: SLF001 - the SDK's own way to announce a schema
        version = TableVersion(stream, self._run.writer)
        version.begin(self._sharded.version)
        version.filtered.update(*(part.filtered for part in parts))
        began = min(_moment(part.began) for part in parts)
        bookmark = open_bookmark(stream)
        if bookmark is not None:
            bookmark.opened = began.replace(microsecond=0)
            for part in parts:
                bookmark.resume(part.highest)
                if bookmark.parents is not None:
                    bookmark.parents.add_state(part.parents)
        with self._run.writer.lock:
            version.activate()
            move_bookmark(stream, bookmark, self._run.state, began=began)

    # --- what is missing --------------------------------------------------------------------

    def _problems_of_shards(self) -> Iterator[str]:
        for shard in self._sharded.shards:
            summary = self._summaries.get(shard.id)
            if summary is None:
                yield f"Shard {shard.id} has no summary of run {self._sharded.run}. Run it."
            elif summary.exit_code:
                yield f"Shard {shard.id} ended with exit code {summary.exit_code}. Run it again."

    def _problems_of(self, stream: AnalyticsStream, shards: Sequence[Shard]) -> Iterator[str]:
        for shard in shards:
            found = self._result(shard, stream)
            if shard.id not in self._summaries or self._summaries[shard.id].exit_code:
                continue
            if found is None:
                yield f"{stream.name}: shard {shard.id} did not read it. Run it again."
            elif found.status != "complete" and not found.optional:
                yield f"{stream.name}: shard {shard.id} did not complete it. Run it again."
            elif found.status == "complete" and (why := _doubt(found)):
                yield f"{stream.name}: shard {shard.id} did not prove it: {why}."
            elif found.part is not None and found.part.source != stream.connection.source:
                yield f"{stream.name}: shard {shard.id} read it from another source. Run it again."

    def _parts(self, root: AnalyticsStream) -> list[tuple[Shard, PartResult | None]]:
        """Return the shards that read a root stream, in the order of its rows."""
        shards = [shard for shard in self._sharded.shards if root.name in shard.streams]
        shards.sort(key=lambda shard: _place(shard.streams[root.name]))
        found = ((shard, self._result(shard, root)) for shard in shards)
        return [(shard, None if each is None else each.part) for shard, each in found]

    def _result(self, shard: Shard, stream: AnalyticsStream) -> StreamSummary | None:
        summary = self._summaries.get(shard.id)
        return None if summary is None else summary.streams.get(stream.name)


def _latest(sharded: ShardedSync, summaries: Iterable[Summary]) -> dict[str, Summary]:
    """Return the last summary of each shard of a sync."""
    found: dict[str, Summary] = {}
    for summary in sorted(summaries, key=lambda summary: _moment(summary.ended)):
        shard = summary.shard
        if shard is not None and shard.run == sharded.run:
            found[shard.id] = summary
    return found


def _tree(stream: AnalyticsStream) -> Iterator[AnalyticsStream]:
    """Yield the selected streams of a tree."""
    if stream.selected:
        yield stream
    for child in read_children(stream):
        yield from _tree(child)


def _doubt(found: StreamSummary) -> str | None:
    verdict = Verdict(found.verdict)
    return found.doubt or (None if verdict.complete else verdict.value)


def _place(part: AnyPart) -> tuple[bool, t.Any]:
    """Return where a part begins, for sorting; one without a start is the first."""
    start = getattr(part, "group", getattr(part, "start", None))
    return start is not None, start


def _gaps(name: str, parts: Sequence[tuple[Shard, PartResult | None]]) -> Iterator[str]:
    """Yield a line for each place where two parts of a stream don't meet."""
    pieces = [shard.streams[name] for shard, _ in parts]
    if not _covers(pieces):
        yield f"{name}: the shards don't cover it once. Run `tap-analytics shards` again."
    for (left, before), (right, behind) in pairwise(parts):
        keys = before and before.next_key, behind and behind.first_key
        if before is not None and behind is not None and keys[0] != keys[1]:
            yield (
                f"{name}: rows moved between the shards {left.id} and {right.id}, which don't "
                "meet. Run both again, close to each other."
            )


def _covers(pieces: Sequence[AnyPart]) -> bool:
    """Whether the parts of a stream, in order, cover it once."""
    if len({type(piece) for piece in pieces}) != 1:
        return False
    first = pieces[0]
    if isinstance(first, Whole):
        return len(pieces) == 1
    if isinstance(first, (KeyGroup, ValueGroup)):
        groups = t.cast("Sequence[KeyGroup]", pieces)
        expected = [(number, len(groups)) for number in range(len(groups))]
        return [(each.group, each.of) for each in groups] == expected
    starts = [piece.start for piece in t.cast("Sequence[t.Any]", pieces)]
    ends = [piece.end for piece in t.cast("Sequence[t.Any]", pieces)]
    return starts[0] in {None, 0} and ends[-1] is None and starts[1:] == ends[:-1]


def _moment(text: str) -> datetime:
    found = parse_iso(text)
    if found is None:
        raise ShardError(f"A summary has {text!r} where a time is expected. Run its shard again.")
    return found
