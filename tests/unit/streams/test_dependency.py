"""Children that are read only below parents that have changed, where that is declared."""

from __future__ import annotations

import pytest
from support.runs import declared, run
from support.servers import PathApi

KEY = {"cursor_path": "at", "cursor_format": "iso"}


def parts(**more):
    return {
        "name": "parts",
        "primary_key": "id",
        "incremental_dependency": True,
        "endpoint": {"path": "/items/{item_id}/parts", "paginator": "single_page"},
        **more,
    }


def shop(origin, *children, concurrency=1, key=None, **more):
    endpoint = {"paginator": "single_page", "incremental": key or KEY}
    return declared(
        origin,
        endpoint=endpoint,
        children=[*(children or [parts()])],
        concurrency=concurrency,
        **more,
    )


def serve(items):
    def answer(path, pairs):
        if path == "/items":
            return {"data": items}
        return [{"id": f"{path[7:8]}-{number}"} for number in (1, 2)]

    return answer


@pytest.mark.parametrize("concurrency", [1, 8])
def test_only_what_is_below_changed_parents_is_read(concurrency):
    items = [{"id": number, "at": f"2024-01-0{number}"} for number in (1, 2, 3)]
    with PathApi(serve(items)) as api:
        given = shop(api.origin, concurrency=concurrency)
        first = run(given)
        items[0]["at"] = "2024-01-09"
        items.append({"id": 4, "at": "2024-01-05"})
        before = len(api.asked)
        second = run(given, state=first.state)
        asked = sorted(path for path, _ in api.asked[before:])
    assert first.error is second.error is None
    assert first.records("shop_parts") == [
        {"id": f"{item}-{number}", "item_id": item, "_items_at": f"2024-01-0{item}"}
        for item in (1, 2, 3)
        for number in (1, 2)
    ]
    assert first.bookmark("shop_parts") == "2024-01-03"
    # A parent equal to the bookmark is read again.
    assert asked == ["/items", *(f"/items/{number}/parts" for number in (1, 3, 4))]
    assert second.ids("shop_parts") == ["1-1", "1-2", "3-1", "3-2", "4-1", "4-2"]
    assert second.bookmark("shop_parts") == "2024-01-09"


def test_a_parent_whose_time_cannot_be_compared_is_always_read():
    items = [{"id": 1, "at": "2024-01-01"}, {"id": 2, "at": None}, {"id": 3, "at": "soon"}]
    with PathApi(serve(items)) as api:
        first = run(shop(api.origin))
        before = len(api.asked)
        run(shop(api.origin), state=first.state)
        asked = {path for path, _ in api.asked[before:]}
    assert {"/items/2/parts", "/items/3/parts"} <= asked


def test_a_failed_child_keeps_its_bookmark():
    items = [{"id": number, "at": f"2024-01-0{number}"} for number in (1, 2)]

    def answer(path, pairs):
        return (500, {}) if path == "/items/2/parts" else serve(items)(path, pairs)

    with PathApi(answer) as api:
        done = run(shop(api.origin))
    assert done.bookmark("shop_parts") is None
    assert done.bookmark() == "2024-01-02"


def test_a_nested_key_of_the_parent_does():
    def answer(path, pairs):
        rows = [{"id": 1, "meta": {"at": "2024-01-01"}}]
        return {"data": rows} if path == "/items" else [{"id": 5}]

    with PathApi(answer) as api:
        done = run(shop(api.origin, key={"cursor_path": "meta.at"}))
    assert done.records("shop_parts") == [
        {"id": 5, "item_id": 1, "_items_meta_at": "2024-01-01"},
    ]
    assert done.bookmark("shop_parts") == "2024-01-01"
