"""One writer for all streams: whole lines, in one write, or a closed pipe."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import sys
import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from singer_sdk.singerlib import RecordMessage, StateMessage
from support.patience import PATIENCE, until

from tap_analytics.records.writer import ENCODER, MessageWriter, OutputClosedError, _chunks
from tap_analytics.transport.errors import Cancelled


class Slow(io.RawIOBase):
    """Takes a few bytes at a time, as a pipe may."""

    def __init__(self):
        self.taken = bytearray()

    def writable(self):
        return True

    def write(self, data):
        part = bytes(data)[:7]
        self.taken += part
        return len(part)


def test_messages_are_lines_of_compact_json(capsysbinary):
    writer = MessageWriter()
    writer.write_message(StateMessage(value={"a": Decimal("1.10"), "é": [1, None]}))
    assert capsysbinary.readouterr().out == (
        '{"type":"STATE","value":{"a":1.10,"é":[1,null]}}\n'.encode()
    )


def test_dates_are_written_as_text():
    record = {"at": datetime(2024, 1, 1, tzinfo=UTC), "on": date(2024, 1, 2)}
    line = MessageWriter().serialize_message(RecordMessage(stream="s", record=record))
    written = json.loads(line)["record"]
    assert datetime.fromisoformat(written["at"]) == record["at"]
    assert written["on"] == "2024-01-02"


def test_what_json_has_no_word_for_is_written_as_its_text():
    assert ENCODER.encode({"x": 3 + 0j}) == b'{"x":"(3+0j)"}'


def test_an_unbuffered_output_gets_every_byte(monkeypatch):
    raw = Slow()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=raw, flush=lambda: None))
    MessageWriter().write_lines(b"x" * 100 + b"\n")
    assert bytes(raw.taken) == b"x" * 100 + b"\n"


def test_an_output_without_bytes_gets_text(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    MessageWriter().write_lines("é\n".encode())
    assert out.getvalue() == "é\n"


def test_a_reader_that_has_gone_is_distinguished(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as binary:  # noqa: PTH123 - a file descriptor
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(binary, write_through=True))
        with pytest.raises(OutputClosedError):
            MessageWriter().write_lines(b"x\n")
        sys.stdout.detach()


def test_threads_never_mix_their_lines(monkeypatch):
    raw = Slow()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=raw, flush=lambda: None))
    writer = MessageWriter()

    def write(name):
        for _ in range(20):
            writer.write_lines(name * 50 + b"\n" + name * 50 + b"\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = bytes(raw.taken).splitlines()
    assert len(lines) == 120
    assert all(len(set(line)) == 1 and len(line) == 50 for line in lines)
    assert all(one == other for one, other in zip(lines[::2], lines[1::2], strict=True))


# --- the end ------------------------------------------------------------------------------------


@contextlib.contextmanager
def pipe():
    """Have standard output be a pipe; yields what tells the rest of what was written to it."""
    reader, writer = os.pipe()
    with (
        open(reader, "rb") as source,  # noqa: PTH123 - a file descriptor
        open(writer, "wb", buffering=0) as binary,  # noqa: PTH123 - a file descriptor
        contextlib.redirect_stdout(io.TextIOWrapper(binary, write_through=True)) as out,
    ):

        def read():
            out.close()
            return source.read()

        yield read


def state(size=1):
    return StateMessage(value={"x": "y" * size})


@pytest.mark.parametrize("held", [0, 1, 61_441, 65_535, 65_536])
@pytest.mark.parametrize("size", [1, 4_000, 65_000, 500_000])
def test_a_last_message_goes_out_whole_though_it_is_not_read(held, size):
    with pipe() as read:
        os.write(sys.stdout.fileno(), b" " * held)
        writer = MessageWriter()
        assert writer.end(lambda: state(size), seconds=0)
        assert read() == b" " * held + writer.serialize_message(state(size))


def test_a_last_message_that_no_pipe_can_hold_stays_out():
    with pipe() as read:
        os.write(sys.stdout.fileno(), b" ")
        writer = MessageWriter()
        assert not writer.end(lambda: state(2**24), seconds=0)
        assert read() == b" "


def test_nothing_follows_a_last_message():
    with pipe() as read:
        writer = MessageWriter()
        assert writer.end(lambda: None, seconds=0)
        with pytest.raises(Cancelled):
            writer.write_message(state())
        assert read() == b""


def test_a_line_that_waits_for_a_reader_is_completed_before_the_last():
    with pipe() as read:
        writer, lines = MessageWriter(), b"".join(b"%07d\n" % n for n in range(200_000))
        ended = []

        def write():
            with pytest.raises(Cancelled):
                writer.write_lines(lines)
            ended.append(True)

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        until(lambda: not select.select([], [sys.stdout], [], 0)[1])
        assert writer.end(state, seconds=PATIENCE)
        thread.join(PATIENCE)
        assert ended == [True]
        written = read()
        last = writer.serialize_message(state())
        assert written.endswith(last)
        assert lines.startswith(written.removesuffix(last))
        assert 65_536 < len(written) < len(lines)


def test_a_reader_that_has_gone_gets_no_last_message(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as binary:  # noqa: PTH123 - a file descriptor
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(binary, write_through=True))
        assert not MessageWriter().end(state, seconds=0)
        sys.stdout.detach()


@pytest.mark.parametrize("lines", [b"", b"a\n", b"ab\n" * 9, b"a" * 30 + b"\n" + b"b\n" * 9])
def test_pages_are_written_in_pieces_of_whole_lines(lines, capsysbinary, monkeypatch):
    monkeypatch.setattr("tap_analytics.records.writer.CHUNK", 7)
    pieces = [bytes(piece) for piece in _chunks(lines)]
    assert b"".join(pieces) == lines
    assert all(piece.endswith(b"\n") for piece in pieces if lines)
    assert all(len(piece) <= 7 or piece.count(b"\n") == 1 for piece in pieces)
