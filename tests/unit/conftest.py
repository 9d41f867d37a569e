"""Fixtures of the unit tests."""

from __future__ import annotations

import logging
from copy import deepcopy

import pytest
from support.certificates import server_context
from support.doctor import Doctor

from tap_analytics.records.writer import MessageWriter
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
def writes(monkeypatch):
    """Return what is written to standard output, one entry a write."""
    found, write = [], MessageWriter.write_lines

    def write_lines(self, lines):
        found.append(lines)
        write(self, lines)

    monkeypatch.setattr(MessageWriter, "write_lines", write_lines)
    return found


@pytest.fixture
def bundle(tmp_path):
    """The file of a CA bundle that has the certificate of `tls`."""
    return tmp_path / "bundle.pem"


@pytest.fixture
def tls(bundle):
    """The context of a server whose certificate nobody trusts."""
    return server_context(bundle)


@pytest.fixture
def doctor(tmp_path, capsys):
    return Doctor(tmp_path, capsys)
