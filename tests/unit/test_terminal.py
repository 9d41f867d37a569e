"""Lines of the display are set to fit any window, and the screen keeps them below all else."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import pty
import re
import threading
import types
from collections import Counter
from pathlib import Path

import pyte
import pytest

from tap_analytics.completeness import Verdict
from tap_analytics.drift import Drift
from tap_analytics.outcome import Outcome
from tap_analytics.terminal import display, layout
from tap_analytics.terminal.closing import Closing, reason
from tap_analytics.terminal.display import Rates
from tap_analytics.terminal.layout import PLAIN, Layout, Signs
from tap_analytics.terminal.screen import Screen
from tap_analytics.transport.errors import Fatal, InBand
from tap_analytics.walk import PaginationError

LONG = "experimentation_accounts_feeds"


# --- lines --------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 2, 10, 20, 39, 40, 69, 70, 71, 80, 100, 101, 160, 500])
@pytest.mark.parametrize("name", ["a", LONG, LONG * 4])
@pytest.mark.parametrize("rows", [0, 12_345_678_901_234])
def test_no_line_is_as_wide_as_the_window(columns, name, rows):
    lines = Layout(columns=columns, longest=len(name), signs=Signs())
    for place in (lines.bar(0.5), [("page 12,345", "")], [("waiting for the rate limit 12 s", "")]):
        for rate in (None, 1e12):
            line = lines.line(name, rows, rate, place)
            assert sum(len(text) for text, _ in line) <= max(1, columns - 1)


def test_columns_stand_below_each_other():
    lines = Layout(columns=80, longest=len(LONG), signs=Signs())
    texts = [
        "".join(text for text, _ in lines.line(name, rows, rate, [("|", "")]))
        for name, rows, rate in [("a", 1, 0.0), (LONG, 1_234_567, 99_999.0), ("b" * 60, 10**8, 1e9)]
    ]
    assert len({text.index("|") for text in texts}) == 1
    assert "1,234,567  99,999/s" in texts[1]


def test_eighty_columns_hold_the_longest_name_with_all_there_is_to_say():
    lines = Layout(columns=80, longest=len(LONG), signs=Signs())
    assert lines.name == len(LONG)
    assert lines.room(rate=False) >= len("waiting for the rate limit 120 min")
    assert lines.room() >= len("40 in flight, 12 retries")
    assert len("".join(text for text, _ in lines.bar(1.0))) == lines.place


@pytest.mark.parametrize(
    ("share", "percent"), [(0.0, "  0 %"), (0.999, " 99 %"), (1.0, "100 %"), (1 / 3, " 33 %")]
)
def test_a_bar_is_full_at_the_end_and_not_before(share, percent):
    (full, _), (empty, _), (told, _) = Layout(columns=80, longest=20, signs=PLAIN).bar(share)
    assert told.endswith(percent)
    assert (empty == "") == (share == 1.0)
    assert set(full + empty) <= {"=", "-"}


def test_of_a_long_name_the_end_is_shown():
    assert layout.shortened("experimentation_users", 8, Signs()) == "…n_users"
    assert layout.shortened("users", 5, Signs()) == "users"


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (1234567, 9, "1,234,567"),
        (12345678, 9, "12,346k"),
        (99_999, 6, "99,999"),
        (123_456, 6, "123k"),
        (123_456_789, 6, "123M"),
        (0, 1, "0"),
    ],
)
def test_numbers_are_shortened_only_where_they_do_not_fit(value, width, text):
    assert layout.number(value, width) == text


def test_times_are_written_as_people_read_them():
    assert [layout.clock(each) for each in (0.9, 7, 754, 3723)] == [
        "0:00",
        "0:07",
        "12:34",
        "1:02:03",
    ]
    assert [layout.duration(each) for each in (0.04, 59.94, 754)] == ["0.0 s", "59.9 s", "12:34"]
    assert [layout.wait(each) for each in (0.2, 12.0, 150, 7300)] == ["1 s", "12 s", "3 min", "3 h"]


def test_an_empty_style_leaves_no_code():
    pieces = [("a", ""), (" b", "red"), ("  ", "red"), ("", "red")]
    assert layout.painted(pieces, colour=True) == "a\x1b[31m b\x1b[0m  "
    assert layout.painted(pieces, colour=False) == "a b"


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Fatal("x", status=500), "answered 500"),
        (Fatal("x", cause="timeout"), "timeout"),
        (InBand("x"), "error in 200"),
        (PaginationError("x"), "pagination"),
    ],
)
def test_a_failure_is_told_in_a_word_or_two(failure, text):
    assert reason(failure) == text


def test_a_rate_is_that_of_the_last_seconds(monkeypatch):
    now = itertools.count(100.0, 0.2)
    monkeypatch.setattr(display, "monotonic", lambda: next(now))
    rates, outcome = Rates(), Outcome(name="a", started=99.8)
    for _ in range(100):
        outcome.rows += 20
        rates.note([outcome, Outcome(name="waits")])
    assert rates.of("a") == pytest.approx(100)
    for _ in range(30):
        rates.note([outcome])
    assert rates.of("a") == rates.total == 0


# --- the table ----------------------------------------------------------------------------------


def closing(*outcomes):
    tap = types.SimpleNamespace(outcomes={each.name: each for each in outcomes}, connections={})
    return Closing(tap, seconds=86_400.0, signs=Signs())


def crowded():
    """Return streams that have all there is to say, and much of it."""
    big = {"rows": 12_345_678, "pages": 123_456, "seconds": 86_000.0, "started": 1.0}
    odd = {
        "skipped": 3,
        "repeated": 12,
        "repeats_exact": False,
        "drift": Drift(mismatches=Counter(a=1)),
    }
    proven = Counter([Verdict.CONSISTENT])
    return [
        Outcome(name=LONG, done=True, verdicts=proven, **big),
        Outcome(name=LONG * 3, done=True, verdicts=proven, **big, **odd),
        Outcome(name="failed", failure=Fatal("x", status=403), started=1.0, seconds=0.1),
        Outcome(
            name="optional",
            failure=Fatal("x", cause="missing"),
            forgiven=True,
            started=1.0,
            seconds=0.1,
        ),
        Outcome(name="stopped", started=1.0, rows=7, seconds=3.0),
        Outcome(name="waits"),
    ]


@pytest.mark.parametrize("width", [1, 20, 39, 59, 60, 79, 99, 159, 300])
def test_no_line_of_the_table_is_wider_than_asked(width):
    text = closing(*crowded()).render(width, colour=False)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


def test_eighty_columns_hold_big_figures_whole():
    text = closing(*crowded()).render(79, colour=False)
    long = next(line for line in text.splitlines() if "12,345,678" in line)
    assert long.split()[1:] == ["12,345,678", "123,456", "consistent", "23:53:20"]
    assert LONG.endswith(long.split()[0].lstrip("…"))
    assert re.search(r"^failed +0 +0 +failed +0.1 s +answered 403$", text, re.MULTILINE)
    assert re.search(r"^optional +0 +0 +optional +0.1 s +not found$", text, re.MULTILINE)
    assert re.search(r"^stopped +7 +0 +stopped +3.0 s$", text, re.MULTILINE)
    assert re.search(r"^waits +0 +0 +not begun +0.0 s$", text, re.MULTILINE)
    assert re.search(r"^2 of 6 complete +24,691,363 +246,912 +24:00:00$", text, re.MULTILINE)


def test_a_wide_window_tells_all_notes_on_one_line():
    text = closing(*crowded()).render(250, colour=False)
    assert "3 parents gone, at least 12 repeated keys, 1 type mismatch\n" in text


# --- the screen ---------------------------------------------------------------------------------


class Emulated:
    """A screen on a pseudo-terminal, and what an emulator makes of it."""

    def __init__(self):
        self.master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.screen = Screen(self.stream)
        self.shown = pyte.Screen(40, 10)
        self.feed = pyte.ByteStream(self.shown).feed

    @property
    def lines(self):
        """The lines of the window, without the empty ones at its end."""
        os.write(self.stream.fileno(), b"\0")
        while not (data := os.read(self.master, 65536)).endswith(b"\0"):
            self.feed(data)
        self.feed(data)
        return "\n".join(line.rstrip() for line in self.shown.display).rstrip().split("\n")

    def close(self):
        with contextlib.suppress(OSError):
            self.stream.close()
        with contextlib.suppress(OSError):
            os.close(self.master)


@pytest.fixture
def window():
    emulated = Emulated()
    yield emulated
    emulated.close()


def test_a_frame_is_drawn_over_the_one_before(window):
    window.screen.draw(["head", "one", "two"])
    assert window.lines == ["", "head", "one", "two"]
    window.screen.draw(["HE", "1"])
    assert window.lines == ["", "HE", "1"]
    window.screen.clear()
    assert window.lines == [""]


def test_lines_come_to_stand_above_the_frame(window):
    window.screen.draw(["head"])
    window.screen.write("first\n")
    window.screen.draw(["head"], above="second\nthird\n")
    assert window.lines == ["first", "second", "third", "", "head"]


def test_a_line_written_in_pieces_waits_for_its_end(window):
    window.screen.draw(["head"])
    for piece in ("one ", "line", "\nand ano"):
        window.screen.write(piece)
    assert window.lines == ["one line", "", "head"]
    window.screen.give_back()
    assert window.lines == ["one line", "and ano"]


def test_lines_of_many_threads_stay_whole(window):
    window.shown.resize(lines=60)
    window.screen.draw(["head", "tail"])

    def write(name):
        for _ in range(10):
            window.screen.write(f"line of {name}\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = window.lines
    assert lines[-3:] == ["", "head", "tail"]
    assert Counter(lines[:-3]) == {f"line of {name}": 10 for name in "abcd"}


def test_a_frame_at_the_lower_end_of_the_window_scrolls_what_is_above(window):
    window.screen.write("".join(f"{n}\n" for n in range(20)))
    window.screen.draw(["head", "one"])
    window.screen.write("news\n")
    window.screen.draw(["head", "one"])
    assert window.lines[-4:] == ["news", "", "head", "one"]
    assert len(window.lines) == 10


def test_what_a_terminal_does_not_take_comes_later_and_in_order(window):
    lines = [f"line {n}\n" for n in range(20_000)]
    for line in lines:
        window.screen.write(line)
    assert not window.screen.is_ready
    read = b""
    while len(read) < len("".join(lines)) + len(lines):
        window.screen.push()
        read += os.read(window.master, 65536)
    assert window.screen.is_ready
    assert read.decode().replace("\r\n", "\n") == "".join(lines)


def test_a_terminal_that_is_gone_ends_nothing(window):
    window.screen.draw(["head"])
    os.close(window.master)
    window.screen.write("said\n")
    window.screen.draw(["head"])
    window.screen.give_back()


def test_a_window_without_a_size_has_the_usual_one():
    with io.TextIOWrapper(Path(os.devnull).open("wb")) as nowhere:
        assert Screen(nowhere).size == (80, 24)
