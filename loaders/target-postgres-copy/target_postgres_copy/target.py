"""The target: target-postgres, with another way for the rows."""

from __future__ import annotations

import signal
import sys
import typing as t

import psycopg
import simplejson
import sqlalchemy as sa
from singer_sdk import exceptions
from singer_sdk.helpers._batch import BaseBatchFileEncoding
from singer_sdk.singerlib.exceptions import InvalidInputLine
from target_postgres.target import TargetPostgres

from target_postgres_copy.errors import LoadError
from target_postgres_copy.reader import BlockReader, Interrupted
from target_postgres_copy.sink import CopySink
from target_postgres_copy.writer import Writer

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from singer_sdk.sinks import Sink

#: A batch ends at this size, whatever its number of rows; and so does the largest of all batches
#: when they exceed the second bound together.
_BATCH_BYTES, _ALL_BATCHES_BYTES = 16 << 20, 48 << 20

#: What input and server do wrong; anything else is a bug and gets its traceback.
_EXPECTED = (
    LoadError,
    psycopg.Error,
    sa.exc.SQLAlchemyError,
    InvalidInputLine,
    exceptions.InvalidJSONSchema,
    exceptions.InvalidRecord,
    exceptions.MissingKeyPropertiesError,
    exceptions.RecordsWithoutSchemaException,
    NotImplementedError,
    OSError,
    ValueError,
)


class TargetPostgresCopy(TargetPostgres):
    """Singer target for PostgreSQL: target-postgres' settings and tables, rows by COPY."""

    name = "target-postgres-copy"
    package_name = "target-postgres-copy"
    default_sink_class = CopySink

    def __init__(self, **kwargs: t.Any) -> None:
        self._signal = 0
        self._is_waiting = False
        super().__init__(**kwargs)
        # The parent's own COPY changes values.
        self._config["use_copy"] = False
        # The writer is the only one that writes; more threads would only wait for it.
        self.max_parallelism = 1
        self.message_reader = BlockReader(self)
        self.writer = Writer(self._connect)
        self.fast_sinks: dict[str, CopySink] = {}

    def _connect(self) -> psycopg.Connection:
        """Connect as target-postgres does, for the writer alone."""
        pooled = self.target_connector._engine.raw_connection()  # noqa: SLF001 - as in the parent
        connection = t.cast("psycopg.Connection", pooled.driver_connection)
        pooled.detach()
        connection.autocommit = True
        return connection

    # Reading

    def prepare(self) -> None:
        """Connect, and take back the signals, which an SSH tunnel takes for itself."""
        _ = self.target_connector
        self._setup_signal_handlers()

    def wait_for(self, read: Callable[[], bytes]) -> bytes:
        """Read, and let a signal end the wait; anywhere else it only leaves word."""
        try:
            self._is_waiting = True
            if self._signal:
                raise Interrupted
            return read()
        finally:
            self._is_waiting = False

    def after_block(self) -> None:
        """Notice a lost server and old rows."""
        self.writer.check()
        self._handle_max_record_age()

    def bound_memory(self) -> None:
        """Write batches that have become large."""
        sinks = [s for s in self._sinks_active.values() if isinstance(s, CopySink)]
        largest = max(sinks, key=lambda sink: sink.pending_bytes, default=None)
        if largest is None:
            return
        total = sum(sink.pending_bytes for sink in sinks)
        if largest.pending_bytes >= _BATCH_BYTES or total >= _ALL_BATCHES_BYTES:
            self.drain_one(largest)

    def get_sink(
        self,
        stream_name: str,
        *,
        record: dict[str, t.Any] | None = None,
        schema: dict[str, t.Any] | None = None,
        key_properties: Sequence[str] | None = None,
    ) -> Sink:
        """Return a stream's sink; a new one begins after the last row of the old one is there."""
        old = self._sinks_active.get(stream_name)
        if schema is not None and isinstance(old, CopySink):
            old.retire()
        sink = super().get_sink(
            stream_name, record=record, schema=schema, key_properties=key_properties
        )
        if schema is not None and isinstance(sink, CopySink):
            self.fast_sinks.pop(stream_name, None)
            if sink.is_fast:
                self.fast_sinks[stream_name] = sink
        return sink

    def _process_activate_version_message(self, message_dict: dict[str, t.Any]) -> None:
        self._check_known(message_dict)
        super()._process_activate_version_message(message_dict)

    def _check_known(self, message: dict[str, t.Any]) -> None:
        if message.get("stream") not in self.mapper.stream_maps:
            name, kind = message.get("stream"), message["type"]
            raise LoadError(f"stream {name!r}: {kind} came before its SCHEMA")

    def _process_batch_message(self, message_dict: dict[str, t.Any]) -> None:
        self._check_known(message_dict)
        for stream_map in self.mapper.stream_maps[message_dict["stream"]]:
            sink = t.cast("CopySink", self.get_sink(stream_map.stream_alias))
            sink.load_files(
                BaseBatchFileEncoding.from_dict(message_dict["encoding"]),
                message_dict["manifest"],
                version=message_dict.get("version"),
            )

    # The end

    def _write_state_message(self, state: dict[str, t.Any]) -> None:
        """Write STATE, once everything before it is committed."""
        self.writer.join()
        sys.stdout.write(simplejson.dumps(state, use_decimal=True) + "\n")
        sys.stdout.flush()

    def process_endofpipe(self) -> None:
        """Write what is left; after a signal, say so by the exit code."""
        super().process_endofpipe()
        self.writer.join()
        if self._signal:
            sys.exit(128 + self._signal)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End at the next block, or at once while waiting for one; a second signal kills."""
        self._signal = signum
        signal.signal(signum, signal.SIG_DFL)
        if self._is_waiting:
            raise Interrupted

    @classmethod
    def invoke(cls, **kwargs: t.Any) -> None:
        """Run, and end what input or server do wrong with one line."""
        try:
            super().invoke(**kwargs)
        except _EXPECTED as error:
            cls.logger.error("%s", _one_line(error))  # noqa: TRY400 - the line is for the user
            cls.logger.debug("Traceback", exc_info=True)
            sys.exit(1)


def _one_line(error: BaseException) -> str:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig else error
    return " ".join(str(cause).split()) or type(error).__name__
