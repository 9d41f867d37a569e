"""The packages are few, imports point down, and modules, classes and functions are small.

Imports for type checkers count like all others.
"""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tap_analytics
from tap_analytics.streams import APIS

ROOT = Path(tap_analytics.__file__).parent
#: The rooms from the top floor down; a module imports from its own room or from those below.
FLOORS = (
    "__main__",
    "commands",
    "tap",
    "sync",
    "streams",
    "reporting",
    "client",
    "config",
    "pagination",
    "records",
    "errors",
    "transport",
    "__init__",
)
#: Stands apart: imported by nobody, imports nothing.
APART = "demo"
MODULE_LINES = 350
CLASS_METHODS = 15
FUNCTION_MEDIAN = 8
API_MODULES = sorted({type_.__module__ for api in APIS for type_ in api.streams})


def modules(part=""):
    return sorted((ROOT / part).rglob("*.py"))


def label(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path):
    """Return the dotted names a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def room(name):
    """Return the module or package right below `tap_analytics` that a dotted name lies in."""
    return [*name.split("."), ""][1]


def own(names):
    return {name for name in names if name.split(".")[0] == "tap_analytics"}


def module_of(name):
    """Return the module that a dotted name lies in."""
    path = ROOT.parent.joinpath(*name.split("."))
    is_module = path.with_suffix(".py").exists() or (path / "__init__.py").exists()
    return name if is_module else name.rpartition(".")[0]


def dotted(path):
    return "tap_analytics." + label(path).removesuffix(".__init__").removesuffix("__init__")


def edges():
    """Yield each import inside the package: the module that imports, and the one imported."""
    for path in modules():
        for name in own(imports(path)):
            yield dotted(path).rstrip("."), module_of(name)


def floor(name):
    return FLOORS.index(room(name) or "__init__")


def test_every_module_has_its_floor():
    assert {path.relative_to(ROOT).with_suffix("").parts[0] for path in modules()} == {
        *FLOORS,
        APART,
    }


def test_imports_point_down():
    upward = {
        f"{here} imports {there}"
        for here, there in edges()
        if room(here) != APART and floor(there) < floor(here)
    }

    assert not upward


def test_no_imports_go_in_a_circle():
    graph = {}
    for here, there in edges():
        # A package imports its parts, and a part may import a sibling through it.
        if not there.startswith(f"{here}.") and here != there:
            graph.setdefault(here, set()).add(there)
    TopologicalSorter(graph).prepare()


def test_no_module_is_longer_than_can_be_read_at_once():
    lines = {label(path): len(path.read_text("utf-8").splitlines()) for path in modules()}

    assert {name: count for name, count in lines.items() if count > MODULE_LINES} == {}


def test_no_class_has_too_many_public_methods():
    methods = {
        f"{label(path)}.{node.name}": sum(is_public_method(each) for each in node.body)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    }

    assert {name: count for name, count in methods.items() if count > CLASS_METHODS} == {}


def is_public_method(node):
    """Whether a class declares a method of its own; those it overrides, its base demands."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or node.name.startswith("_"):
        return False
    return "override" not in {getattr(each, "id", "") for each in node.decorator_list}


def test_most_functions_are_short():
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]

    assert statistics.median(lengths) <= FUNCTION_MEDIAN


@pytest.mark.parametrize("path", modules("streams"), ids=label)
def test_an_api_never_imports_another(path):
    apis = {module.split(".")[2] for module in API_MODULES}
    here = path.relative_to(ROOT / "streams").with_suffix("").parts[0]
    if here not in apis:
        return

    assert not {name for name in imports(path) if room(name) == "streams"} & {
        f"tap_analytics.streams.{api}" for api in apis - {here}
    }


@pytest.mark.parametrize("path", modules("transport"), ids=label)
def test_transport_knows_no_singer(path):
    names = imports(path)

    assert not {name for name in names if name.split(".")[0].startswith("singer")}
    assert all(room(name) == "transport" for name in own(names))


@pytest.mark.parametrize("path", modules("demo"), ids=label)
def test_demo_stands_alone(path):
    names = imports(path)
    foreign = {name.split(".")[0] for name in names} - sys.stdlib_module_names

    assert all(room(name) == "demo" for name in own(names))
    assert foreign <= {"tap_analytics", "typing_extensions"}


def test_nothing_needs_the_demo():
    assert not [here for here, there in edges() if room(there) == APART != room(here)]


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
                "tap_analytics.config.declarations",
                "tap_analytics.reporting.report",
            },
        ),
        (
            "from tap_analytics.__main__ import main; main(['--version'])",
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
