"""Imports point down: tap, streams, client, and below it parts that know nothing above them.

Imports for type checkers alone may point anywhere but out of `transport` and `demo`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tap_analytics
from tap_analytics.streams import APIS

ROOT = Path(tap_analytics.__file__).parent
#: From the top; whatever is not named lies below, and no two parts there need each other.
SPINE = ("__main__", "cli", "commands", "tap", "command", "sync", "streams", "client")
API_MODULES = sorted({type_.__module__ for api in APIS for type_ in api.streams})


def is_for_typing(node):
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def nodes(tree, *, typing):
    """Walk a module, leaving out what only type checkers see unless `typing`."""
    for node in ast.iter_child_nodes(tree):
        if typing or not is_for_typing(node):
            yield node
            yield from nodes(node, typing=typing)


def imports(path, *, typing=False):
    """Return the dotted names a module imports, wherever in it."""
    found = set()
    for node in nodes(ast.parse(path.read_text("utf-8")), typing=typing):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def modules(part=""):
    return sorted((ROOT / part).rglob("*.py"))


def label(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def unit(name):
    """Return the module or package right below `tap_analytics` that a dotted name lies in."""
    return [*name.split("."), ""][1]


def own(names):
    return {name for name in names if name.split(".")[0] == "tap_analytics"}


def needs():
    """Return which units each unit imports at run time."""
    graph = {}
    for path in modules():
        here = path.relative_to(ROOT).with_suffix("").parts[0]
        graph.setdefault(here, set()).update(unit(name) for name in own(imports(path)))
    return {here: {there for there in found if there != here} for here, found in graph.items()}


def test_no_two_units_need_each_other():
    TopologicalSorter(needs()).prepare()


@pytest.mark.parametrize("level", range(1, len(SPINE)), ids=SPINE[1:])
def test_nothing_reaches_up(level):
    above = set(SPINE[:level])

    reaching = {here: there & above for here, there in needs().items() if here not in above}

    assert not {here: there for here, there in reaching.items() if there}


def test_the_spine_exists():
    assert set(SPINE) <= needs().keys()


@pytest.mark.parametrize("path", modules("streams"), ids=label)
def test_an_api_module_never_imports_another(path):
    if path.stem == "__init__":
        return
    names = imports(path, typing=True)

    assert not {name for name in names if unit(name) == "streams"}


def test_every_api_has_one_module_of_its_own():
    assert len(API_MODULES) == len(APIS)


@pytest.mark.parametrize("path", modules("transport"), ids=label)
def test_transport_knows_no_singer(path):
    names = imports(path, typing=True)

    assert not {name for name in names if name.split(".")[0].startswith("singer")}
    assert all(unit(name) == "transport" for name in own(names))


@pytest.mark.parametrize("path", modules("demo"), ids=label)
def test_demo_stands_alone(path):
    names = imports(path, typing=True)
    foreign = {name.split(".")[0] for name in names} - sys.stdlib_module_names

    assert all(unit(name) == "demo" for name in own(names))
    assert foreign <= {"tap_analytics", "typing_extensions"}


def test_nothing_needs_the_demo():
    assert not [here for here, there in needs().items() if "demo" in there]


# --- what a start costs ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "spared"),
    [
        (
            "import tap_analytics.tap",
            {
                "genson",
                "rich",
                "tap_analytics.demo",
                "tap_analytics.declarations",
                "tap_analytics.report",
            },
        ),
        (
            "from tap_analytics.cli import main; main(['--version'])",
            {"singer_sdk", "requests", "tap_analytics.tap"},
        ),
        (
            "import tap_analytics.demo.cli",
            {"singer_sdk", "requests", "msgspec", "tap_analytics.tap"},
        ),
    ],
    ids=["tap", "version", "demo"],
)
def test_a_start_spares_what_it_does_not_need(code, spared):
    script = f"{code}\nimport sys; print(*sys.modules, sep='\\n', file=sys.stderr)"
    command = [sys.executable, "-c", script]

    loaded = subprocess.run(command, capture_output=True, check=True, text=True).stderr

    assert spared.isdisjoint(loaded.splitlines())
