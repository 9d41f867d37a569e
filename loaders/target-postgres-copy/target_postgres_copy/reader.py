"""Read messages in blocks, and find runs of lines that can be decoded together."""

from __future__ import annotations

import fcntl
import io
import re
import sys
import typing as t
from collections import Counter

import msgspec
from singer_sdk.io_base import SingerReader
from singer_sdk.singerlib.json import deserialize_json

from target_postgres_copy.decoder import blocks, explain
from target_postgres_copy.errors import LoadError, shown

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from logging import Logger

    from target_postgres_copy.sink import CopySink

BLOCK_BYTES = 1 << 20
_CANONICAL = re.compile(rb'\{"type":"RECORD","stream":"([^"\\]*)",').match


class Interrupted(BaseException):
    """A signal asks the run to end; raised only while the process waits for input."""


class _Header(msgspec.Struct):
    type: str
    stream: str = ""


#: Lines that can't be decoded, or are nested too deeply for it.
_UNREADABLE = (msgspec.DecodeError, RecursionError)
_header = msgspec.json.Decoder(_Header)


class Host(t.Protocol):
    """What the reader needs of the target."""

    @property
    def logger(self) -> Logger:
        """The target's logger."""

    @property
    def fast_sinks(self) -> Mapping[str, CopySink]:
        """Sinks of streams that are loaded by COPY, by stream."""

    def prepare(self) -> None:
        """Connect, and take back the signals."""

    def wait_for(self, read: Callable[[], bytes]) -> bytes:
        """Read; raises `Interrupted` after a signal."""

    def after_block(self) -> None:
        """Notice a lost server and old rows."""

    def bound_memory(self) -> None:
        """Write batches that have become large."""


class BlockReader(SingerReader):
    """Hand runs of records to their sinks, and every other message to the SDK."""

    def __init__(self, target: Host) -> None:
        super().__init__()
        self._target = target
        self._counter: Counter[str] = Counter()
        self._sink: CopySink | None = None
        self._prefix = b""
        #: Lines read so far.
        self._lines = 0
        #: Records that wait for their decoder, with the numbers of their lines.
        self._runs: dict[CopySink, list[tuple[int, bytes]]] = {}

    def process_lines(
        self,
        file_input: t.IO[str] | None,
        callbacks: dict[str, Callable[[dict[str, t.Any]], None]],
    ) -> Counter[str]:
        """Read all messages; a signal ends the input early."""
        read = _source(file_input)
        self._target.prepare()
        try:
            for block in blocks(lambda: self._target.wait_for(read)):
                self._process(block, callbacks)
                self._target.after_block()
        except Interrupted:
            self._target.logger.info("Interrupted; writing what has been read.")
        return self._counter

    def _process(
        self, block: bytes, callbacks: dict[str, Callable[[dict[str, t.Any]], None]]
    ) -> None:
        count = block.count(b"\n")
        starts = block.startswith(self._prefix) + block.count(b"\n" + self._prefix)
        if self._sink and starts == count:
            self._records(self._sink, block, first=self._lines + 1)
            self._lines += count
            return
        for line in block.splitlines(keepends=True):
            self._lines += 1
            if not (self._sink and line.startswith(self._prefix)):
                self._sink = self._fast_sink(line)
                self._prefix = _prefix(self._sink) if self._sink else b""
            if self._sink:
                self._runs.setdefault(self._sink, []).append((self._lines, line))
            else:
                self._end_runs()
                self._message(line, callbacks)
        self._end_runs()

    def _end_runs(self) -> None:
        """Load the records since the last other message; between streams, order has no meaning."""
        runs, self._runs = self._runs, {}
        for sink, numbered in runs.items():
            self._records(sink, b"".join([line for _, line in numbered]), numbered=numbered)

    def _fast_sink(self, line: bytes) -> CopySink | None:
        """Return the sink of a record that COPY loads; None for every other line."""
        if found := _CANONICAL(line):
            return self._target.fast_sinks.get(found[1].decode(errors="replace"))
        try:
            header = _header.decode(line)
        except _UNREADABLE:
            return None
        return self._target.fast_sinks.get(header.stream) if header.type == "RECORD" else None

    def _records(
        self,
        sink: CopySink,
        lines: bytes,
        *,
        first: int = 0,
        numbered: list[tuple[int, bytes]] | None = None,
    ) -> None:
        try:
            self._counter["RECORD"] += sink.add_messages(lines)
        except _UNREADABLE:
            numbered = numbered or list(enumerate(lines.splitlines(keepends=True), first))
            raise _located(sink, numbered) from None
        self._target.bound_memory()

    def _message(
        self, line: bytes, callbacks: dict[str, Callable[[dict[str, t.Any]], None]]
    ) -> None:
        if not line.strip():
            return
        try:
            message = deserialize_json(line)
            self.assert_line_requires(message, requires={"type"})
            callback = callbacks[message["type"]]
        except KeyError:
            raise LoadError(f"line {self._lines}: {message['type']!r} is no type") from None
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise LoadError(f"line {self._lines} is not a message: {shown(str(error))}") from None
        callback(message)
        self._counter[message["type"]] += 1


def _located(sink: CopySink, numbered: list[tuple[int, bytes]]) -> LoadError:
    """Find the line of a run that can't be decoded."""
    for number, line in numbered:
        try:
            sink.try_message(line)
        except _UNREADABLE as error:
            reason = explain(line, sink.key_properties) or f"not a valid record: {error}"
            return LoadError(f"line {number}, stream {sink.stream_name!r}, {reason}")
    return LoadError(f"stream {sink.stream_name!r}: a record can't be decoded")


def _prefix(sink: CopySink) -> bytes:
    name = msgspec.json.encode(sink.stream_name)
    return b'{"type":"RECORD","stream":' + name + b","


def _source(file_input: t.IO[str] | None) -> Callable[[], bytes]:
    """Return a function that waits for input, not for a full block, so that no row is held back."""
    text = file_input or sys.stdin
    file = getattr(text, "buffer", None)
    if file is None:
        file = io.BytesIO(text.read().encode())
    _widen(file)
    read = getattr(file, "read1", file.read)
    return lambda: t.cast("bytes", read(BLOCK_BYTES))


def _widen(file: t.Any) -> None:  # noqa: ANN401 - any file
    """Let a pipe hold a whole block, where the system allows it: fewer switches of processes."""
    try:
        fcntl.fcntl(file.fileno(), getattr(fcntl, "F_SETPIPE_SZ", 1031), BLOCK_BYTES)
    except (OSError, ValueError):
        return
