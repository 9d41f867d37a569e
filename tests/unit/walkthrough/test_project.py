from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from walkthrough.project import REPORT

from tap_analytics.reporting import log
from tap_analytics.reporting.results import StreamResult


@pytest.mark.parametrize("rows", [0, 1, 2, 1200])
def test_the_rows_of_every_stream_are_read_from_the_log(rows, caplog):
    result = StreamResult(name="wiki_pages", api="wiki", started=1.0, done=True, rows=rows, pages=1)

    with caplog.at_level(logging.INFO):
        log.log_stream(SimpleNamespace(logger=logging.getLogger("tap")), result)

    counted = REPORT.search(caplog.messages[0])
    assert (counted["stream"], counted["rows"].replace(",", "")) == ("wiki_pages", str(rows))
