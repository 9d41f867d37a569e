"""The tools that manifests and configurations were written for do what was recorded.

After a change to a construct or a tool, `PYTHONPATH=tests python -m support.differential` records
it again; look at the diff.
"""

from __future__ import annotations

import pytest
from support.differential.combinations import combined, shapes
from support.differential.comparison import not_again, other_rows
from support.differential.construct import Description
from support.differential.constructs import CONSTRUCTS
from support.differential.server import Recorder
from support.differential.tap import read_imported
from support.differential.tools import TOOLS, outcomes, recorded

pytestmark = pytest.mark.outside


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_asks_and_brings_what_was_recorded(tool):
    assert outcomes(tool, CONSTRUCTS) == recorded()[tool]


@pytest.mark.parametrize("tool", TOOLS)
def test_rows_read_side_by_side_are_the_same(tool):
    described = [each for each in CONSTRUCTS if isinstance(each.description(tool), Description)]
    with Recorder(described) as server:
        for each in described:
            found = read_imported(each, tool, server, width=8)
            assert found.missing or other_rows("the tap", each, found.rows) == [], each.name


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("count", [60, pytest.param(300, marks=pytest.mark.soak)])
def test_combinations_bring_all_rows(tool, count):
    by_name = {f"shape-{n}": shape for n, shape in enumerate(shapes(count, seed=count))}
    made = [combined(shape, name) for name, shape in by_name.items()]
    made = [each for each in made if isinstance(each.description(tool), Description)]
    theirs = outcomes(tool, made)

    with Recorder(made) as server:
        for each in made:
            shape, other = by_name[each.name], theirs[each.name]
            found = read_imported(each, tool, server, width=1 if shape.size == 3 else 8)
            assert found.missing == (), shape
            assert set(found.failures.values()) == {""}, shape
            assert set(found.verdicts.values()) <= {"verified", "consistent"}, shape
            for what, rows, changed in (
                ("the tap", found.rows, found.changed),
                ("the tool", other.rows, other.changed),
            ):
                if what == "the tap" or tool == "dlt" or not shape.loses:
                    lines = other_rows(what, each, rows) + not_again(what, each, changed)
                    assert lines == [], shape
