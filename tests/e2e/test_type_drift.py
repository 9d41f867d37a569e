"""Columns whose types were inferred, and later rows of other types, in the real target."""

from __future__ import annotations

import pytest
from support.servers import PathApi

# One worker installs the plugins, and runs of one project take turns.
pytestmark = pytest.mark.xdist_group("meltano")

LIMIT = 10
BEFORE = {"n": 5, "b": True, "l": [1], "o": {"a": 1}, "t": "x"}


def load(warehouse, later, **settings):
    """Load rows whose later pages have other types, and return those without what is null."""
    rows = [{"id": n, **(BEFORE if n < 2 * LIMIT else later)} for n in range(3 * LIMIT)]

    def answer(_path, query):
        start = int(dict(query)["offset"])
        return {"data": rows[start : start + LIMIT], "total": len(rows)}

    endpoint = {"path": "/things", "data_selector": "data"}
    endpoint["paginator"] = {"type": "offset", "limit": LIMIT, "total_path": "total"}
    with PathApi(answer) as api:
        assert warehouse.load(api.config({"name": "things", "endpoint": endpoint}) | settings) == 0
    return {
        row["id"]: {
            name: value
            for name, value in row.items()
            if value is not None and name != "id" and not name.startswith("_sdc_")
        }
        for row in warehouse.rows("odd_things")
    }


def test_values_of_other_types_load_into_columns_of_their_own(warehouse):
    later = {"n": "five", "b": 7, "l": ["x"], "o": "text", "t": {"a": 1}}
    found = load(warehouse, later, on_type_mismatch="split")
    split = {"n__string": "five", "b__integer": 7, "l__array": ["x"], "o__string": "text"}
    assert found[0] == found[19] == BEFORE
    assert found[20] == found[29] == split | {"t__object": {"a": 1}}


def test_inferred_types_widen_where_the_target_can_follow(warehouse):
    later = {"n": 2.5, "b": False, "l": [2], "o": {"a": "x", "c": [1]}, "t": 7}
    found = load(warehouse, later)
    assert found[0] == found[19] == BEFORE
    assert found[29] == later | {"t": "7"}
