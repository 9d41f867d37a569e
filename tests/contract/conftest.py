"""The five APIs in both dialects, and the tap's real command line to run against them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import pytest

from tap_analytics.demo import DemoApi


@dataclass(frozen=True)
class Run:
    """How a run of the command line ended and what it said."""

    code: int
    stdout: str
    stderr: str

    @cached_property
    def messages(self):
        return [json.loads(line, parse_float=Decimal) for line in self.stdout.splitlines()]

    def of(self, kind):
        """The messages of one type, by stream."""
        found = defaultdict(list)
        for message in self.messages:
            if message["type"] == kind:
                found[message["stream"]].append(message)
        return found

    @property
    def rows(self):
        """The records, by stream."""
        records = self.of("RECORD").items()
        return {stream: [message["record"] for message in said] for stream, said in records}

    @property
    def state(self):
        return [message["value"] for message in self.messages if message["type"] == "STATE"][-1]


@pytest.fixture(scope="session")
def tap(tmp_path_factory):
    """Run the tap; `config`, `catalog` and `state` become files on its command line."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TAP_ANALYTICS_")
    }

    def run(*arguments, env=(), **inputs):
        folder = tmp_path_factory.mktemp("run")
        for name, value in inputs.items():
            path = folder / f"{name}.json"
            path.write_text(json.dumps(value), "utf-8")
            arguments = (*arguments, f"--{name}", str(path))
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-m", "tap_analytics", *arguments],
            capture_output=True,
            check=False,
            cwd=folder,
            encoding="utf-8",
            env=environment | dict(env),
            timeout=120,
        )
        return Run(ended.returncode, ended.stdout, ended.stderr)

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
