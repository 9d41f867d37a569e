"""The version of a stream's rows, by which a target deletes those that no longer come."""

from __future__ import annotations

import typing as t

from singer_sdk.mapper import CustomStreamMap, RemoveRecordTransform
from singer_sdk.singerlib import ActivateVersionMessage

if t.TYPE_CHECKING:
    from tap_analytics.client import AnalyticsStream
    from tap_analytics.records.writer import MessageWriter


class TableVersion:
    """The version of one stream in a run; the SDK's record messages carry it too."""

    def __init__(self, stream: AnalyticsStream, writer: MessageWriter) -> None:
        self._stream = stream
        self._writer = writer
        #: Aliases under which a stream map has left out rows, which are not to be deleted.
        self.filtered: set[str] = set()

    @property
    def number(self) -> int | None:
        """What the rows carry; None where they carry no version."""
        return self._stream._stream_version if self._stream.selected else None  # noqa: SLF001 - as the SDK's record messages carry it

    def begin(self) -> None:
        """Give the rows of this run a version of their own."""
        if self._stream.versioned:
            self._stream._stream_version = self._stream._initialized_at  # noqa: SLF001 - as the SDK's sync() sets it

    def resume(self, number: int | None) -> None:
        """Give the rows that come the version of an earlier run."""
        if number is not None and self._stream.versioned:
            self._stream._stream_version = number  # noqa: SLF001 - as above
            # Which rows the earlier run left out is not known.
            maps = [each for each in self._stream.stream_maps if isinstance(each, CustomStreamMap)]
            self.filtered.update(each.stream_alias for each in maps)

    def activate(self) -> None:
        """Let a target delete the rows that didn't come, if rows carry a version.

        Not under an alias that a stream map has left out rows of: the source still has them.
        """
        if self.number is None:
            return
        for stream_map in self._stream.stream_maps:
            alias = stream_map.stream_alias
            if isinstance(stream_map, RemoveRecordTransform):
                continue
            if alias in self.filtered:
                self._stream.logger.warning(
                    "A stream map leaves out rows of %s, so nothing is deleted in the target.",
                    alias,
                )
            else:
                message = ActivateVersionMessage(stream=alias, version=self.number)
                self._writer.write_message(message)
