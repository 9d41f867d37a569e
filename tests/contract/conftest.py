"""The five APIs in both dialects, and the tap's real command line to run against them."""

from __future__ import annotations

import pytest
from support import processes

from tap_analytics.demo import DemoApi

#: Warnings of a run are errors.
STRICT = ("-W", "error")


@pytest.fixture(scope="session")
def tap():
    """Run the tap; `config`, `catalog` and `state` become files on its command line."""

    def run(*arguments, config=None, **inputs):
        return processes.run(config, *arguments, python=STRICT, **inputs)

    return run


@pytest.fixture(scope="session")
def demos():
    """One running demo per dialect, for tests that leave it as it is."""
    with DemoApi(dialect="real") as real, DemoApi(dialect="spec") as spec:
        yield {"real": real, "spec": spec}


@pytest.fixture(scope="session", params=["real", "spec"])
def demo(request, demos):
    return demos[request.param]


@pytest.fixture(scope="session")
def extracted(demo, tap):
    """One run over every stream of every API."""
    run = tap(config=demo.config)
    assert run.code == 0, run.stderr
    return run
