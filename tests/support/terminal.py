"""The real command in a terminal emulator: what its window shows."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import tempfile
import termios
import time
from pathlib import Path

import pyte

from support.patience import PATIENCE, until
from support.processes import FOREIGN, PIPE, TAP, template
from support.runs import Run

#: What ends each picture: the way back up to the line the cursor rests on.
PICTURE = re.compile(rb"\x1b\[\d+A\r")
#: Signs of the log, whose lines may be longer than a window is wide.
LOG = re.compile(r"\| (DEBUG|INFO|WARNING|ERROR) +\|")
#: What may tell the tap that nobody watches must not reach it from here.
UNWATCHED = (*FOREIGN, "CI", "MELTANO_", "TERM", "COLUMNS", "LINES")
#: Columns of a window that wraps nothing.
ENDLESS = 1000
#: What a run in a window imports besides.
DISPLAY = "tap_analytics.reporting.terminal.display"


class Window:
    """Runs the command with standard error on a pseudo-terminal, and watches it."""

    def __init__(self, config, *, columns=80, lines=24, env=None, stdout="file", background=False):
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        folder.joinpath("config.json").write_text(json.dumps(config), "utf-8")
        self._master, self._slave = pty.openpty()
        self.screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._endless = pyte.HistoryScreen(ENDLESS, lines, history=10_000)
        self._streams = [pyte.ByteStream(self.screen), pyte.ByteStream(self._endless)]
        #: Every byte that was written to the window.
        self.raw = b""
        #: Each picture that was drawn: the lines of the window from the cursor's on.
        self.pictures = []
        self.resize(columns, lines)
        self._out = folder / "out"
        arguments = ["--config", "config.json"]
        given = {n: value for n, value in os.environ.items() if not n.startswith(UNWATCHED)}
        # Variables that Python itself reads must be there before it starts.
        own = tuple(pair for pair in (env or {}).items() if pair[0].startswith("PYTHON"))
        with self._out.open("wb") as file:
            targets = {"file": file, "pipe": PIPE, "window": self._slave}
            self.process = template(program=(*TAP, DISPLAY), env=own).fork(
                arguments,
                folder=str(folder),
                env=given | {"TERM": "xterm-256color"} | (env or {}),
                stdin=self._slave,
                stdout=targets[stdout],
                stderr=self._slave,
                job="behind" if background else "front",
            )

    def resize(self, columns, lines):
        """Give the window another size."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)
        self.screen.resize(lines, columns)

    def type(self, text):
        """Write to the window as another program would."""
        os.write(self._slave, text.encode())

    def stop(self):
        """Stop the output of the window, as Ctrl-S does."""
        termios.tcflow(self._slave, termios.TCOOFF)

    def sees(self, text):
        """Watch until the window shows a text."""
        end = time.monotonic() + PATIENCE
        while not any(text in line for line in self.screen.display):
            assert time.monotonic() < end, f"{text!r} never came:\n{self.text}"
            ended = self.process.poll() is not None
            assert self._read(0.1) or not ended, f"{text!r} never came:\n{self.text}"

    def wrote(self, text, times):
        """Wait until standard output holds a text so often, without reading the window."""

        def is_written():
            assert self.process.poll() is None, self.text
            return self._out.read_bytes().count(text) >= times

        until(is_written, lambda: self.text)

    def sees_another_picture(self):
        """Watch until the display is drawn again."""
        drawn = len(self.pictures)
        while len(self.pictures) == drawn:
            assert self.process.poll() is None, self.text
            self._read(0.1)

    def end(self):
        """Watch to the end and return the run; what it said is all that the window has shown."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"still running:\n{self.text}"
            self._read(0.05)
        while self._read(0):
            pass
        os.close(self._slave)
        os.close(self._master)
        out = self._out.read_bytes()
        self._folder.cleanup()
        return Run(self.process.returncode, out, self.text)

    @property
    def text(self):
        """All that was written to the window and not erased again, each line in one piece."""
        screen = self._endless
        past = ["".join(line[x].data for x in range(ENDLESS)) for line in screen.history.top]
        return "\n".join(line.rstrip() for line in (*past, *screen.display)).rstrip()

    def _read(self, seconds):
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        data = os.read(self._master, 65536)
        self.raw += data
        fed = 0
        for found in PICTURE.finditer(data):
            self._feed(data[fed : found.end()])
            fed = found.end()
            top = self.screen.cursor.y
            self.pictures.append([line.rstrip() for line in self.screen.display[top:]])
        self._feed(data[fed:])
        return True

    def _feed(self, data):
        for stream in self._streams:
            stream.feed(data)
