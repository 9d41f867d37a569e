"""Streams that are derived from a class of the user."""

from __future__ import annotations

import importlib
import json
import sys

import pytest
from support.docs import DOCS, blocks
from support.runs import declared, run
from support.servers import ScriptedServer, reply

from tap_analytics.streams import declared_apis

_, EXAMPLE = blocks(DOCS / "how-to" / "adding-an-api.md", "python")
ROWS = [
    {"id": n, "internal": n % 4 == 0, "custom_fields": [{"name": "size", "value": n * 2}]}
    for n in range(1, 21)
]
PAGED = {"paginator": {"type": "offset", "limit": 6, "total_path": "total"}}


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """What makes a module of some code, and names its class."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(code, name="shop_plugins"):
        (tmp_path / f"{name}.py").write_text(code)
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, name, raising=False)
        return f"{name}:Orders"

    yield write
    sys.modules.pop("shop_plugins", None)


def serve(received):
    if received.path != "/items":
        return reply(200, json.dumps([{"id": received.path}]).encode())
    start, limit = int(received.query["offset"]), int(received.query["limit"])
    body = {"data": ROWS[start : start + limit], "total": len(ROWS)}
    return reply(200, json.dumps(body).encode())


def problem(plugin_name):
    given = declared("http://127.0.0.1:9", plugin=plugin_name)
    _, [line] = declared_apis(given, reserved=())
    return line


@pytest.mark.parametrize("selector", ["data", "$.data[*]"])
def test_the_example_of_the_documentation(plugin, selector):
    name, found = plugin(EXAMPLE), []
    parts = {"name": "parts", "endpoint": "/items/{item_id}/parts", "primary_key": "id"}
    for width in (1, 8):
        with ScriptedServer(serve) as api:
            done = run(
                declared(
                    api.origin,
                    endpoint=PAGED | {"data_selector": selector},
                    plugin=name,
                    processing_steps=[{"filter": "@.id != 5"}],
                    children=[parts],
                    concurrency=width,
                )
            )
            asked = [request for request in api.requests if request.path == "/items"]
        assert {request.query["sort"] for request in asked} == {"id"}
        found.append(done.streams)
    kept = [row["id"] for row in ROWS if not row["internal"] and row["id"] != 5]
    assert done.records()[0] == {"id": 1, "internal": False, "custom_size": 2}
    assert done.ids() == kept
    # All rows of the list count for its proof.
    assert done.verdict() == "verified"
    assert [row["item_id"] for row in done.records("shop_parts")] == kept
    assert found[0] == found[1]


def test_a_plugin_selects_the_rows(plugin):
    name = plugin(
        "from tap_analytics.streams.declared import DeclaredStream\n\n"
        "class Orders(DeclaredStream):\n"
        "    def select(self, payload):\n"
        "        names = payload['columns']\n"
        "        return [dict(zip(names, row)) for row in payload['rows']]\n"
    )
    body = {"columns": ["id", "name"], "rows": [[1, "a"], [2, "b"]]}
    with ScriptedServer([reply(200, json.dumps(body).encode())]) as api:
        done = run(declared(api.origin, endpoint={"paginator": "single_page"}, plugin=name))
    assert done.records() == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]


def test_another_code_is_another_definition(plugin):
    digests = set()
    for code in (EXAMPLE, EXAMPLE, EXAMPLE.replace("internal", "external")):
        apis, _ = declared_apis(declared("http://127.0.0.1:9", plugin=plugin(code)), reserved=())
        digests.add(apis[0].streams[0].declaration["plugin"])
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("1 / 0", "'shop_plugins' can't be imported (ZeroDivisionError: division by zero)."),
        ("class Other: pass", "is no class derived from tap_analytics.streams.declared.Declared"),
        ("class Orders: pass", "'shop_plugins:Orders' is no class derived from"),
        ("Orders = 5", "'shop_plugins:Orders' is no class derived from"),
        (
            "from tap_analytics.streams.declared import DeclaredStream as Orders",
            "'shop_plugins:Orders' is no class derived from",
        ),
    ],
)
def test_a_class_that_is_of_no_use_is_told(plugin, code, words):
    line = problem(plugin(code))
    assert line.startswith("apis 'shop', resource 'items': `plugin` ")
    assert words in line


def test_a_module_that_is_missing_is_told():
    line = problem("no_such_package.module:Orders")
    assert "can't be imported (ModuleNotFoundError" in line
    assert "PYTHONPATH" in line


@pytest.mark.parametrize("name", ["module", "module:", ":Class", "a b:C", "a/b.py:C", "a..b:C"])
def test_a_plugin_names_module_and_class(name):
    assert "must name module and class" in problem(name)
