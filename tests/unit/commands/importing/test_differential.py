"""Imported descriptions ask for what their own tools were recorded to ask for, and bring all rows.

`tests/e2e/test_differential.py` runs the tools themselves and checks what was recorded.
"""

from __future__ import annotations

import pytest
from support.differential.comparison import differences
from support.differential.construct import Description
from support.differential.constructs import CONSTRUCTS
from support.differential.server import Recorder
from support.differential.tap import imported_entry, read_imported
from support.differential.tools import TOOLS, recorded
from support.differential.words import NOT_COMPARED, all_words, used_words

RECORDED = recorded()
PAIRS = [
    (each, tool)
    for each in CONSTRUCTS
    for tool in TOOLS
    if isinstance(each.description(tool), Description)
]


@pytest.fixture(scope="module")
def server():
    with Recorder(CONSTRUCTS) as made:
        yield made


@pytest.mark.parametrize(
    ("construct", "tool"),
    [pytest.param(each, tool, id=f"{each.name}-{tool}") for each, tool in PAIRS],
)
def test_import_asks_and_brings_the_same(construct, tool, server):
    found = read_imported(construct, tool, server)

    assert differences(construct, tool, found, RECORDED[tool][construct.name]) == []


def test_all_words_of_declared_apis_are_compared(server):
    used = set()
    for construct, tool in PAIRS:
        used |= used_words(imported_entry(construct, tool, server).entry)

    assert all_words() - used == set().union(*NOT_COMPARED.values())
