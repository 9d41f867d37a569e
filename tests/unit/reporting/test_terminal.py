"""The lines of the display fit any window, below all other output; the table has all results."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import pty
import re
import sys
import threading
import types
from collections import Counter

import pyte
import pytest
from rich.console import Console

from tap_analytics.errors import PaginationError
from tap_analytics.records.conform import SchemaDrift
from tap_analytics.records.type_policy import TypeMismatchError
from tap_analytics.reporting.results import StreamResult
from tap_analytics.reporting.terminal import display
from tap_analytics.reporting.terminal.display import Display
from tap_analytics.reporting.terminal.table import final_table, reason
from tap_analytics.transport.errors import ErrorInBody, Fatal

LONG = "experimentation_accounts_feeds"


def run_with(*outcomes):
    """Return the part of a run that the display uses."""
    return types.SimpleNamespace(
        results={each.name: each for each in outcomes},
        connections={},
        stop=types.SimpleNamespace(is_set=False),
    )


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Fatal("x", status=500), "answered 500"),
        (Fatal("x", cause="timeout"), "timeout"),
        (ErrorInBody("x"), "error in 200"),
        (PaginationError("x"), "pagination"),
        (TypeMismatchError("x"), "type mismatch"),
        (ZeroDivisionError("x"), "unexpected error"),
    ],
)
def test_a_failure_has_a_short_reason(failure, text):
    assert reason(failure) == text


# --- the table ----------------------------------------------------------------------------------


def table(width, *outcomes):
    """Return the lines of the table in a window of a width."""
    console = Console(file=io.StringIO(), width=width)
    console.print(final_table(run_with(*outcomes), 86_400.0, console))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def crowded():
    """Return streams with all kinds of long results."""
    big = {"rows": 12_345_678, "pages": 123_456, "seconds": 86_000.0, "started": 1.0}
    odd = {
        "parents_missing": 3,
        "repeated_keys": 12,
        "repeated_keys_exact": False,
        "drift": SchemaDrift(mismatches=Counter(a=1)),
    }
    return [
        StreamResult(name=LONG, done=True, **big),
        StreamResult(name=LONG * 3, done=True, **big, **odd),
        StreamResult(name="failed", failure=Fatal("x", status=403), started=1.0, seconds=0.1),
        StreamResult(
            name="optional",
            failure=Fatal("x", cause="missing"),
            is_optional=True,
            started=1.0,
            seconds=0.1,
        ),
        StreamResult(name="stopped", started=1.0, rows=7, seconds=3.0),
        StreamResult(name="waits"),
    ]


@pytest.mark.parametrize("width", [1, 20, 39, 60, 61, 79, 99, 300])
def test_no_line_of_the_table_is_wider_than_the_limit(width):
    assert max(map(len, table(width, *crowded()))) <= width


def test_eighty_columns_show_large_figures_completely():
    text = "\n".join(table(79, *crowded()))
    assert text.count("12,345,678  123,456  consistent  23:53:20") == 2
    assert re.search(r"^failed +0 +0 +failed +0.1 s +answered 403$", text, re.MULTILINE)
    assert re.search(r"^optional +0 +0 +optional +0.1 s +not found$", text, re.MULTILINE)
    assert re.search(r"^stopped +7 +0 +stopped +3.0 s$", text, re.MULTILINE)
    assert re.search(r"^waits +0 +0 +not begun +0.0 s$", text, re.MULTILINE)
    assert re.search(r"^2 of 6 complete +24,691,363 +246,912 +24:00:00$", text, re.MULTILINE)


def test_a_wide_window_shows_all_notes_on_one_line():
    notes = "3 parents gone, at least 12 repeated keys, 1 type mismatch"
    assert any(line.endswith(notes) for line in table(250, *crowded()))


# --- the display --------------------------------------------------------------------------------


class Emulated:
    """A display on a pseudo-terminal, read by a terminal emulator."""

    def __init__(self, run, columns):
        self.master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.display = Display(run, self.stream)
        self.shown = pyte.Screen(columns, 60)
        self.feed = pyte.ByteStream(self.shown).feed

    def draw(self):
        """Draw once and return what the window shows; a frame ends with moving the cursor up."""
        self.display.draw()
        return self._read_until(b"A\r")

    def leave(self):
        """Leave the display and return what the terminal shows."""

        def leave():
            self.display.leave()
            os.write(self.stream.fileno(), b"\0")

        threading.Thread(target=leave, daemon=True).start()
        return [line.rstrip() for line in self._read_until(b"\0") if line.strip()]

    def _read_until(self, end):
        data = b""
        while not data.endswith(end):
            data = os.read(self.master, 65536)
            self.feed(data)
        return self.shown.display


@pytest.fixture
def on_terminal(monkeypatch):
    """Return a function that displays some results; standard error is restored afterwards."""
    emulated = []

    def show(*outcomes, columns=80):
        monkeypatch.setattr(sys, "stderr", sys.stderr)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", "60")
        emulated.append(Emulated(run_with(*outcomes), columns))
        return emulated[-1]

    yield show
    for each in emulated:
        with contextlib.suppress(OSError):
            each.stream.close()
        with contextlib.suppress(OSError):
            os.close(each.master)


@pytest.mark.parametrize("columns", [20, 39, 40, 70, 71, 80, 160])
@pytest.mark.parametrize("name", ["a", LONG * 4])
def test_no_line_is_as_wide_as_the_window(on_terminal, columns, name):
    rows = 12_345_678
    running = StreamResult(name=name, rows=rows, started=1.0, progress=(1, 2))
    ended = StreamResult(name=f"{name}2", rows=rows, started=1.0, done=True, seconds=86_000.0)
    window = on_terminal(running, ended, columns=columns)

    assert {line[-1] for line in window.draw()} == {" "}
    window.leave()


def test_a_window_of_one_column_is_no_error(on_terminal):
    window = on_terminal(StreamResult(name="a", started=1.0), columns=1)
    window.draw()
    window.leave()


def test_lines_of_many_threads_are_complete_above_the_frame(on_terminal):
    running, ended = (
        StreamResult(name="one", started=1.0),
        StreamResult(name="two", started=1.0, done=True),
    )
    window = on_terminal(running, ended, columns=400)
    window.display.draw()

    def write(name):
        for _ in range(10):
            sys.stderr.write(f"line of {name} {'x' * 300}\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stderr.write("no end of a line")
    first, *lines, last = window.leave()

    assert first.startswith("✓ two")
    assert Counter(lines) == {f"line of {name} {'x' * 300}": 10 for name in "abcd"}
    assert last == "no end of a line"
    assert sys.stderr is window.stream


def test_a_closed_terminal_does_not_end_the_run(on_terminal):
    window = on_terminal(StreamResult(name="one", started=1.0))
    os.close(window.master)
    window.display.draw()
    sys.stderr.write("said\n")
    window.display.conclude(1.0)
    window.display.leave()
    assert sys.stderr is window.stream


def test_a_rate_is_that_of_the_last_seconds(on_terminal, monkeypatch):
    outcome = StreamResult(name="a", started=99.8)
    window = on_terminal(outcome)
    now = itertools.count(100.0, 0.2)
    monkeypatch.setattr(display, "monotonic", lambda: next(now))

    def rate(rows, times):
        for _ in range(times):
            outcome.rows += rows
            found = window.display._rate(outcome)
        return found

    assert rate(20, times=100) == pytest.approx(100)
    assert rate(0, times=30) == 0
    monkeypatch.undo()
    window.leave()
