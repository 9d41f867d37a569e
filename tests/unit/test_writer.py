"""One writer for all streams: whole lines, in one write, or a closed pipe."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from singer_sdk.singerlib import RecordMessage, StateMessage

from tap_analytics.writer import ENCODER, MessageWriter, OutputClosedError


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

    class Out:
        buffer = raw

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stdout", Out())
    MessageWriter().write_lines(b"x" * 100 + b"\n")
    assert bytes(raw.taken) == b"x" * 100 + b"\n"


def test_an_output_without_bytes_gets_text(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    MessageWriter().write_lines("é\n".encode())
    assert out.getvalue() == "é\n"


def test_a_reader_that_has_gone_is_told_apart(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as binary:  # noqa: PTH123 - a file descriptor
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(binary, write_through=True))
        with pytest.raises(OutputClosedError):
            MessageWriter().write_lines(b"x\n")
        sys.stdout.detach()


def test_threads_never_mix_their_lines(monkeypatch):
    raw = Slow()

    class Out:
        buffer = raw

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stdout", Out())
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
    assert writer.writes == 60
