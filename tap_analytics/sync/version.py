"""The version of a stream's rows: a target deletes rows of older versions."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from singer_sdk.mapper import CustomStreamMap, RemoveRecordTransform
from singer_sdk.singerlib import ActivateVersionMessage

if t.TYPE_CHECKING:
    from tap_analytics.client import AnalyticsStream
    from tap_analytics.records.writer import MessageWriter


@dataclass(frozen=True, slots=True)
class TableVersion:
    """The version of one stream in a run."""

    stream: AnalyticsStream
    writer: MessageWriter
    #: Aliases under which a stream map has left out rows.
    filtered: set[str] = field(default_factory=set)

    @property
    def number(self) -> int | None:
        """The version of the rows; None where they have none."""
        return self.stream._stream_version if self.stream.selected else None  # noqa: SLF001 - as the SDK's record messages carry it

    def begin(self, number: int | None = None) -> None:
        """Set the version of a new run, by default the time it began."""
        if self.stream.versioned:
            self.stream._stream_version = number or self.stream._initialized_at  # noqa: SLF001 - as the SDK's sync() sets it

    def resume(self, number: int | None) -> None:
        """Set the version of an earlier run."""
        if number is not None and self.stream.versioned:
            self.stream._stream_version = number  # noqa: SLF001 - as above
            # The earlier run may have left out rows.
            maps = [each for each in self.stream.stream_maps if isinstance(each, CustomStreamMap)]
            self.filtered.update(each.stream_alias for each in maps)

    def activate(self) -> None:
        """Let a target delete the rows of older versions.

        Not under an alias under which a stream map has left out rows: the source still has them.
        """
        if self.number is None:
            return
        for stream_map in self.stream.stream_maps:
            alias = stream_map.stream_alias
            if isinstance(stream_map, RemoveRecordTransform):
                continue
            if alias in self.filtered:
                self.stream.logger.warning(
                    "A stream map leaves out rows of %s, so nothing is deleted in the target.",
                    alias,
                )
            else:
                message = ActivateVersionMessage(stream=alias, version=self.number)
                self.writer.write_message(message)
