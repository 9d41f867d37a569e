"""Progress is shown live on a terminal, and as log lines elsewhere."""

from __future__ import annotations

import io
import logging
import sys
import types

import pytest
from support.runs import declared, run
from support.servers import JsonApi

from tap_analytics.reporting import progress, results
from tap_analytics.reporting.progress import LOG_INTERVAL, Progress
from tap_analytics.reporting.results import StreamResult

PAGE = 10


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    monkeypatch.setattr(results, "monotonic", clock)
    return clock


def outcome(name, **fields):
    return StreamResult(name=name, **{"started": 990.0, "rows": 1200, "pages": 12} | fields)


def run_with(*outcomes):
    return types.SimpleNamespace(
        results={each.name: each for each in outcomes}, logger=logging.getLogger("tap-analytics")
    )


def test_without_a_terminal_progress_is_logged_at_intervals(clock, monkeypatch, caplog):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    caplog.set_level(logging.INFO)
    done = outcome("success_users", done=True)
    failed = outcome("success_tasks", failure=ValueError("x"))
    waiting = outcome("success_notes", started=None)
    with Progress(run_with(outcome("learning_people"), done, failed, waiting)) as shown:
        clock.now += LOG_INTERVAL / 2
        shown.tick()
        assert caplog.messages == []
        clock.now += LOG_INTERVAL / 2
        shown.tick()
        shown.conclude(12.0)
    assert caplog.messages == ["learning_people: 1,200 rows in 12 pages so far, 60 rows/s"]
    assert stream.getvalue() == ""


def test_a_display_that_fails_is_closed_and_progress_is_logged(clock, caplog):
    given_back = []

    class Broken:
        def draw(self):
            raise ZeroDivisionError

        def leave(self):
            given_back.append(True)

    caplog.set_level(logging.INFO)
    with Progress(run_with(outcome("learning_people"))) as shown:
        shown._display = Broken()
        for _ in range(2):
            clock.now += LOG_INTERVAL
            shown.tick()
        shown.conclude(12.0)
    assert given_back == [True]
    assert caplog.messages == [
        (
            "The display failed and was turned off: ZeroDivisionError. "
            "Run again with `LOGLEVEL=DEBUG` to see where it comes from."
        ),
        "learning_people: 1,200 rows in 12 pages so far, 40 rows/s",
    ]


# --- how far a stream is ------------------------------------------------------------------------


def progress_of(answer, **settings):
    """Run and return the progress of `items`."""
    with JsonApi(answer) as api:
        done = run(declared(api.origin, **settings))
    assert done.error is None
    return done.tap.run.results["shop_items"].progress


def by_offset(total):
    """Answer pages of 25 rows with a total."""

    def answer(query):
        start, size = int(query.get("offset", 0)), int(query.get("limit", PAGE))
        ids = range(start, min(start + size, 25))
        return {"data": [{"id": n} for n in ids], "total": total(len(ids))}

    return answer


def endpoint(**paginator):
    return {"paginator": {"type": "offset", "limit": PAGE, "total_path": "total"} | paginator}


def test_progress_is_known_from_a_total():
    assert progress_of(by_offset(lambda _: 25), endpoint=endpoint()) == (25, 25)


def test_the_total_of_a_page_is_no_progress():
    assert progress_of(by_offset(lambda rows: rows), endpoint=endpoint()) is None


def test_without_a_total_there_is_no_progress():
    assert progress_of(by_offset(lambda _: None), endpoint=endpoint()) is None


def test_children_have_no_progress():
    def answer(received):
        return by_offset(lambda _: 25)(received)

    below = {
        "name": "parts",
        "endpoint": {"path": "/items/{item_id}/parts", "data_selector": "data"} | endpoint(),
        "primary_key": "id",
    }
    with JsonApi(answer) as api:
        done = run(declared(api.origin, endpoint=endpoint(), children=[below]))
    assert done.error is None
    outcomes = done.tap.run.results
    assert outcomes["shop_items"].progress == (25, 25)
    assert outcomes["shop_parts"].progress is None
    assert (outcomes["shop_parts"].lists, outcomes["shop_parts"].rows) == (25, 625)


def test_a_list_read_up_to_the_bookmark_has_progress_to_its_end():
    stamps = [f"2024-01-{day:02}T00:00:00Z" for day in range(25, 0, -1)]

    def answer(query):
        start = int(query.get("offset", 0))
        rows = [{"id": stamp, "at": stamp} for stamp in stamps[start : start + PAGE]]
        return {"data": rows, "total": len(stamps)}

    incremental = {"cursor_path": "at"}
    config = {"endpoint": endpoint() | {"incremental": incremental}}
    assert progress_of(answer, **config) == (25, 25)
