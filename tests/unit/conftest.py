"""Fixtures of the unit tests."""

from __future__ import annotations

import logging

import pytest
from doctor import Doctor

from tap_analytics.api import SECRETS


@pytest.fixture(autouse=True)
def process():
    """Give back what runs and commands leave in the process: the log's level, known secrets."""
    logger = logging.getLogger("tap-analytics")
    level, values, pattern = logger.level, set(SECRETS._values), SECRETS._pattern
    yield
    logger.setLevel(level)
    SECRETS._values, SECRETS._pattern = values, pattern


@pytest.fixture
def doctor(tmp_path, capsys):
    return Doctor(tmp_path, capsys)
