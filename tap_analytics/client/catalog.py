"""Streams as the SDK sees them: the catalog, the schema in force, and runs, which are the tap's."""

from __future__ import annotations

import logging
import os
import sys
import typing as t

from singer_sdk.helpers._catalog import get_selected_schema
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from singer_sdk.streams import RESTStream, Stream
from typing_extensions import override

from tap_analytics.config.files import include_always, names_keys
from tap_analytics.config.meltano import meltano_names
from tap_analytics.config.shard import WHOLE
from tap_analytics.pagination import PageToken

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context
    from singer_sdk.mapper import PluginMapper
    from singer_sdk.singerlib import Catalog

    from tap_analytics.config.shard import AnyPart
    from tap_analytics.records.notation import Unit
    from tap_analytics.records.payload import Row
    from tap_analytics.transport.connection import ApiConnection


class Host(t.Protocol):
    """The attributes of the tap that streams use."""

    #: The catalog that was given, if any.
    input_catalog: Catalog | None
    mapper: PluginMapper
    #: Streams by their class, which is how parents are named.
    streams_by_type: Mapping[type[Stream], Stream]
    #: When the run began, in epoch milliseconds.
    initialized_at: int
    #: Connections to the configured APIs, by name.
    connections: Mapping[str, ApiConnection]

    def sync_stream(self, stream: CatalogStream, context: Context | None) -> None:
        """Read one stream to its end, with its children."""


class CatalogStream(RESTStream[PageToken]):
    """A stream with its schema and keys, which the catalog may change."""

    #: Notation of the replication key; None where nothing declares it.
    replication_unit: t.ClassVar[Unit | None] = None
    #: The replication value to begin with where there is neither bookmark nor start date.
    initial_value: t.ClassVar[t.Any] = None
    #: How much before its bookmark a run reads again; a number has the units of `Window.lag`.
    lag: t.ClassVar[float | timedelta] = 0
    #: Whether rows at the final value belong to a run.
    includes_final: t.ClassVar[bool] = False
    #: The field of rows, a path if nested, by which the windows of a range meet; None where it is
    #: read at once.
    meets_at: t.ClassVar[str | None] = None
    #: Whether the replication key is a column of the window in which a row was read.
    has_window_key: t.ClassVar[bool] = False
    #: Parameters of that range, which are sent where it has a start and an end.
    bounds: t.ClassVar[Sequence[str]] = ()
    #: Columns that hold keys of other streams: column, dotted where nested, to `stream.column`.
    references: t.ClassVar[Mapping[str, str]] = {}
    #: What a configuration says about the rows beside their schema.
    declaration: t.ClassVar[Mapping[str, t.Any]] = {}
    #: Whether the schema is one of samples, not declared, and whether this run has sampled it.
    infers_schema: bool = False
    is_sampled: bool = False
    #: Why the stream can't be read, if its schema could not be sampled.
    failure: Exception | None = None
    #: What a run reads of the stream and those below it.
    part: AnyPart = WHOLE
    #: One bookmark per stream, never one per parent.
    state_partitioning_keys: Sequence[str] | None = ()
    _tap: Host  # type: ignore[assignment]  # all that streams may see of it

    @property
    def label(self) -> str:
        """The stream and its endpoint, as messages name them."""
        return f"{self.name} ({self.path})"

    @classmethod
    def known_columns(cls) -> Mapping[str, t.Any]:
        """Return the schemas of the columns that are known without a request."""
        return t.cast("Mapping[str, t.Any]", t.cast("t.Any", cls).schema["properties"])

    @property
    def known_schema(self) -> Mapping[str, t.Any]:
        """The schema as far as it is known without a request."""
        return self.effective_schema

    @property
    def contexts(self) -> Sequence[Context]:
        """The contexts in which a stream without parents is read, besides those of passes.

        Empty for a stream that is read without one.
        """
        return ()

    def windows(
        self,
        start: t.Any,  # noqa: ANN401, ARG002 - a value of the key; for streams with windows
        end: t.Any,  # noqa: ANN401, ARG002 - the same
        *,
        began: datetime | None = None,  # noqa: ARG002 - the same
    ) -> Iterable[PageToken]:
        """Yield the filters of the windows in which a range is read, without gap or overlap.

        `began` is when the reading of the stream began, if it did so earlier than the run.
        """
        return ()

    def reached(self, start: t.Any, end: t.Any, *, began: datetime) -> t.Any:  # noqa: ANN401, ARG002 - values of the key; for keys that are windows
        """Return the bookmark of a range that was read in windows: where the next run begins."""
        return None

    @property
    def is_final(self) -> bool:
        """Whether each window is read once, when it is over, for its rows would come twice."""
        return False

    @property
    def takes_lag(self) -> bool:
        """Whether a run may read again what lies before its bookmark."""
        return True

    @property
    def is_divided(self) -> bool:
        """Whether it is read once for each context: for a parent, or for a value of a list."""
        return self.parent_stream_type is not None or bool(self.contexts)

    @property
    def final_value(self) -> t.Any:  # noqa: ANN401 - a value of the key
        """The replication value to end with where there is no end date."""
        return None

    @property
    def versioned(self) -> bool:
        """Whether rows have a version, so that a target can detect deleted ones."""
        is_full = self.replication_method == REPLICATION_FULL_TABLE
        return is_full and self.emit_activate_version_messages

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply the catalog; keys missing there are those of the stream.

        Under Meltano a stream that isn't selected by default is read only where a rule names it.
        Primary and replication keys can't be deselected, because a run needs them for verification.
        """
        keys, replication_key = self.primary_keys, self.replication_key
        super().apply_catalog(catalog)
        entry = catalog.get_stream(self.name)
        if entry is None:
            return
        if not names_keys(entry):
            self.primary_keys = keys
        if self.replication_method == REPLICATION_INCREMENTAL and not self.replication_key:
            self.replication_key = replication_key
        # The schema is announced with the entry's keys until it changes, then with the stream's.
        entry.key_properties = tuple(self.primary_keys)
        always = [*self.primary_keys, *filter(None, [self.replication_key])]
        include_always(entry, always, columns=self.known_columns())
        self._input_schema = entry.schema.to_dict()
        # Meltano's default rule, `*.*`, selects every stream of a catalog.
        if not self.selected_by_default and meltano_names(self.name, os.environ) is False:
            self.selected = False

    def extend_schema(self, properties: Mapping[str, t.Any]) -> None:
        """Add fields to the schema in force; stream maps are built anew for them."""
        schema = {**self.effective_schema}
        schema["properties"] = {**schema["properties"], **properties}
        self._input_schema = schema
        self._mask = None
        selected = get_selected_schema(self.name, schema, self.mask)
        self._tap.mapper.register_raw_stream_schema(self.name, selected, self.primary_keys)
        self._stream_maps = None

    # --- the SDK's runs ---------------------------------------------------------------------

    @override
    def log(self, message: str, *args: t.Any, level: int = logging.INFO, **kwargs: t.Any) -> None:
        # The SDK logs that an error has passed a stream; the command logs the error itself, once.
        if level < logging.ERROR or sys.exception() is None:
            super().log(message, *args, level=level, **kwargs)

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Row, t.Any, t.Any]:
        # Pages are written whole, so no row is yielded.
        self._tap.sync_stream(self, context)
        yield from ()

    @override
    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        self._tap.sync_stream(self, context)

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Leave it to the end of the sync: only proof of the whole permits deletes."""
