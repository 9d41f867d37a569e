"""A local server for the five APIs, for first runs, tests and benchmarks.

Its only third-party dependency at run time is `typing_extensions`.
`DemoApi` is the server as an object, `tap_analytics.demo.cli` the command that runs it as a
process.
"""

from __future__ import annotations

from tap_analytics.demo.demo_api import DemoApi
from tap_analytics.demo.faults import Fault
from tap_analytics.demo.request_log import LoggedRequest
from tap_analytics.demo.tap_config import DEFAULT, Credentials

__all__ = ["DEFAULT", "Credentials", "DemoApi", "Fault", "LoggedRequest"]
