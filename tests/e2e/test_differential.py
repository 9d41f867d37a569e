"""The tools that manifests and configurations were written for do what was recorded.

After a change to a construct or a tool, `PYTHONPATH=tests python -m support.differential` records
it again; look at the diff.
"""

from __future__ import annotations

import pytest
from support.differential.comparison import other_rows
from support.differential.construct import Description
from support.differential.constructs import CONSTRUCTS
from support.differential.server import Recorder
from support.differential.tap import read_imported
from support.differential.tools import TOOLS, outcomes, recorded


@pytest.mark.outside
@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_asks_and_brings_what_was_recorded(tool):
    assert outcomes(tool, CONSTRUCTS) == recorded()[tool]


@pytest.mark.outside
@pytest.mark.parametrize("tool", TOOLS)
def test_rows_read_side_by_side_are_the_same(tool):
    described = [each for each in CONSTRUCTS if isinstance(each.description(tool), Description)]
    with Recorder(described) as server:
        for each in described:
            found = read_imported(each, tool, server, width=8)
            assert found.missing or other_rows("the tap", each, found.rows) == [], each.name
