"""What Meltano's variables say of the selection."""

from __future__ import annotations

import pytest

from tap_analytics.config.meltano import SELECT, SELECT_FILTER, meltano_names, meltano_selection


@pytest.mark.parametrize(
    ("rules", "filters", "selected"),
    [
        (None, None, "abc"),
        ('["shop_a.*", "shop_b.id"]', None, "ab"),
        ('["*.*", "!shop_a.*", "!shop_b.x"]', "[]", "bc"),
        ('["shop_?.*"]', '["shop_a", "shop_c"]', "ac"),
        ('["shop_?.*"]', '["!shop_a"]', "bc"),
        ("no JSON", None, "abc"),
    ],
)
def test_the_rules_and_filters_select_streams(rules, filters, selected):
    given = {SELECT: rules, SELECT_FILTER: filters}
    selects = meltano_selection({k: v for k, v in given.items() if v is not None})
    assert [name for name in "abc" if selects(f"shop_{name}")] == list(selected)


@pytest.mark.parametrize(
    ("rules", "filters", "named"),
    [
        ('["*.*"]', "[]", False),
        ("no JSON", None, False),
        ('["*.*", "!shop_b.*"]', "[]", False),
        ('["*.*", "shop_a.*"]', "[]", True),
        ('["shop_*.*"]', "[]", False),
        ('["shop_b.*"]', "[]", False),
        ('["*.*"]', '["shop_a"]', True),
        ('["*.*"]', '["!shop_a"]', False),
    ],
)
def test_a_rule_names_a_stream_where_it_is_no_pattern(rules, filters, named):
    given = {SELECT: rules, SELECT_FILTER: filters}

    found = meltano_names("shop_a", {k: v for k, v in given.items() if v is not None})

    assert found is named


def test_without_meltano_nothing_is_said():
    assert meltano_names("shop_a", {}) is None
