"""Imported descriptions ask for what their own tools were recorded to ask for, and bring all rows.

`tests/e2e/test_differential.py` runs the tools themselves and checks what was recorded.
"""

from __future__ import annotations

import pytest
from support.differential.comparison import differences
from support.differential.construct import Description
from support.differential.constructs import CONSTRUCTS
from support.differential.server import Recorder
from support.differential.tap import read_imported
from support.differential.tools import TOOLS, recorded

RECORDED = recorded()


@pytest.fixture(scope="module")
def server():
    with Recorder(CONSTRUCTS) as made:
        yield made


@pytest.mark.parametrize(
    ("construct", "tool"),
    [
        pytest.param(each, tool, id=f"{each.name}-{tool}")
        for each in CONSTRUCTS
        for tool in TOOLS
        if isinstance(each.description(tool), Description)
    ],
)
def test_import_asks_and_brings_the_same(construct, tool, server):
    found = read_imported(construct, tool, server)

    assert differences(construct, tool, found, RECORDED[tool][construct.name]) == []
