from __future__ import annotations

import pytest
import requests

from tap_analytics.demo import DemoApi


@pytest.fixture(scope="module")
def server():
    with DemoApi() as running:
        yield running


@pytest.fixture
def api(server):
    server.set_faults([])
    server.reset_counts()
    return server


@pytest.fixture(scope="module")
def session():
    with requests.Session() as opened:
        yield opened
