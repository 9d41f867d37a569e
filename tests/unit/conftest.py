"""Fixtures of the unit tests."""

from __future__ import annotations

import pytest
from doctor import Doctor


@pytest.fixture
def doctor(tmp_path, capsys):
    return Doctor(tmp_path, capsys)
