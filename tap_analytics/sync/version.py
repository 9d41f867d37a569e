"""The version of a stream's rows: a target deletes rows of older versions."""

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
        #: Aliases under which a stream map has left out rows.
        self.filtered: set[str] = set()

    @property
    def number(self) -> int | None:
        """The version of the rows; None where they have none."""
        return self._stream._stream_version if self._stream.selected else None  # noqa: SLF001 - as the SDK's record messages carry it

    def begin(self) -> None:
        """Set the version of a new run."""
        if self._stream.versioned:
            self._stream._stream_version = self._stream._initialized_at  # noqa: SLF001 - as the SDK's sync() sets it

    def resume(self, number: int | None) -> None:
        """Set the version of an earlier run."""
        if number is not None and self._stream.versioned:
            self._stream._stream_version = number  # noqa: SLF001 - as above
            # The earlier run may have left out rows.
            maps = [each for each in self._stream.stream_maps if isinstance(each, CustomStreamMap)]
            self.filtered.update(each.stream_alias for each in maps)

    def activate(self) -> None:
        """Let a target delete the rows of older versions.

        Not under an alias under which a stream map has left out rows: the source still has them.
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
