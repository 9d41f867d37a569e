"""Progress is for people: on standard error, live on a terminal and in lines elsewhere."""

from __future__ import annotations

import io
import logging
import sys
import types

import pytest
from runs import JsonApi, declared, run

from tap_analytics import progress
from tap_analytics.outcome import Outcome
from tap_analytics.progress import LIVE_INTERVAL, LOG_INTERVAL, Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    return clock


@pytest.fixture
def sit_down(monkeypatch):
    """Return a function that puts a terminal in the place of standard error, during a test."""

    def put():
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "60")
        monkeypatch.setenv("LINES", "5")
        return terminal

    return put


def outcome(name, **fields):
    return Outcome(name=name, **{"started": 990.0, "rows": 1200, "pages": 12} | fields)


@pytest.fixture(autouse=True)
def _no_filters_left():
    """Take live lines that a test left open off the handlers that later tests log to."""
    before = {handler: list(handler.filters) for handler in logging.getLogger().handlers}
    yield
    for handler, filters in before.items():
        handler.filters[:] = filters


def tap_with(*outcomes):
    return types.SimpleNamespace(
        outcomes={each.name: each for each in outcomes}, logger=logging.getLogger("tap-analytics")
    )


def screen(text):
    """Return what a terminal shows: the lines after the last erasure."""
    return text.rpartition("\x1b[J")[2].splitlines()


def test_a_terminal_has_a_live_line_per_running_stream(clock, sit_down):
    terminal = sit_down()
    done = outcome("success_users", done=True)
    failed = outcome("success_tasks", failure=ValueError("x"))
    waiting = outcome("success_notes", started=None)
    shown = Progress(tap_with(outcome("learning_people"), done, failed, waiting))
    clock.now += LIVE_INTERVAL
    shown.tick()
    (line,) = screen(terminal.getvalue())
    assert "learning_people" in line
    assert "1,200 rows" in line
    assert len(line) < 60


def test_lines_are_drawn_over_and_taken_away_at_the_end(clock, sit_down):
    terminal = sit_down()
    shown = Progress(tap_with(outcome("a"), outcome("b")))
    for _ in range(3):
        clock.now += LIVE_INTERVAL
        shown.tick()
    assert len(screen(terminal.getvalue())) == 2
    assert terminal.getvalue().count("\x1b[2A\x1b[J") == 2
    shown.close()
    assert screen(terminal.getvalue()) == []
    shown.close()
    assert terminal.getvalue().count("\x1b[2A\x1b[J") == 3


def test_nothing_is_drawn_more_often_than_anybody_can_read(clock, sit_down):
    terminal = sit_down()
    shown = Progress(tap_with(outcome("a")))
    clock.now += LIVE_INTERVAL / 2
    shown.tick()
    assert terminal.getvalue() == ""


def test_more_streams_than_lines_are_not_all_shown(clock, sit_down):
    terminal = sit_down()
    shown = Progress(tap_with(*(outcome(f"s{n}") for n in range(20))))
    clock.now += LIVE_INTERVAL
    shown.tick()
    assert len(screen(terminal.getvalue())) == 3


def test_a_log_line_makes_room_for_itself(clock, sit_down):
    terminal = sit_down()
    handler = logging.StreamHandler(terminal)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        shown = Progress(tap_with(outcome("a")))
        clock.now += LIVE_INTERVAL
        shown.tick()
        logging.getLogger("tap-analytics").warning("look here")
        assert screen(terminal.getvalue()) == ["look here"]
        shown.close()
        assert not handler.filters
    finally:
        root.removeHandler(handler)


@pytest.mark.parametrize("name", ["dumb", "xterm"])
def test_elsewhere_it_is_a_line_in_the_log_now_and_then(clock, monkeypatch, caplog, name):
    stream = Terminal() if name == "dumb" else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", name)
    caplog.set_level(logging.INFO)
    shown = Progress(tap_with(outcome("learning_people")))
    clock.now += LOG_INTERVAL / 2
    shown.tick()
    assert caplog.messages == []
    clock.now += LOG_INTERVAL / 2
    shown.tick()
    assert caplog.messages == ["learning_people: 1200 rows in 12 pages so far, 60 rows/s"]
    assert "\x1b" not in stream.getvalue()


def test_a_run_on_a_terminal_leaves_standard_output_to_messages(monkeypatch, sit_down):
    terminal = sit_down()
    monkeypatch.setattr(progress, "LIVE_INTERVAL", 0)
    with JsonApi(lambda _: {"data": [{"id": 1}]}) as api:
        done = run(declared(api.origin, endpoint={"paginator": "single_page"}))
    assert done.ids() == [1]
    assert all(line.startswith(b"{") for line in done.lines)
    assert "shop_items" not in "".join(screen(terminal.getvalue()))
