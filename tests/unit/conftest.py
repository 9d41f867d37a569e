"""Fixtures of the unit tests."""

from __future__ import annotations

import logging
from copy import deepcopy

import pytest
from support.doctor import Doctor

from tap_analytics.transport.connection import SECRETS


@pytest.fixture(autouse=True)
def process():
    """Give back what runs and commands leave in the process: the log's level, known secrets."""
    logger = logging.getLogger("tap-analytics")
    level = logger.level
    known = {name: deepcopy(value) for name, value in vars(SECRETS).items() if name != "_lock"}
    yield
    logger.setLevel(level)
    vars(SECRETS).update(known)


@pytest.fixture
def doctor(tmp_path, capsys):
    return Doctor(tmp_path, capsys)
